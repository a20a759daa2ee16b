import contextlib
import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.config.data import ColumnsConfig, DataConfig
from vernier.data.sources import open_source
from vernier.data.tables import read_rows, read_table
from vernier.errors import DataError

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=40)
@given(st.lists(st.tuples(cells, cells), max_size=8), st.sampled_from(",;\t|"))
def test_what_was_written_is_read(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([("path", "label"), *rows])
    path.write_bytes(text.getvalue().encode())
    table = read_table(path, "data.source", delimiter, "path")
    assert list(table.rows) == [*rows]
    assert table.numbers[:1] == ((2,) if rows else ())


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        table = read_table(path, "data.source", ",", "path")
        assert all(len(row) == len(table.columns) == len(set(table.columns)) for row in table.rows)
        assert sorted(set(table.numbers)) == list(table.numbers)


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png", "c.png", "d.png"):
        (tmp_path / name).touch()
    return tmp_path


def opened(folder, content, name="t.csv", task="auto", **columns):
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(DataConfig(source=str(folder / name), task=task, columns=ColumnsConfig(**columns)))


def test_columns_have_the_names_that_they_are_given(folder):
    text = "file;kind;part;importance;video\na.png;x;train;2;v\nb.png;y;train;0.5;v\nc.png;x;val;1;w\nd.png;y;val;1;w\n"
    names = {"path": "file", "label": "kind", "split": "part", "weight": "importance", "group": "video"}
    source = opened(folder, text, delimiter=";", **names)
    assert source.split == ("train", "train", "val", "val")
    assert source.weights.tolist() == [2, 0.5, 1, 1]
    assert source.weights.dtype == "float32"
    assert source.groups == ("v", "v", "w", "w")
    assert source.labels() == ["x", "y", "x", "y"]


def test_weights_and_groups_only_where_they_are_asked_for(folder):
    source = opened(folder, "path,label,weight,group\na.png,x,2,g\nb.png,y,3,g\n")
    assert (source.weights, source.groups) == (None, None)


def test_named_label_columns(folder):
    text = "path,dog,note,cat\na.png,1,n,true\nb.png,0.0,n,1.0\n"
    source = opened(folder, text, labels=("dog", "cat"))
    assert source.class_names == ("cat", "dog")
    assert source.targets.tolist() == [[1, 1], [1, 0]]


def test_one_column_a_class(folder):
    text = "path,cat,dog\na.png,1,0\nb.png,0,1\n"
    assert opened(folder, text, task="multiclass").targets.tolist() == [0, 1]
    message = r"not one label exactly, as data\.task=multiclass has it, in lines \(2\): 3, 4"
    with pytest.raises(DataError, match=message):
        opened(folder, "path,cat,dog\na.png,1,0\nb.png,1,1\nc.png,0,0\n", task="multiclass")


def test_no_column_is_the_split(folder):
    source = opened(folder, "path,label,split\na.png,x,one\nb.png,y,two\n", split=None)
    assert source.split == ("", "")


def test_delimiters(folder):
    assert opened(folder, "path\tlabel\na.png\tx\nb.png\ty\n", delimiter="tab").class_names == ("x", "y")
    assert opened(folder, "path,label\na.png,x\nb.png,y\n", "t.tsv", delimiter=",").class_names == ("x", "y")


@pytest.mark.parametrize(
    ("text", "delimiter", "message"),
    [
        ("path;label\na.png;x\n", None, r"no column 'path'\..*separated by ';': data\.columns\.delimiter=';'$"),
        ("path\tlabel\na.png\tx\n", None, r"separated by a tab: data\.columns\.delimiter=tab$"),
        ("path,label\na.png,x\n", ";", r"separated by ',': data\.columns\.delimiter=','$"),
        ("path,label\na.png,x\nb.png;y\n", None, r"first line \(1\): 3\. Line 3 looks separated by ';': write one"),
        ("path,label\na.png,x\nb.png\ty\n", None, r"\(1\): 3\. Line 3 looks separated by a tab"),
    ],
)
def test_other_separators(folder, text, delimiter, message):
    with pytest.raises(DataError, match=message):
        opened(folder, text, delimiter=delimiter)


def test_lines_are_counted_by_the_file(folder):
    text = 'path,label,note\n\na.png,x,"two\nlines, ""quoted"""\n\nb.png,,n\nmissing.png,x,n\n'
    with pytest.raises(DataError, match=r"line 7: files that are not in"):
        opened(folder, text)
    with pytest.raises(DataError, match=r"no label .* in lines \(1\): 6$"):
        opened(folder, text.replace("missing", "c"))


@pytest.mark.parametrize(
    ("text", "line"),
    [('path,label\na.png,x\n"b.png,y\nc.png,x\n', 3), ('path,label\na.png,x\n"b.png"x,y\n', 3)],
)
def test_quotes_that_are_wrong(folder, text, line):
    with pytest.raises(DataError, match=rf"is no CSV file: .*, in what begins in line {line}\. A cell with quotes"):
        opened(folder, text)


def test_latin_1_is_named_by_line_and_byte(folder):
    with pytest.raises(DataError, match=r"t\.csv: line 3: the byte 0xE9 is not UTF-8 text; save the file as UTF-8"):
        opened(folder, "path,label\na.png,x\nb.png,é\n".encode("latin-1"))
    (folder / "café.png").touch()
    with pytest.raises(DataError, match=r"line 2: no such file, and the byte 0xE9 is not UTF-8 text"):
        opened(folder, "path,label\ncafé.png,x\nb.png,y\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"line 1: the byte 0xFF is not UTF-8 text"):
        opened(folder, "path,label\na.png,x\n".encode("utf-16"))


def test_file_names_may_hold_any_bytes(folder):
    (folder / "odd\udcff.png").touch()
    assert opened(folder, b"path,label\nodd\xff.png,x\nb.png,y\n").keys() == ["b.png", "odd\udcff.png"]


def test_one_message_for_all_rows_that_are_wrong(folder):
    text = "path,label,w\na.png,x,1\nb.png,y,-1\nc.png,x,nan\nd.png,y,inf\n./a.png,x,\n"
    with pytest.raises(DataError, match=r"lines 2, 6: paths that occur twice .* \(1\): a\.png"):
        opened(folder, text, weight="w")
    with pytest.raises(
        DataError,
        match=r"lines 3, 4, 5: weights in column 'w' that are not numbers from 0 on \(3\): '-1', 'nan', 'inf'",
    ):
        opened(folder, text.replace("./a.png,x,\n", ""), weight="w")
    with pytest.raises(DataError, match=r"line 2: weights .* \(1\): '0,5'"):
        opened(folder, "path;label;w\na.png;x;0,5\nb.png;y;1\n", weight="w", delimiter=";")
    with pytest.raises(DataError, match="all weights in column 'w' are 0"):
        opened(folder, "path,label,w\na.png,x,0\nb.png,y,0\n", weight="w")


def test_empty_groups(folder):
    with pytest.raises(DataError, match=r"no group in column 'g' .* in lines \(1\): 3"):
        opened(folder, "path,label,g\na.png,x,v\nb.png,y,\n", group="g")


@pytest.mark.parametrize("role", ["path", "split", "weight", "group"])
def test_columns_that_are_not_there(folder, role):
    message = rf"no column 'lable'\. Did you mean 'label'\? .*data\.columns\.{role} says which column it is"
    with pytest.raises(DataError, match=message):
        opened(folder, "path,label\na.png,x\nb.png,y\n", **{role: "lable"})
    with pytest.raises(DataError, match=r"no column 'dgo'\. Did you mean 'dog'\?.*data\.columns\.labels"):
        opened(folder, "path,dog\na.png,1\nb.png,0\n", labels=("dgo",))


def test_labels_that_are_not_wanted_are_counted(folder):
    (folder / "t.csv").write_text("path,label\na.png,x\nb.png,y\nc.png,z\n")
    source = open_source(DataConfig(source=str(folder / "t.csv"), class_names=("x", "y")))
    assert source.skipped == {"of a class that is not in data.class_names": 1}


def test_read_rows_keeps_bytes_that_are_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n\n\xff,1\n")
    assert read_rows(tmp_path / "t.csv", "data.split.file") == [["a", "b"], ["\udcff", "1"]]
