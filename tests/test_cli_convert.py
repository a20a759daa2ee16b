"""`vernier convert` as a person types it."""

import itertools
import json
import os
import signal

import pytest
from PIL import Image

from vernier import api, cli
from vernier.cli_convert import _read_options, _take_options
from vernier.data.convert.settings import ConvertSettings
from vernier.data.convert.writing import SetWriter
from vernier.data.shards.info import read_info
from vernier.errors import DataError


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """pets/cat and pets/dog with ten pictures each, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 9), (25 * number, 99 * label, 0)).save(tmp_path / "pets" / name / f"{number}.png")
    return tmp_path


def options(line):
    words = line.split()
    given = _take_options(words)
    return _read_options(given), words


@pytest.mark.parametrize(
    "line",
    [
        "in out --format store --image_size 20 30 --split_names a b --split_percentages 0.7 0.3 --seed 3",
        "--image-size 20 30 --split-names a b --format=store --split-percentages 0.7 .3 --seed=3 in out",
        "in out --image_size [20,30] --split_names a,b --split_percentages 0.7,0.3 --seed 3 --format store",
    ],
)
def test_options_are_read_with_dashes_and_underscores(line):
    settings, words = options(line)
    percentages = settings.pop("split_percentages")
    assert [float(share) for share in percentages] == [0.7, 0.3]
    assert settings == {"format": "store", "image_size": (20, 30), "split_names": ("a", "b"), "seed": 3}
    assert words == ["in", "out"]


def test_a_conversion_from_the_command_line(pets, capsys):
    line = "convert pets out --split_percentages 0.7 0.2 0.1 --format webdataset --json data.class_names=[dog,cat]"
    assert cli.main(line.split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: split["num_examples"] for name, split in found["splits"].items()} == {
        "train": 14,
        "validation": 4,
        "test": 2,
    }
    assert found["class_names"] == ["dog", "cat"]
    assert cli.main(["convert", "pets", "other", "--json", "--data.class_names", "dog", "cat"]) == 0
    assert json.loads(capsys.readouterr().out)["class_names"] == ["dog", "cat"]
    assert found["skipped"] == []
    assert cli.main(line.split()) == 0
    assert json.loads(capsys.readouterr().out)["already_done"]
    assert cli.main(["convert", "pets", "out", "--seed", "1"]) == 2
    assert "Nothing is overwritten" in capsys.readouterr().err


def test_bad_images_are_listed_with_exit_status_1(pets, capsys):
    (pets / "pets" / "cat" / "bad.png").write_bytes(b"")
    assert cli.main(["convert", "pets", "out", "--split_names", "train"]) == 1
    out = capsys.readouterr().out
    assert "train: 20 images, 1 file" in out
    assert f"{pets / 'pets' / 'cat' / 'bad.png'}: is empty (0 bytes)" in out


def test_annotations_from_the_command_line(pets, capsys):
    rows = [f"{name}/{number}.png;{name}" for name in ("cat", "dog") for number in range(10)]
    (pets / "labels.csv").write_text("\n".join(["file;kind", *rows]))
    line = "convert pets out --annotations labels.csv --delimiter ; --header 1 --split_names train --name zoo"
    assert cli.main(line.split()) == 0
    assert read_info(pets / "out").name == "zoo"
    assert read_info(pets / "out").class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "name the SOURCE and the directory OUT first"),
        ("pets", "name the SOURCE and the directory OUT first"),
        ("pets out more", "what is 'more'?"),
        ("pets out --seed x", "--seed takes a whole number, not 'x'"),
        ("pets out --image_size 5", "--image_size takes two whole numbers"),
        ("pets out --format", "--format needs a value"),
        ("pets out --seed 1 --seed 2", "--seed stands twice"),
        ("pets out --header 1", "--header goes with --annotations"),
        ("pets out --annotations a.csv --header maybe", "--header takes 1 or 0"),
        ("pets out --split_percentages 0.5 0.6 0.1", "the shares have to make 1"),
        ("pets out --formt store", "did you mean --format?"),
        ("nowhere out", "nowhere"),
        ("pets out data.clas_names=[cat,dog]", "did you mean"),
    ],
)
def test_mistakes_are_status_2(pets, capsys, line, says):
    assert cli.main(["convert", *line.split()]) == 2
    assert says in capsys.readouterr().err
    assert not (pets / "out").exists()


def test_the_function_takes_the_same(pets):
    conversion = api.convert("pets", "out", settings=ConvertSettings(format="store", split_names=("train",)))
    assert conversion.splits["train"].num_examples == 20
    api.convert("pets", "out", add=True, settings=ConvertSettings(format="store", split_names=("test",)))
    assert list(read_info(pets / "out").splits) == ["train", "test"]
    with pytest.raises(DataError, match="has train already"):
        api.convert("pets", "out", add=True, settings=ConvertSettings(format="store", split_names=("train",), seed=2))


def signalled(monkeypatch, number):
    """Let a signal come while the fifth picture is made."""
    made = SetWriter._make
    calls = itertools.count()

    def make(writer, position):
        if next(calls) == 5:
            os.kill(os.getpid(), number)
        return made(writer, position)

    monkeypatch.setattr(SetWriter, "_make", make)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_signal_ends_it_and_nothing_is_left(pets, monkeypatch, capsys, threads):
    line = ["convert", "pets", "out", f"data.threads={threads}"]
    signalled(monkeypatch, signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        cli.main(line)
    assert ended.value.code == 143
    signalled(monkeypatch, signal.SIGINT)
    assert cli.main(line) == 130
    assert [path.name for path in pets.iterdir()] == ["pets"]
