import sys

import pytest

from vernier.config.data import ColumnsConfig, DataConfig
from vernier.data.sources import open_source
from vernier.errors import DataError, MissingExtraError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).touch()
    return tmp_path


def opened(folder, columns, task="auto", **names):
    arrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), folder / "t.parquet")
    return open_source(DataConfig(source=str(folder / "t.parquet"), task=task, columns=ColumnsConfig(**names)))


PATHS = ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([3, 1, 3], ["3", "1", "3"]),
        ([1.0, 0.0, 1.0], ["1", "0", "1"]),
        ([True, False, True], ["1", "0", "1"]),
        (["x", " y", "x"], ["x", "y", "x"]),
        ([["x"], ["x", "y"], []], ["x", "x|y", ""]),
    ],
)
def test_labels_of_all_types(folder, labels, names):
    assert opened(folder, {"path": PATHS, "label": labels}).labels() == names


def test_dictionaries_are_text(folder):
    arrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    labels = arrow.array(["x", "y", "x"]).dictionary_encode()
    assert opened(folder, {"path": PATHS, "label": labels}).class_names == ("x", "y")


def test_all_columns(folder):
    columns = {
        "file": PATHS,
        "cat": [True, False, True],
        "dog": [0, 1, 1],
        "part": ["train", "train", None],
        "w": [1, 0.5, 2],
        "video": [7, 7, 8],
        "image": [{"bytes": b"x"}] * 3,
    }
    names = {"path": "file", "split": "part", "weight": "w", "group": "video"}
    source = opened(folder, columns, **names)
    assert source.class_names == ("cat", "dog")
    assert source.targets.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert source.split == ("train", "train", "")
    assert source.weights.tolist() == [1, 0.5, 2]
    assert source.groups == ("7", "7", "8")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": ["a.png", "x.png", "y.png"], "label": [0, 1, 1]}, r"t\.parquet: rows 2, 3: files that are not in"),
        ({"path": ["a.png", "a.png", None], "label": [0, 1, 1]}, r"path is empty in rows \(1\): 3"),
        ({"path": PATHS, "label": ["x", None, "y"]}, r"no label .* in rows \(1\): 2"),
        ({"path": PATHS, "label": [0.0, float("nan"), 1.0]}, r"no label .* in rows \(1\): 2"),
        ({"paths": PATHS, "label": [0, 1, 1]}, r"no column 'path'\. Did you mean 'paths'\?"),
        (
            {"path": [{"bytes": b"", "path": "a.png"}] * 3, "label": [0, 1, 1]},
            r"column 'path' holds struct<.*, not paths",
        ),
        ({"path": [b"a.png"] * 3, "label": [0, 1, 1]}, r"column 'path' holds binary, not paths"),
    ],
)
def test_files_that_are_wrong(folder, columns, message):
    with pytest.raises(DataError, match=message):
        opened(folder, columns)


def test_weights_that_are_wrong(folder):
    columns = {"path": PATHS, "label": [0, 1, 1], "w": [-1.0, None, 1.0]}
    with pytest.raises(DataError, match=r"rows 1, 2: weights in column 'w' .* \(2\): '-1', ''"):
        opened(folder, columns, weight="w")


def test_what_is_no_parquet_file(folder):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    (folder / "t.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(DataError, match=r"data\.source=.*t\.parquet: is no Parquet file, or a damaged one"):
        open_source(DataConfig(source=str(folder / "t.parquet")))
    with pytest.raises(DataError, match=r"data\.train=.*u\.pq: can't be read: No such file"):
        open_source(DataConfig(train=str(folder / "u.pq")))


def test_without_pyarrow(folder, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (folder / "t.parquet").touch()
    with pytest.raises(MissingExtraError, match=r"t\.parquet needs an extra: pip install 'vernier\[parquet\]'"):
        open_source(DataConfig(source=str(folder / "t.parquet")))
