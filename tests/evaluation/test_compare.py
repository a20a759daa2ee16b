"""Paired tests of two models against SciPy, scikit-learn and a plain bootstrap."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from sklearn.metrics import accuracy_score, f1_score

from vernier import api, cli
from vernier.errors import DataError
from vernier.evaluation.compare import compare
from vernier.evaluation.mcnemar import mcnemar

CLASSES = ("cat", "dog", "eel")


def write(path, rows, classes=CLASSES):
    header = ",".join(["path", "target", "prediction", "confidence", "loss", *(f"p_{name}" for name in classes)])
    filler = ",".join(["0.5", "0.1", *("0.3" for _ in classes)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(f"{image},{target},{said},{filler}" for image, target, said in rows), ""]))
    return path


def drawn(n=200, seed=3):
    """Targets, and two predictions of which the second is right more often."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 3, n)
    said = [np.where(generator.random(n) < share, targets, generator.integers(0, 3, n)) for share in (0.6, 0.75)]
    return targets, *said


def rows(targets, said):
    return [
        (f"{place:04d}.png", CLASSES[t], CLASSES[p]) for place, (t, p) in enumerate(zip(targets, said, strict=True))
    ]


@pytest.fixture
def files(tmp_path):
    targets, one, two = drawn()
    return write(tmp_path / "one.csv", rows(targets, one)), write(tmp_path / "two.csv", rows(targets, two)[::-1])


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_binomial_test(only_first, only_second):
    test = mcnemar(only_first, only_second)
    n, fewer = only_first + only_second, min(only_first, only_second)
    exact = binomtest(fewer, n).pvalue if n else 1.0
    assert test.exact == pytest.approx(exact, rel=1e-9)
    # Twice the one-sided mid-p.
    one_sided = binom.cdf(fewer, n, 0.5) - binom.pmf(fewer, n, 0.5) / 2
    assert test.mid_p == pytest.approx(min(1.0, 2 * one_sided), rel=1e-9)


def test_mcnemar_of_many_images():
    test = mcnemar(20_000, 20_500)
    assert test.exact == pytest.approx(binomtest(20_000, 40_500).pvalue, rel=1e-9)
    assert mcnemar(0, 5000).exact == pytest.approx(0.0, abs=1e-300)


def test_the_measures_are_scikit_learns(files):
    targets, one, two = drawn()
    comparison = compare(*files)
    accuracy, macro_f1 = comparison.measures["accuracy"], comparison.measures["macro_f1"]
    assert comparison.n == 200
    assert accuracy.first == pytest.approx(accuracy_score(targets, one))
    assert accuracy.second == pytest.approx(accuracy_score(targets, two))
    assert macro_f1.first == pytest.approx(f1_score(targets, one, average="macro"))
    assert macro_f1.second == pytest.approx(f1_score(targets, two, average="macro"))
    assert accuracy.difference == pytest.approx(accuracy.second - accuracy.first)
    right = [targets == said for said in (one, two)]
    assert comparison.only_second == (right[1] & ~right[0]).sum()
    assert comparison.both + comparison.only_first + comparison.only_second + comparison.neither == 200


def test_the_interval_is_that_of_resampled_images(files):
    targets, one, two = drawn()
    generator, differences = np.random.default_rng(11), {"accuracy": [], "macro_f1": []}
    for _ in range(1500):
        chosen = generator.integers(0, 200, 200)
        parts = targets[chosen], one[chosen], two[chosen]
        differences["accuracy"].append(np.mean(parts[2] == parts[0]) - np.mean(parts[1] == parts[0]))
        f1s = [_macro_f1(parts[0], said) for said in parts[1:]]
        differences["macro_f1"].append(f1s[1] - f1s[0])
    for name, measure in compare(*files).measures.items():
        low, high = np.quantile(differences[name], [0.025, 0.975])
        assert measure.low == pytest.approx(low, abs=0.012)
        assert measure.high == pytest.approx(high, abs=0.012)


def _macro_f1(targets, said):
    hits = np.array([((targets == c) & (said == c)).sum() for c in range(3)])
    named = np.array([(targets == c).sum() + (said == c).sum() for c in range(3)])
    return (2 * hits / named).mean()


def test_the_seed_decides_alone(files):
    assert compare(*files) == compare(*files)
    assert compare(*files, seed=1).measures != compare(*files).measures
    assert compare(*files, seed=1).test == compare(*files).test


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(*[st.sampled_from(CLASSES)] * 3), min_size=1, max_size=12))
def test_exchanging_the_models_turns_the_sign(tmp_path_factory, images):
    directory = tmp_path_factory.mktemp("exchange")
    one = write(directory / "one.csv", [(str(place), t, a) for place, (t, a, b) in enumerate(images)])
    two = write(directory / "two.csv", [(str(place), t, b) for place, (t, a, b) in enumerate(images)])
    there, back = compare(one, two), compare(two, one)
    assert (there.only_first, there.only_second) == (back.only_second, back.only_first)
    assert there.test == back.test
    for name, measure in there.measures.items():
        assert measure.difference == pytest.approx(-back.measures[name].difference)
        assert measure.low <= measure.difference + 1e-12 or measure.low <= measure.high


def test_equal_models_do_not_differ(files):
    comparison = compare(files[0], files[0])
    assert {(m.difference, m.low, m.high) for m in comparison.measures.values()} == {(0, 0, 0)}
    assert (comparison.test.exact, comparison.test.mid_p) == (1, 1)


def test_several_labels_count_when_all_are_right(tmp_path):
    one = write(tmp_path / "a.csv", [("1", "cat|dog", "dog|cat"), ("2", "eel", ""), ("3", "", "")])
    two = write(tmp_path / "b.csv", [("1", "cat|dog", "cat"), ("2", "eel", "eel"), ("3", "", "cat")])
    comparison = compare(one, two)
    measure = comparison.measures["exact_match"]
    assert (measure.first, measure.second) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    # cat: 2 of 2 and 2 of 3 named; dog: all and none; eel: none and all.
    assert comparison.measures["macro_f1"].first == pytest.approx((1 + 1 + 0) / 3)
    assert comparison.measures["macro_f1"].second == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_runs_are_compared_on_the_first_split_that_both_have(tmp_path):
    for run, splits in (("a", ("val", "test")), ("b", ("val",))):
        for split in splits:
            write(tmp_path / run / f"predictions_{split}.csv", [("1", "cat", "dog")])
    assert compare(tmp_path / "a", tmp_path / "b").first.name == "predictions_val.csv"
    assert compare(tmp_path / "a" / "best", tmp_path / "b", split="val").n == 1
    with pytest.raises(DataError, match=r"/b: no predictions predictions_test.csv; name runs"):
        compare(tmp_path / "a", tmp_path / "b", split="test")
    with pytest.raises(DataError, match="split=tset: choose test, val, all, train"):
        compare(tmp_path / "a", tmp_path / "b", split="tset")
    with pytest.raises(DataError, match=r"nowhere: no predictions of the same split"):
        compare(tmp_path / "a", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([("1", "cat", "cat")], r"b.csv lacks 1 image of .*a.csv: 2; compare models on the same images"),
        ([("1", "cat", "cat"), ("2", "dog", "cat"), ("3", "dog", "dog")], r"a.csv lacks 1 image of .*b.csv: 3"),
        ([("1", "cat", "cat"), ("2", "eel", "cat")], r"give other targets to 1 image: 2; compare models on the same"),
        ([("1", "cat", "cat"), ("1", "cat", "cat")], r"b.csv: holds 1 twice"),
        ([("1", "cat", "cow"), ("2", "dog", "dog")], r"1 has the label 'cow', but there is no column p_cow"),
        ([], r"b.csv: holds no image"),
    ],
)
def test_other_images_or_labels_are_refused(tmp_path, others, message):
    one = write(tmp_path / "a.csv", [("1", "cat", "dog"), ("2", "dog", "dog")])
    with pytest.raises(DataError, match=message):
        compare(one, write(tmp_path / "b.csv", others))


def test_other_classes_are_refused(tmp_path):
    one = write(tmp_path / "a.csv", [("1", "cat", "dog")])
    two = write(tmp_path / "b.csv", [("1", "cat", "dog")], ("cat", "dog", "elk"))
    with pytest.raises(DataError, match="different classes: eel, elk are in one only"):
        compare(one, two)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("path,label,split\n1,cat,train\n")
    with pytest.raises(DataError, match="has no column target, prediction; it is no predictions"):
        compare(tmp_path / "x.csv", tmp_path / "x.csv")


def test_the_command_prints_a_table_or_json(files, capsys):
    assert cli.main(["compare", *map(str, files)]) == 0
    text = capsys.readouterr().out
    assert "Macro F1" in text
    assert "200 images: " in text
    assert "McNemar's test: p " in text
    assert cli.main(["compare", *map(str, files), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["n"] == 200
    assert values["seed"] == 0
    assert values["accuracy"]["low"] < values["accuracy"]["difference"] < values["accuracy"]["high"]
    assert sum(values["right"].values()) == 200
    assert cli.main(["compare", str(files[0])]) == 2


def test_bundles_are_measured_on_data_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    common = {"data": "digits", "model": "digits_cnn", "train.threads": 1, "data.threads": 1, "train.speed": "off"}
    for name, epochs in (("a", 1), ("b", 2)):
        api.train({**common, "train.epochs": epochs, "run.dir": name, "run.export_dir": f"{name}_export"})
    by_files, by_data = api.compare("a", "b"), api.compare("a_export/best", "b_export/best", "data=digits")
    assert by_files.n == by_data.n == 359
    assert by_files.measures == by_data.measures
    assert (str(by_data.first), str(by_data.second)) == ("a_export/best", "b_export/best")
