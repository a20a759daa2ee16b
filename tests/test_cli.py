"""The command as a person meets it: help, typos, bad input."""

import json
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from vernier import cli


def vernier(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vernier", *arguments], capture_output=True, text=True, check=False, **more
    )


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys, vernier.cli; vernier.cli.main(['--help']);print({'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        vernier("--help")
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.3


def test_config_imports_no_torch():
    code = "import sys, vernier.config.loading, vernier.config.json_schema; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("verb", list(cli._VERBS))
def test_every_verb_has_help(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: vernier {verb}")


def test_an_unknown_verb_is_guessed(capsys):
    assert cli.main(["trian"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err


def test_schema_is_one_json_object_and_knows_the_short_forms(capsys):
    assert cli.main(["config", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"data", "model", "train", "optimizer", "schedule"} <= set(schema["properties"])


def test_config_shows_defaults_as_yaml_and_json(capsys):
    assert cli.main(["config", "data=x", "optimizer=adamw"]) == 0
    assert "source: x" in capsys.readouterr().out
    assert cli.main(["config", "data=x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["source"] == "x"


def small(root: Path, *more: str) -> list[str]:
    model = ["model=resnet20_cifar", "model.input_size=32"]
    return ["train", f"data={root}", *model, "train.epochs=1", "train.threads=1", *more]


BAD_CONFIG = {
    "unknown key": (["optimizer.lrr=0.1"], ["optimizer.lrr", "did you mean", "optimizer.lr"]),
    "wrong type": (["train.epochs=many"], ["train.epochs", "many", "whole number"]),
    "out of range": (["train.epochs=0"], ["train.epochs", "at least 1"]),
    "wrong kind": (["optimizer=adan"], ["optimizer", "adan", "adamw"]),
    "unknown model": (["model=resnet81"], ["model.name", "resnet81", "resnet18"]),
    "unknown operation": (["augment.train=[RandomHorizontalFlop]"], ["augment.train", "RandomHorizontalFlip"]),
}


@pytest.mark.parametrize("case", BAD_CONFIG)
def test_bad_config(case, class_folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, expected = BAD_CONFIG[case]
    assert cli.main(small(class_folders, *arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert all(part in error for part in expected), error
    assert not (tmp_path / "runs").exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path: Path) -> None:
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


BAD_IMAGES = {
    "truncated": (truncate, "truncated"),
    "zero bytes": (lambda path: path.write_bytes(b""), "empty"),
    "text": (lambda path: path.write_text("hello, I am no image"), "not an image"),
    "bomb": (bomb, "30000"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images_are_named_before_anything_is_written(case, class_folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    damage, expected = BAD_IMAGES[case]
    victims = [class_folders / "china" / "china_03.jpg", class_folders / "flower" / "flower_05.jpg"]
    for victim in victims:
        damage(victim)
    assert cli.main(small(class_folders)) == 2
    error = capsys.readouterr().err
    assert all(victim.name in error for victim in victims)
    assert expected in error
    assert "data.on_bad_image=skip" in error
    assert not (tmp_path / "runs").exists()


def test_bad_images_can_be_left_out(class_folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    truncate(class_folders / "china" / "china_03.jpg")
    assert cli.main(small(class_folders, "data.on_bad_image=skip", "data.batch_size=4")) == 0
    (result,) = tmp_path.glob("runs/*/*/result.json")
    counts = json.loads(result.read_text())
    assert counts["data"]["unreadable"] == 1
    assert sum(sum(part.values()) for part in counts["counts"].values()) == 23


def remove_class(root: Path) -> None:
    shutil.rmtree(root / "flower")


def empty_class(root: Path) -> None:
    for path in (root / "flower").iterdir():
        path.unlink()


def no_images(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        path.unlink()


def class_missing_in_val(root: Path) -> None:
    for split in ("train", "val"):
        shutil.copytree(root / "china", root / split / "china")
    shutil.copytree(root / "flower", root / "train" / "flower")
    shutil.rmtree(root / "china")
    shutil.rmtree(root / "flower")


BAD_FOLDERS = {
    "missing": (shutil.rmtree, "photos"),
    "one class": (remove_class, "china"),
    "empty class": (empty_class, "flower"),
    "no images": (no_images, "no image"),
    "class missing in val": (class_missing_in_val, "flower"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_folders(case, class_folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    damage, expected = BAD_FOLDERS[case]
    damage(class_folders)
    assert cli.main(small(class_folders)) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_no_traceback_reaches_a_person(tmp_path):
    done = vernier("train", "data=nowhere", "train.epochs=-1", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "train.epochs" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_a_full_disk_ends_a_training_with_the_last_good_state(class_folders, tmp_path):
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)); "
        "from vernier.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, *small(class_folders, "data.batch_size=4", "data.store=memory")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.tmp"))
    resumed = vernier(*small(class_folders, "data.batch_size=4", "data.store=memory"), cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert len(list(tmp_path.glob("runs/*/*"))) == 1


def test_train_evaluate_predict_resume_by_command(class_folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*small(class_folders, "data.batch_size=4"), "--json"]) == 0
    out = capsys.readouterr().out
    run = json.loads(out)["run"]
    assert cli.main(["evaluate", run, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["n"] > 0
    assert cli.main(["evaluate", run, f"data={class_folders}", "--split", "all", "--output", "scores"]) == 0
    assert "24" in capsys.readouterr().out
    (class_folders / "broken.jpg").write_text("no image")
    assert cli.main(["predict", f"{run}/best", str(class_folders), "--csv", "out.csv", "--jsonl", "out.jsonl"]) == 1
    text = capsys.readouterr().out
    assert "broken.jpg" in text
    assert len(Path("out.csv").read_text().splitlines()) == 25
    assert json.loads(Path("out.jsonl").read_text().splitlines()[0])["confidence"] > 0
    assert cli.main(["resume", run, "train.epochs=2"]) == 0
    assert json.loads(Path(run, "result.json").read_text())["epochs"] == 2


def test_benchmarks_print_json(class_folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = [f"data={class_folders}", "model=resnet20_cifar", "model.input_size=32", "data.batch_size=4"]
    for what in ("train", "pipeline"):
        assert cli.main(["benchmark", what, *config, "--seconds", "0.3", "--json"]) == 0
        timing = json.loads(capsys.readouterr().out)
        assert timing["images_per_second"] > 0
        assert 0 < timing["step_ms_p50"] <= timing["step_ms_p95"]
        assert timing["n"] >= 1
        assert timing["stages"]
        assert timing["memory_peak_mb"] > 0
    assert cli.main(["benchmark", "train", *config, "--seconds", "0.3", "--end-to-end"]) == 0
    assert "waiting" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["benchmark", "trian"], "did you mean 'train'"),
        (["benchmark"], "train or pipeline"),
        (["benchmark", "train", "--seconds", "0"], "--seconds takes a number above 0"),
        (["find", "batchsize"], "did you mean 'batch_size'"),
        (["find"], "batch_size or lr"),
    ],
)
def test_words_that_a_verb_does_not_know(words, expected, capsys):
    assert cli.main(words) == 2
    assert expected in capsys.readouterr().err


def test_find_prints_what_it_found_and_how_to_use_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = ["data=digits", "model=digits_cnn", "train.threads=1"]
    assert cli.main(["find", "lr", *config, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lr"] > 0
    assert found["reason"]
    assert found["curve"][0]["lr"] < found["curve"][-1]["lr"]
    assert cli.main(["find", "lr", *config]) == 0
    assert f"optimizer.lr={found['lr']:g}" in capsys.readouterr().out.splitlines()
    assert not (tmp_path / "runs").exists()


def test_find_batch_size_prints_it_as_a_training_takes_it(monkeypatch, capsys):
    from vernier import api
    from vernier.training.find_batch_size import BatchSizeFinding, BatchSizeTrial

    trials = (BatchSizeTrial(16, 0.25, 3 * 10**9, 4 * 10**9), BatchSizeTrial(32, None, None, 4 * 10**9))
    monkeypatch.setattr(api.training, "try_batch_sizes", lambda *_: BatchSizeFinding(16, "32 did not fit", trials))
    assert cli.main(["find", "batch_size", "data=digits", "model=digits_cnn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["data.batch_size=16", "reason: 32 did not fit"]
    assert cli.main(["find", "batch_size", "data=digits", "model=digits_cnn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"][1]["fits"] is False


def test_formats_of_a_persons_folder_train(class_folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Image.open(class_folders / "china" / "china_00.jpg") as photo:
        photo.load()
        for mode, name in (("L", "grey.png"), ("RGBA", "alpha.png"), ("P", "palette.gif"), ("CMYK", "print.jpg")):
            photo.convert(mode).save(class_folders / "china" / name)
        photo.save(class_folders / "china" / "web.webp")
        photo.save(class_folders / "china" / "scan.tiff")
        photo.save(class_folders / "china" / "old.bmp")
    (class_folders / "china" / ".hidden.jpg").write_text("no image")
    (class_folders / "china" / "notes.txt").write_text("notes")
    assert cli.main(small(class_folders, "data.batch_size=4")) == 0
    (file,) = tmp_path.glob("runs/*/*/result.json")
    result = json.loads(file.read_text())
    assert sum(sum(part.values()) for part in result["counts"].values()) == 31
    assert sum(result["data"]["skipped"].values()) == 2
