import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest

from predict_models import mean_colour_network, write_model
from vernier import cli

HEAVY = ("torch", "torchvision", "timm", "sklearn", "matplotlib", "onnx", "scipy", "lightning_fabric")
PROGRAM = f"""
import sys
from vernier import cli
status = cli.main(sys.argv[1:])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture
def model(tmp_path, monkeypatch, class_folders) -> str:
    """`model.onnx` beside photos/, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return str(write_model(Path("model.onnx")))


def _rows(file: str) -> list[dict[str, str]]:
    with Path(file).open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def _start(*words: str, **streams) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "predict", *words], stderr=subprocess.PIPE, text=True, **streams
    )


def _wait_for(condition, process: subprocess.Popen) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_onnx_files_are_answered_without_torch(model):
    process = _start(model, "photos/china/china_00.jpg", "--csv", "a.csv", "--annotate", "pictures")
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.strip()) == (0, "[]")
    assert len(_rows("a.csv")) == 1


def test_all_files_at_once(model, capsys):
    words = ["--csv", "a.csv", "--jsonl=a.jsonl", "--top-k", "2", "--probabilities", "--levels", "0.5", "0.9"]
    (Path("photos") / "empty.jpg").touch()
    assert cli.main(["predict", model, "photos", *words, "--reject", "0.6", "--annotate", "out"]) == 1
    rows, lines = _rows("a.csv"), [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == [line["path"] for line in lines]
    assert list(rows[0])[:9] == [
        *("path", "prediction", "confidence", "guess", "rejected", "level", "top1", "p_top1", "top2")
    ]
    assert {row["prediction"] == "unknown" for row in rows if row["rejected"] == "true"} <= {True}
    assert len(list(Path("out").rglob("*.jpg"))) == len(rows) == 24
    text = capsys.readouterr().out
    assert text.startswith("25 images in ")
    assert "1 file can't be read:\n  photos/empty.jpg: " in text


def test_the_table_and_json_say_the_same(model, capsys):
    assert cli.main(["predict", model, "photos", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert cli.main(["predict", model, "photos", "--batch-size", "5", "--threads", "0"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["path", "prediction", "confidence"]
    assert [line.split()[0] for line in lines] == [row["path"] for row in values["predictions"]]
    assert len({len(line) for line in lines}) == 1
    assert values["failures"] == []


def test_lists(model, capsys):
    Path("list.txt").write_text("photos/china/china_03.jpg\nabsent.jpg\n")
    assert cli.main(["predict", model, "@list.txt", "--json"]) == 1
    values = json.loads(capsys.readouterr().out)
    assert [row["path"] for row in values["predictions"]] == ["photos/china/china_03.jpg"]
    assert [row["path"] for row in values["failures"]] == ["absent.jpg"]


def test_standard_input_is_answered_line_by_line_and_kept_when_interrupted(model):
    process = _start(model, "-", "--csv", "a.csv", stdin=subprocess.PIPE)
    part = Path("a.csv.part")
    for number in (1, 2):
        print(f"photos/china/china_0{number}.jpg", file=process.stdin, flush=True)
        _wait_for(lambda number=number: part.exists() and len(_rows(part)) == number, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what was done is in a.csv.part" in errors
    assert not Path("a.csv").exists()
    assert len(_rows(part)) == 2


def test_watching_takes_what_comes_until_it_is_stopped(model):
    Path("inbox").mkdir()
    process = _start(model, "inbox", "--watch", "--interval", "0.05", "--csv", "a.csv", "--jsonl", "a.jsonl")
    photo = Path("photos/china/china_00.jpg").read_bytes()
    shutil.copy("photos/flower/flower_00.jpg", "inbox/a.jpg")
    Path("inbox/half.jpg").write_bytes(photo[:900])
    _wait_for(lambda: Path("a.csv").exists() and len(_rows("a.csv")) == 1, process)
    assert "half.jpg: " in process.stderr.readline()
    Path("inbox/half.jpg").write_bytes(photo)
    _wait_for(lambda: len(_rows("a.csv")) == 2, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    # What was half-written has been read since.
    assert process.returncode == 0
    assert [row["path"] for row in _rows("a.csv")] == ["inbox/a.jpg", "inbox/half.jpg"]
    assert len(Path("a.jsonl").read_text().splitlines()) == 2


def test_an_onnx_file_from_elsewhere_is_described_by_settings(model, capsys):
    onnx.save(mean_colour_network(), "foreign.onnx")
    assert cli.main(["predict", "foreign.onnx", "photos"]) == 2
    assert "data.class_names" in capsys.readouterr().err
    described = [
        "data.class_names=[r,g,b]",
        "augment.eval=[{name: Resize, size: 16},{name: Normalize, mean: 0.5, std: 0.5}]",
    ]
    assert cli.main(["predict", "foreign.onnx", "photos", *described, "--json"]) == 0
    theirs = json.loads(capsys.readouterr().out)["predictions"]
    assert cli.main(["predict", model, "photos", "--json"]) == 0
    ours = json.loads(capsys.readouterr().out)["predictions"]
    for row, other in zip(theirs, ours, strict=True):
        assert row["prediction"] == other["prediction"][0]
        assert row["confidence"] == pytest.approx(other["confidence"], abs=1e-5)


def test_parquet_needs_its_extra(model, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert cli.main(["predict", model, "photos", "--csv", "a.csv", "--parquet", "a.parquet"]) == 2
    assert "vernier[parquet]" in capsys.readouterr().err
    assert not list(Path().glob("a.*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name images or directories"),
        (["photos", "--cvs", "a.csv"], "there is no option --cvs"),
        (["photos", "-"], "- goes alone"),
        (["photos", "--reject", "60"], "--reject takes a confidence from 0 to 1, not '60'"),
        (["photos", "--levels", "0.9", "0.5"], "--levels takes two confidences, the lower one first"),
        (["photos", "--levels", "0.9"], "--levels takes two confidences"),
        (["photos", "--threads", "two"], "--threads takes a whole number"),
        (["photos", "--interval", "1"], "--interval goes with --watch"),
        (["photos", "--watch", "--interval", "0"], "seconds above 0, not '0'"),
        (["photos/china/china_00.jpg", "--watch"], "--watch takes directories"),
        (["photos", "--watch", "--json"], "--watch has none"),
        (["photos", "--explain", "out"], "an ONNX file tells no gradients"),
        (["photos", "--annotate", "photos/out"], "choose a directory apart"),
        (["absent"], "absent: no such file or directory"),
        (["photos", "--csv", "absent/a.csv"], "absent/a.csv: not written"),
    ],
)
def test_wrong_words(model, capsys, words, message):
    assert cli.main(["predict", model, *words]) == 2
    assert message in capsys.readouterr().err


def test_settings_are_for_onnx_files_only(model, capsys):
    assert cli.main(["predict", "run", "photos", "data.class_names=[a,b]"]) == 2
    assert "a bundle says that itself" in capsys.readouterr().err


def test_names_that_are_no_text(model, capsys, monkeypatch):
    name = os.fsdecode(b"photos/\xff.jpg")
    shutil.copy("photos/china/china_00.jpg", name)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    for words in ([], ["--json"], ["--csv", "a.csv"]):
        assert cli.main(["predict", model, name, *words]) == 0
    assert Path("a.csv").read_bytes().splitlines()[1].startswith(b"photos/\xff.jpg,")
