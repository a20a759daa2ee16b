import pytest

from data.check_sets import checked, crop, encoded, write
from vernier.config.data import DataConfig
from vernier.data.check.clean_list import write_clean_list
from vernier.data.sources import open_source
from vernier.data.splits import split_source
from vernier.errors import DataError


@pytest.fixture
def messy(tmp_path, photos):
    """train, val and test of two classes: 6, 2 and 2 images each, and what a clean list leaves out."""
    root = tmp_path / "set"
    for name, photo in photos.items():
        for number in range(10):
            split = "train" if number < 6 else "val" if number < 8 else "test"
            write(root / split / name / f"{number}.jpg", crop(photo, 2 * number))
    write(root / "train/china/zero.jpg", b"")
    for copy, original in (
        ("train/china/from_test.jpg", "test/china/8.jpg"),
        ("val/china/from_test.jpg", "test/china/8.jpg"),
        ("train/china/from_val.jpg", "val/china/6.jpg"),
        ("train/china/again.jpg", "train/china/1.jpg"),
        ("train/flower/not_a_flower.jpg", "train/china/2.jpg"),
    ):
        write(root / copy, (root / original).read_bytes())
    return root


def test_the_clean_list_is_a_source_without_problems(messy, tmp_path):
    before = sorted(path for path in messy.rglob("*.jpg"))
    report, _ = checked(messy)
    clean = write_clean_list(tmp_path / "clean.csv", report.evidence)
    assert (clean.kept, clean.unreadable, clean.copies, clean.conflicting) == (19, 1, 4, 2)
    source = open_source(DataConfig(source=str(clean.file), root=str(clean.root)))
    keys = source.keys()
    assert "test/china/8.jpg" in keys
    assert "val/china/6.jpg" in keys
    assert not {key for key in keys if "from_" in key or "zero" in key or "not_a" in key}
    assert "train/china/2.jpg" not in keys
    assert {"train/china/1.jpg", "train/china/again.jpg"} & set(keys) == {"train/china/1.jpg"}
    split = split_source(source, DataConfig())
    assert [len(part) for part in (split.train, split.val, split.test)] == [11, 4, 4]
    assert checked(clean.file, root=str(clean.root))[0].status != "FAIL"
    assert sorted(path for path in messy.rglob("*.jpg")) == before


def test_nothing_is_overwritten(messy, tmp_path):
    (tmp_path / "clean.csv").write_text("mine")
    report, _ = checked(messy)
    with pytest.raises(DataError, match=r"--fix .*clean\.csv: is there already"):
        write_clean_list(tmp_path / "clean.csv", report.evidence)
    assert (tmp_path / "clean.csv").read_text() == "mine"


def test_arrays_have_no_files_to_list(tmp_path):
    report, _ = checked("digits")
    with pytest.raises(DataError, match="digits has none"):
        write_clean_list(tmp_path / "clean.csv", report.evidence)


def test_several_labels_and_names_that_are_not_utf8(tmp_path, photos):
    names = ["a,b.png", "\udcff.png", "c.png"]
    for number, name in enumerate(names):
        write(tmp_path / "set" / name, encoded(crop(photos["china"], 3 * number), "PNG"))
    rows = [('"a,b.png"', "x|y"), ("\udcff.png", "x"), ("c.png", "y")]
    text = "path,label\n" + "".join(f"{path},{label}\n" for path, label in rows)
    (tmp_path / "set/list.csv").write_bytes(text.encode(errors="surrogateescape"))
    report, _ = checked(tmp_path / "set/list.csv")
    clean = write_clean_list(tmp_path / "clean.csv", report.evidence)
    source = open_source(DataConfig(source=str(clean.file), root=str(clean.root)))
    assert dict(zip(source.keys(), source.labels(), strict=True)) == dict(zip(names, ["x|y", "x", "y"], strict=True))
