"""`vernier check` as people type it."""

import json
import re
import shutil

import pytest

from data.check_sets import crop, write
from vernier import api, cli


@pytest.fixture
def leaking(tmp_path, photos):
    root = tmp_path / "photos"
    for name, photo in photos.items():
        for number in range(12):
            write(root / ("val" if number > 7 else "train") / name / f"{number}.jpg", crop(photo, 2 * number))
    shutil.copy(root / "val/china/8.jpg", root / "train/china/copy.jpg")
    return root


def run(capsys, *words):
    status = cli.main(["check", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_leak_fails_and_the_clean_list_does_not(leaking, tmp_path, capsys):
    status, out, _ = run(capsys, leaking, "--fix", tmp_path / "clean.csv")
    assert status == 1
    assert "FAIL  leaks                 1 image in two splits: train and val (1)" in out
    assert "      train/china/copy.jpg = val/china/8.jpg (same file)" in out
    assert f"vernier train data={tmp_path / 'clean.csv'} data.root={leaking}" in out
    status, out, _ = run(capsys, tmp_path / "clean.csv", f"data.root={leaking}")
    assert status == 0
    assert "PASS  leaks" in out
    status, out, err = run(capsys, leaking, "--fix", tmp_path / "clean.csv")
    assert (status, out) == (2, "")
    assert "is there already" in err


def test_the_json_is_all_that_is_printed(leaking, tmp_path, capsys):
    status, out, _ = run(capsys, f"data={leaking}", "--json", "--fix", tmp_path / "clean.csv", "--near", "0")
    result = json.loads(out)
    assert status == 1
    assert result["status"] == "FAIL"
    assert result["fix"]["left_out"] == {"unreadable": 0, "copies": 1, "conflicting": 0}
    assert result["near_duplicates"]["bits"] == 0
    assert result["html"] is None


def test_the_page_needs_nothing_else_and_shows_the_images(leaking, tmp_path, capsys):
    write(leaking / "train/china/zero.jpg", b"")
    write(leaking / "train/china/<b>.jpg", (leaking / "train/china/copy.jpg").read_bytes())
    _, out, _ = run(capsys, leaking, "--html", tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert f"pictures: {tmp_path / 'check.html'}" in out
    assert "&lt;b&gt;.jpg" in page
    assert "<b>" not in page
    assert page.count('src="data:image/') >= 3
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "can't be read</div>" in page


def test_a_config_says_the_input_size(leaking, tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(f"data: {leaking}\nmodel: {{input_size: [200, 200]}}\n")
    _, out, _ = run(capsys, config)
    assert "WARN  small images          25 images smaller than model.input_size=200x200" in out
    _, out, _ = run(capsys, config, "model.input_size=[64,64]", "data.class_names=[china,flower]")
    assert "PASS  small images          no image is smaller than model.input_size=64x64" in out


def test_a_run_is_checked_with_its_own_split(class_folders, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = class_folders / "china/china_00.jpg"
    for number in range(6):
        shutil.copy(source, class_folders / f"china/copy_{number}.jpg")
    assert "FAIL" not in run(capsys, class_folders)[1].splitlines()[-1][:4]
    end = api.train(
        {
            "data": {"source": str(class_folders), "threads": 1},
            "model": {"name": "digits_cnn", "input_size": 16},
            "train": {"epochs": 1, "threads": 1, "speed": "off"},
        },
        "run.dir=run",
    )
    assert end.exit_status == 0
    capsys.readouterr()
    status, out, _ = run(capsys, "run")
    assert status == 1
    assert "FAIL  leaks                 1 image in two splits: train and val (1)" in out


def test_what_is_wrong_with_the_words(capsys, tmp_path):
    for words, message in (
        ([], "name what to check"),
        (["nowhere"], "there is no"),
        (["digits", "--near", "17"], "--near takes a whole number of bits, 0 to 16, not '17'"),
        (["digits", "--near=x"], "not 'x'"),
        (["digits", "data.sorce=x"], "data.source"),
    ):
        status, out, err = run(capsys, *words)
        assert (status, out) == (2, "")
        assert message in err


def test_help(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert "usage: vernier check DIR" in out
