import os
from pathlib import Path

import numpy as np
import pytest

from vernier.config.data import DataConfig, SplitConfig
from vernier.data.sources import open_source
from vernier.data.splits import save_split, split_source
from vernier.errors import DataError


def write(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def images(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_paths_are_relative_to_the_file(class_folders):
    rows = "".join(f"{path.relative_to(class_folders)},{path.parent.name}\n" for path in class_folders.glob("*/*"))
    path = write(class_folders, "path,label\n" + rows)
    os.chdir(class_folders.parent)
    source = open_source(DataConfig(source="photos/list.csv"))
    assert (source.name, source.class_names, set(source.split)) == ("list", ("china", "flower"), {""})
    assert source.keys() == open_source(DataConfig(source=str(class_folders))).keys()
    assert source.images.read(0).shape == (160, 200, 3)
    os.chdir("/")
    assert source.images.path(0) == path.parent / "china/china_00.jpg"


def test_split_of_a_run_is_a_source(class_folders, tmp_path):
    first = DataConfig(source=str(class_folders), split=SplitConfig(test=0.25))
    source = open_source(first)
    split = split_source(source, first)
    (tmp_path / "run").mkdir()
    save_split(tmp_path / "run/split.csv", source, split)
    again = DataConfig(source=str(tmp_path / "run/split.csv"), root=str(class_folders))
    second = open_source(again)
    assert second.keys() == source.keys()
    assert second.targets.tolist() == source.targets.tolist()
    for part, same in zip(vars(split).values(), vars(split_source(second, again)).values(), strict=True):
        assert np.array_equal(part, same)


def test_absolute_and_odd_paths(tmp_path):
    images(tmp_path, "in/a.png", "in/b.png", "out/c.png")
    path = write(tmp_path / "in", f"path,label\n./a.png,x\n{tmp_path}/in/b.png,y\n../out/c.png,x\n")
    assert open_source(DataConfig(source=str(path))).keys() == ["../out/c.png", "a.png", "b.png"]


def test_excel_and_tabs(tmp_path):
    images(tmp_path, "a.png", "b.png")
    (tmp_path / "list.TSV").write_bytes("\ufeffpath\tlabel\tid\r\na.png\té\t1\r\n\r\nb.png\ty\t2\r\n".encode())
    assert open_source(DataConfig(source=str(tmp_path / "list.TSV"))).class_names == ("y", "é")


def test_split_column(tmp_path):
    images(tmp_path, *(f"{number}.png" for number in range(8)))
    splits = ["train", "train", "validation", "Valid", "test", "test", "extra", "extra"]
    rows = "".join(f"{number}.png,{number % 2},{split}\n" for number, split in enumerate(splits))
    path = str(write(tmp_path, "path,label,split\n" + rows))
    with pytest.raises(DataError, match=r"can't tell what the splits extra are for; use train, val and test"):
        open_source(DataConfig(source=path))
    source = open_source(DataConfig(source=path, train_split="extra"))
    assert source.split == ("val", "val", "test", "test", "train", "train")
    assert source.skipped == {"in split 'train', which is not used": 2}


def test_several_labels(tmp_path):
    images(tmp_path, "a.png", "b.png", "c.png")
    path = str(write(tmp_path, "path,label\na.png,cat|dog\nb.png,\nc.png,ant | dog\n"))
    source = open_source(DataConfig(source=path))
    assert source.class_names == ("ant", "cat", "dog")
    assert source.targets.dtype == np.uint8
    assert source.targets.tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 1]]
    assert source.labels() == ["cat|dog", "", "ant|dog"]
    chosen = open_source(DataConfig(source=path, class_names=("dog", "cat")))
    assert chosen.targets.tolist() == [[1, 1], [0, 0], [1, 0]]
    with pytest.raises(DataError, match=r"no label \(data\.task=multilabel allows that\) in lines \(1\): 3"):
        open_source(DataConfig(source=path, task="multiclass"))


def test_one_column_a_label(tmp_path):
    images(tmp_path, "a.png", "b.png")
    path = write(tmp_path, "dog,path,split,cat\n1,a.png,train,1\n0,b.png,val,1\n")
    source = open_source(DataConfig(source=str(path)))
    assert source.class_names == ("cat", "dog")
    assert source.targets.tolist() == [[1, 1], [1, 0]]
    assert source.split == ("train", "val")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'path'"),
        ("Path,label\na.png,x\n", r"no column 'path'\. Did you mean 'Path'\? The first line has: Path, label"),
        ("path;label\na.png;x\n", "The first line has: path;label"),
        ("path\na.png\n", r"no column 'label', nor a column of 0 and 1"),
        ("path,lable\na.png,x\n", r"line 2: other than 0 and 1 in column 'lable', which stands .* \(1\): 'x'"),
        ("path,label\na.png,x\nb.png,y\nc.png,y\nd.png,y\n", r"files that are not in .* \(2\): c\.png, d\.png"),
        ("path,label\na.png,x\n./a.png,y\n", r"paths that occur twice .* \(1\): a\.png"),
        ("path,label\na.png\nb.png,y,z\n", r"rows with more or fewer fields .* \(2\): 2, 3"),
        ("path,label,label\na.png,x,y\n", r"columns that occur twice \(1\): label"),
        ("path,label\na.png,x\nb.png,\n", r"no label .* in lines \(1\): 3"),
        ("path,label\n,x\nb.png,y\n", r"path is empty in lines \(1\): 2"),
        ("path,label\na.png,x\nb.png,x\n", "only one class, 'x'"),
        ("path,label\n", "no images in"),
    ],
)
def test_tables_that_are_wrong(tmp_path, text, message):
    images(tmp_path, "a.png", "b.png")
    with pytest.raises(DataError, match=message):
        open_source(DataConfig(source=str(write(tmp_path, text))))


def test_missing_files_are_listed_up_to_twenty(tmp_path):
    path = write(tmp_path, "path,label\n" + "".join(f"{number:02d}.png,x\n" for number in range(25)))
    with pytest.raises(DataError, match=r"\(25\): 00\.png, .*19\.png and 5 more$"):
        open_source(DataConfig(source=str(path)))


def test_unknown_class_name(tmp_path):
    images(tmp_path, "a.png", "b.png")
    path = write(tmp_path, "path,label\na.png,cat\nb.png,dog\n")
    with pytest.raises(DataError, match=r"no class 'dgo'\. Did you mean 'dog'\? There are: cat, dog"):
        open_source(DataConfig(source=str(path), class_names=("cat", "dgo")))


def test_tables_as_parts(tmp_path):
    images(tmp_path, "in/a.png", "in/b.png", "out/x/c.png", "out/y/d.png")
    train = write(tmp_path / "in", "path,label\na.png,x\nb.png,y\n")
    source = open_source(DataConfig(train=str(train), test=str(tmp_path / "out")))
    assert source.keys() == ["in/a.png", "in/b.png", "out/x/c.png", "out/y/d.png"]
    assert source.split == ("train", "train", "test", "test")
    write(tmp_path / "in", "path,label,split\na.png,x,train\nb.png,y,test\n")
    with pytest.raises(DataError, match=r"data\.train: list has a column 'split' of its own"):
        open_source(DataConfig(train=str(train), test=str(tmp_path / "out")))


def test_table_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"data\.source=.*x\.csv: no built-in source"):
        open_source(DataConfig(source=str(tmp_path / "x.csv")))
    with pytest.raises(DataError, match=r"data\.train=.*x\.csv: can't be read: No such file"):
        open_source(DataConfig(train=str(tmp_path / "x.csv")))
