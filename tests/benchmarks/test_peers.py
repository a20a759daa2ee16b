"""The parts of benchmarks/peers that install and train nothing."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"


@pytest.fixture(autouse=True)
def _import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))


@pytest.fixture
def options(tmp_path):
    from works import PEERS as names

    main = _main()
    for name in ("flowers", "cifar10"):
        (tmp_path / name / "train").mkdir(parents=True)
    words = ["--flowers", str(tmp_path / "flowers"), "--cifar10", str(tmp_path / "cifar10"), "--weights", "w"]
    made = main.parse([*words, "--transfer-epochs", "3"])
    assert made.peers == list(names)
    made.epoch_data, made.epoch_count = made.flowers, 96
    return made


def _main():
    import importlib.util

    spec = importlib.util.spec_from_file_location("peers_main", PEERS / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_help_names_every_part_and_peer():
    done = subprocess.run([sys.executable, str(PEERS), "--help"], capture_output=True, text=True, check=True)
    for word in ("step", "transfer", "waiting", "lightning", "ultralytics", "--epoch-images"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--rounds", "0"], "at least 1"),
        (["--parts", "swim"], "invalid choice"),
        (["--environment", "jax=python"], "NAME=PYTHON"),
        (["--flowers", "nowhere"], "no train/"),
    ],
)
def test_a_wrong_word_ends_with_its_reason(words, problem, tmp_path, capsys):
    (tmp_path / "train").mkdir()
    good = ["--flowers", str(tmp_path), "--cifar10", str(tmp_path), "--weights", "w"]
    with pytest.raises(SystemExit):
        _main().parse([*good, *words])
    assert problem in capsys.readouterr().err


def test_every_contestant_has_its_script_and_a_job_that_is_json(options):
    from works import PARTS, make_works

    works = make_works(options)
    assert {work.part for work in works} == set(PARTS)
    assert len({work.key for work in works}) == len(works)
    for work in works:
        for contestant in work.contestants:
            script = (PEERS / f"peer_{contestant.script}.py").read_text()
            job = {"part": work.part, **work.job, **contestant.job}
            assert f'"{job["part"]}": ' in script
            assert json.loads(json.dumps(job)) == job


def test_targets_name_work_that_is_measured(options):
    from rounds import Results
    from targets import make_targets
    from works import make_works

    results = Results()
    for work in make_works(options):
        rows = [{work.measure: 2.0, "wait_share": 0.01}]
        results.measured[work.key] = {contestant.name: rows for contestant in work.contestants}
    found = [target.measured(results) for target in make_targets(options.epochs)]
    assert all(value is not None for value in found)
    assert found[:-2] == pytest.approx([1.0] * (len(found) - 2))
    assert found[-2:] == pytest.approx([0.0, 1.0])


def test_each_round_starts_one_further(options):
    from rounds import turned
    from works import make_works

    contestants = make_works(options)[0].contestants
    firsts = [turned(contestants, number)[0] for number in range(len(contestants))]
    assert firsts == list(contestants)
    assert all(sorted(c.name for c in turned(contestants, n)) == sorted(c.name for c in contestants) for n in range(5))


def test_missing_epochs_are_added_at_the_measured_pace():
    from rounds import with_wall_time

    job = {"of": 30, "epochs": 3}
    found = with_wall_time({"epoch_seconds": 10.0}, 42.0, job)
    assert (found["seconds"], found["extrapolated_epochs"]) == (42.0 + 270.0, 27)
    whole = with_wall_time({"epoch_seconds": 10.0}, 42.0, {"of": 30, "epochs": 30})
    assert (whole["seconds"], whole["extrapolated_epochs"]) == (42.0, 0)


def _results(**rows):
    from rounds import Results

    measured = {
        work: {name: [{measure: value} for value in values] for name, (measure, values) in who.items()}
        for work, who in rows.items()
    }
    return Results(measured)


def test_a_ratio_is_that_of_the_medians_and_more_is_faster():
    from table import ratio

    speeds = _results(w={"vernier": ("images_per_second", [30, 50, 40]), "keras": ("images_per_second", [10, 20, 100])})
    assert ratio(speeds, "w", "vernier", "keras") == pytest.approx(2.0)
    times = _results(w={"vernier": ("seconds", [2.0]), "keras": ("seconds", [8.0])})
    assert ratio(times, "w", "vernier", "keras", "seconds") == pytest.approx(4.0)
    assert ratio(times, "w", "vernier", "timm", "seconds") is None


def test_the_table_flags_what_is_extrapolated_and_gives_the_spread(options):
    from rounds import Results
    from table import results_table
    from works import make_works

    options.parts = ["transfer"]
    (work,) = make_works(options)
    cached = [{"seconds": value, "extrapolated_epochs": 0} for value in (20.0, 25.0, 40.0)]
    slow = [{"seconds": value, "extrapolated_epochs": 27} for value in (400.0, 500.0, 600.0)]
    results = Results({work.key: {"vernier, cached": cached, "keras": slow}})
    lines = results_table([work], results).splitlines()[2:]
    assert "EXTRAPOLATED" not in lines[0]
    assert "20 to 40" in lines[0]
    assert "27 epochs EXTRAPOLATED from the 3 measured" in lines[1]
    assert "cached 20.00 (15.00 to 20.00)" in lines[1]


@pytest.mark.parametrize(
    ("value", "verdict"), [(None, "not measured"), (1.9, "NOT MET"), (2.0, "met"), (2.5, "aim met")]
)
def test_a_verdict(value, verdict):
    from targets import Target

    assert Target("w", "a", 2.0, 2.5, lambda results: None).verdict(value) == verdict


def test_a_ceiling_is_met_from_below():
    from targets import Target

    target = Target("w", "a", 3.0, None, lambda results: None, at_most=True)
    assert target.verdict(2.9) == "met"
    assert target.verdict(3.1) == "NOT MET"


def test_a_failing_measurement_is_reported_once_and_left_out(tmp_path):
    from rounds import run_rounds
    from works import Contestant, Work

    (tmp_path / "python").write_text("#!/bin/sh\necho noise\necho broken >&2\nexit 3\n")
    (tmp_path / "fine").write_text("#!/bin/sh\necho noise\necho '{\"seconds\": 1.5}'\n")
    for name in ("python", "fine"):
        (tmp_path / name).chmod(0o755)
    work = Work("part", "name", "seconds", {}, (Contestant("bad", "bad"), Contestant("good", "good")))
    pythons = {"bad": tmp_path / "python", "good": tmp_path / "fine", "vernier": tmp_path / "fine"}
    results = run_rounds([work], 2, pythons, 30, lambda found: None)
    assert results.failed == {"part/name: bad": "broken"}
    assert results.of("part/name", "good", "seconds") == [1.5, 1.5]


def test_a_measurement_that_hangs_is_ended(tmp_path):
    from rounds import run_rounds
    from works import Contestant, Work

    (tmp_path / "slow").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "slow").chmod(0o755)
    work = Work("part", "name", "seconds", {}, (Contestant("slow", "slow"),))
    pythons = dict.fromkeys(("slow", "vernier"), tmp_path / "slow")
    assert run_rounds([work], 1, pythons, 0.2, lambda found: None).failed == {"part/name: slow": "not done after 0 s"}


def test_a_subset_has_each_class_alike_and_is_made_once(tmp_path):
    from photos import count, linked

    for split, numbers in (("train", (5, 9)), ("val", (2, 3))):
        for name, number in zip("ab", numbers, strict=True):
            (tmp_path / "in" / split / name).mkdir(parents=True)
            for index in range(number):
                (tmp_path / "in" / split / name / f"{index}.jpg").write_bytes(b"x")
    made = [linked(tmp_path / "in", 8, tmp_path / "out") for _ in range(2)]
    assert made[0] == made[1]
    assert [len(list((made[0] / "train" / name).iterdir())) for name in "ab"] == [4, 4]
    assert (count(made[0] / "train"), count(made[0] / "val")) == (8, 5)
    assert count(linked(tmp_path / "in", None, tmp_path / "out") / "train") == 14


def test_windows_leave_out_the_first_epochs():
    from measure import window_median

    epochs = [9.0, 9.0, *[1.0] * 8, *[2.0] * 8, *[4.0] * 8]
    assert window_median(epochs) == {"seconds": 2.0, "n": 24}


def test_repeat_counts_what_was_timed():
    from measure import WARM_UP, repeat

    calls = []
    found = repeat(lambda: calls.append(1) or 4, 0.01)
    assert found["n"] == 4 * (len(calls) - WARM_UP)
    assert found["images_per_second"] == pytest.approx(found["n"] / found["seconds"])


def test_an_environment_that_can_not_be_installed_is_skipped(options, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    options.environments, options.environment = tmp_path, [("tf", Path(sys.executable))]
    pythons, missing = _main().interpreters(options)
    assert set(pythons) == {"vernier", "bare", "keras"}
    assert set(missing) == {"pytorch", "timm", "lightning", "ultralytics"}
    assert all("uv" in reason for reason in missing.values())


def test_configs_are_read_by_vernier_and_requirements_are_pinned(tmp_path):
    from environments import ENVIRONMENT_OF

    from vernier.config.loading import load_config

    for file in sorted((PEERS / "configs").glob("*.yaml")):
        assert load_config(file, ("data=digits",), checks=()).config.augment.train != "auto"
    for name in set(ENVIRONMENT_OF.values()):
        lines = (PEERS / "requirements" / f"{name}.txt").read_text().splitlines()
        assert lines
        assert all("==" in line and "/" not in line for line in lines)


def test_geometric_mean_needs_every_model():
    from targets import _geometric_mean
    from works import STEP_MODELS

    rows = {
        f"step/{model}": {
            "vernier": ("images_per_second", [factor]),
            "pytorch": ("images_per_second", [1.0]),
        }
        for model, factor in zip(STEP_MODELS, (1.0, 2.0, 3.0, 4.0, 5.0), strict=True)
    }
    assert _geometric_mean(_results(**rows)) == pytest.approx(statistics.geometric_mean((1, 2, 3, 4, 5)))
    del rows["step/resnet18"]
    assert _geometric_mean(_results(**rows)) is None
