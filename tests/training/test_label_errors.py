"""`vernier check --labels`: from flipped digits to the list of suspects."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from data.made_sources import made_source
from training import interrupting
from vernier import api, cli
from vernier.config.data import SplitConfig
from vernier.config.loading import config_from_mapping
from vernier.errors import ConfigError, DataError, RunError
from vernier.training.label_folds import check_folds, deal_folds, fold_config, fold_split, needs_validation

SETTINGS = (
    *("model=digits_cnn", "model.input_size=[8,8]", "data.channels=1", "data.batch_size=32", "data.store=memory"),
    *("optimizer=adamw", "optimizer.lr=0.02", "augment.train=[{name: Resize, mode: fit},Normalize]"),
    *("train.epochs=1", "train.threads=1", "data.threads=0", "train.speed=off", "data.split.test=0.2"),
    "callbacks.custom=[{name: 'training.interrupting:Interruption', kwargs: {step: 20}}]",
)
FLIPPED = {"2/00.png", "2/01.png", "4/00.png", "4/01.png", "7/00.png", "7/01.png"}
"""These are digits of the next class in the wrong folder."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A run on digits, six of them in the wrong folder, and its labels' check, which was stopped once on the way."""
    from sklearn.datasets import load_digits

    place = tmp_path_factory.mktemp("labels")
    digits = load_digits()
    classes = (2, 4, 7)
    for number, name in enumerate(classes):
        (place / f"photos/{name}").mkdir(parents=True)
        own, others = (digits.images[digits.target == of] for of in (name, classes[(number + 1) % 3]))
        for index, pixels in enumerate([*others[-2:], *own[:60]]):
            Image.fromarray((pixels * 15).astype(np.uint8)).save(place / f"photos/{name}/{index:02d}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERNIER_CACHE", str(place / "cache"))
        api.train(None, f"data={place / 'photos'}", f"run.dir={place / 'run'}", *SETTINGS)
        patch.setattr(interrupting, "stops_left", 1)
        stopped = api.check_labels(place / "run", "train.epochs=10", folds=2)
        assert (stopped.report, stopped.exit_status) == (None, 143)
        report = api.check_labels(place / "run", "train.epochs=10", folds=2, fix=place / "clean.csv").report
    return place, report


def rows(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_flipped_labels_are_the_first_suspects(checked):
    place, report = checked
    test = {row["path"] for row in rows(place / "run/split.csv") if row["split"] == "test"}
    found = rows(place / "run/label_check/suspects.csv")
    wrong = FLIPPED - test
    assert len(wrong) >= 4
    assert {row["path"] for row in found[: len(wrong)]} == wrong
    assert all(row["suggested"] == {"2": "4", "4": "7", "7": "2"}[row["label"]] for row in found[: len(wrong)])
    suspects = {row["path"] for row in found if row["suspect"] == "1"}
    assert len(suspects & wrong) >= 3
    assert suspects == {row["path"] for row in found[: len(suspects)]}
    assert report.errors.noise_rate == pytest.approx(len(wrong) / len(found), abs=0.02)


def test_every_image_but_the_test_images_is_judged_once_by_a_network_that_never_saw_it(checked):
    place, _ = checked
    splits = {row["path"]: row["split"] for row in rows(place / "run/split.csv")}
    found = rows(place / "run/label_check/suspects.csv")
    assert sorted(row["path"] for row in found) == sorted(path for path, split in splits.items() if split != "test")
    assert [int(row["rank"]) for row in found] == list(range(1, len(found) + 1))
    for fold in range(2):
        trained = {row["path"]: row["split"] for row in rows(place / f"run/label_check/fold_{fold}/split.csv")}
        held_out = {row["path"] for row in found if int(row["fold"]) == fold}
        assert {trained[path] for path in held_out} == {"test"}
        assert {path for path, split in trained.items() if split == "train"} == splits.keys() - held_out - {
            path for path, split in splits.items() if split == "test"
        }
        predicted = {row["path"]: row for row in rows(place / f"run/label_check/fold_{fold}/predictions_test.csv")}
        for row in (row for row in found if int(row["fold"]) == fold):
            assert float(row["p_given"]) == pytest.approx(float(predicted[row["path"]][f"p_{row['label']}"]))
            assert float(row["p_suggested"]) == pytest.approx(float(predicted[row["path"]][f"p_{row['suggested']}"]))


def test_the_list_without_suspects_is_trained_on(checked, tmp_path):
    place, report = checked
    kept = rows(place / "clean.csv")
    suspects = {verdict.path for verdict in report.suspects()}
    split = rows(place / "run/split.csv")
    assert kept == [row for row in split if row["path"] not in suspects]
    config = config_from_mapping({}, [f"data={place / 'clean.csv'}", f"data.root={place / 'photos'}"]).config
    from vernier.data.sources import open_source

    assert len(open_source(config.data).images) == len(kept)


def test_an_interrupted_check_ends_as_one_that_was_not_and_a_finished_one_repeats_itself(checked, tmp_path, capsys):
    place, _ = checked
    directory = tmp_path / "label_check"
    shutil.copytree(place / "run/label_check", directory)
    before = (directory / "suspects.csv").read_bytes()
    second = (directory / "fold_1/result.json").stat().st_mtime_ns
    # As if killed before the first fold, which was stopped, was a run.
    shutil.rmtree(directory / "fold_0")
    (directory / "fold_0").mkdir()
    (directory / "fold_0/split.csv").write_text("begun")
    (directory / "suspects.csv").unlink()
    words = ["check", str(place / "run"), "--labels", "--folds", "2", "--epochs", "10", "--output", str(directory)]
    fix = ["--fix", str(tmp_path / "short.csv"), "--drop", "10"]
    assert cli.main([*words, "--json", *fix]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (directory / "suspects.csv").read_bytes() == before
    assert (directory / "fold_1/result.json").stat().st_mtime_ns == second
    assert result["num_suspects"] == len(result["suspects"]) >= 4
    assert result["fix"]["left_out"] == 10
    assert len(rows(tmp_path / "short.csv")) == 186 - 10
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "photos: 149 images, each judged by a network that was not trained on it; 37 others left alone" in out
    assert "most suspicious  label" in out
    with pytest.raises(RunError, match=r"other settings: .*train\.epochs: 10 -> 5"):
        api.check_labels(place / "run", "train.epochs=5", folds=2, output=directory)
    with pytest.raises(RunError, match=r"data\.split\.folds: 2 -> 4"):
        api.check_labels(place / "run", "train.epochs=10", folds=4, output=directory)


def test_the_gallery_needs_nothing_else(checked):
    place, report = checked
    page = (place / "run/label_check/gallery.html").read_text()
    assert page.count("<img ") == report.num_suspects
    assert page.count('src="data:image/png') == report.num_suspects
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    for verdict in report.suspects():
        assert f"{verdict.label} <span" in page
        assert verdict.path in page


def test_a_directory_of_other_files_stays_as_it_is(checked, tmp_path):
    place, _ = checked
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "fold_0/split.csv").write_text("mine")
    with pytest.raises(RunError, match="holds files but is no check"):
        api.check_labels(place / "run", folds=2, output=tmp_path)
    assert (tmp_path / "fold_0/split.csv").read_text() == "mine"


def test_folds_keep_groups_together_and_leave_test_images_out():
    keys = [f"{index % 40:02d}_{index:03d}.png" for index in range(120)]
    source = made_source([index % 3 for index in range(120)], keys=keys)
    test = np.flatnonzero([key.startswith(("07", "21")) for key in keys])
    folds = deal_folds(source, test, SplitConfig(group=r"^(\d+)_"), 4)
    assert np.flatnonzero(folds < 0).tolist() == test.tolist()
    assert set(folds[folds >= 0].tolist()) == {0, 1, 2, 3}
    for group in range(40):
        assert len({folds[index] for index in range(120) if index % 40 == group}) == 1


def test_a_class_smaller_than_the_folds_is_said():
    with pytest.raises(DataError, match=r"classes of fewer images than folds: 'cat' \(2\)"):
        deal_folds(made_source([0] * 9 + [1] * 9 + [2] * 2), np.array([], np.int64), SplitConfig(), 3)


@pytest.mark.parametrize("validates", [False, True])
def test_who_validates_is_neither_trained_on_nor_judged(validates):
    of_image = np.array([0, 1, 2, 2, 1, 0, -1])
    split = fold_split(of_image, 2, 3, validates)
    assert split.test.tolist() == [2, 3, 6]
    assert split.val.tolist() == ([0, 5] if validates else [])
    assert split.train.tolist() == ([1, 4] if validates else [0, 1, 4, 5])


def test_what_only_records_is_off_and_what_trains_stays(tmp_path):
    loaded = config_from_mapping(
        {
            "data": "digits",
            "train": {"seeds": 3, "epochs": 7, "profile": True},
            "data.split": {"folds": 5, "fold": 2},
            "run": {"dir": "elsewhere", "log_dir": "logs"},
            "track.tensorboard.graph": True,
        },
        ["callbacks.early_stopping.patience=2"],
    )
    assert needs_validation(loaded.config)
    with pytest.raises(ConfigError, match="must be at least 3: one is held out, one validates"):
        check_folds(loaded.config, 2)
    config = fold_config(loaded, tmp_path / "fold", tmp_path / "$fold.csv").config
    assert config.train.epochs == 7
    assert config.train.seeds is None
    assert config.callbacks == loaded.config.callbacks
    assert config.data.split.file == str(tmp_path / "$fold.csv")
    assert config.data.split.folds is None
    assert (config.run.dir, config.run.log_dir, config.run.name) == (str(tmp_path / "fold"), None, "digits")
    assert config.track.tensorboard.graph
    assert not config.train.profile


def test_words_that_are_off(capsys, tmp_path):
    for words, message in (
        ([], "name whose labels to check"),
        (["digits", "--drop", "3"], "name it with --fix LIST.csv"),
        (["digits", "--folds", "1"], "folds: must be at least 2; got 1"),
        (["digits", "--fix", str(tmp_path / "a.csv")], "a list is of image files, and digits has none"),
    ):
        assert cli.main(["check", "--labels", *words]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert message in captured.err
