import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.config.duration import Duration
from vernier.config.quantize import QuantizeConfig
from vernier.deploy.quantize.search import Score, Trial, choose, search, with_way

LAYERS = ("stem", "blocks.0", "blocks.1", "blocks.2", "head.a", "head.b", "head.c", "head.d")


class Table:
    """Scores by setting; every trial takes a second."""

    def __init__(self, drops: dict[tuple[str, str], float], by_layers: dict[int, float] | None = None) -> None:
        self.drops, self.by_layers = drops, by_layers or {}
        self.seconds = 0.0
        self.tried: list[QuantizeConfig] = []

    def score(self, settings: QuantizeConfig) -> Score:
        self.seconds += 1
        self.tried.append(settings)
        left = len([name for name in settings.exclude if name != "given"]) + settings.first_layer_float
        size = (1000 if settings.granularity == "per_tensor" else 1100) + 200 * left
        drop = self.drops.get((settings.granularity, settings.method), 50.0)
        return Score(self.by_layers.get(left, drop) if left else drop, 0.1 * drop, size)

    def noisiest(self, settings: QuantizeConfig) -> Sequence[str]:
        return LAYERS

    def clock(self) -> float:
        return self.seconds


def _search(table: Table, **settings):
    return search(table, QuantizeConfig(mode="auto", **settings), log=lambda line: None, clock=table.clock)


def _way(trial: Trial) -> tuple[str, str]:
    return trial.settings.granularity, trial.settings.method


def test_the_smallest_that_passes_wins():
    table = Table({("per_channel", "minmax"): 0.2, ("per_tensor", "entropy"): 0.9, ("per_tensor", "minmax"): 1.1})
    found = _search(table)
    assert _way(found.best) == ("per_tensor", "entropy")
    assert found.passed
    assert found.left_out is None
    assert len(found.trials) == 8


def test_of_equal_sizes_the_one_that_loses_least_wins():
    table = Table({("per_channel", "minmax"): 0.8, ("per_channel", "percentile"): 0.1, ("per_channel", "entropy"): 0.5})
    assert _way(_search(table).best) == ("per_channel", "percentile")


def test_per_tensor_is_equalised_and_corrected_unless_told_otherwise():
    table = Table({})
    _search(table, bias_correction=False)
    for settings in table.tried:
        assert settings.equalize == (settings.granularity == "per_tensor")
        assert settings.bias_correction is False
    assert with_way(QuantizeConfig(equalize=True), "per_channel", "minmax").equalize is True


def test_layers_stay_in_float_in_growing_numbers_until_one_passes():
    table = Table({("per_channel", "entropy"): 2.0}, {1: 1.8, 2: 0.9})
    found = _search(table, exclude=("given",))
    assert found.passed
    assert [settings.exclude[1:] for settings in table.tried[8:]] == [(), ("stem",), ("stem", r"blocks\.0")]
    assert [settings.first_layer_float for settings in table.tried[8:]] == [True, False, False]
    assert all(settings.exclude[0] == "given" for settings in table.tried)
    assert found.best.settings.method == "entropy"
    assert found.best.score.drop == 0.9


def test_patterns_match_the_layers_alone():
    table = Table({("per_channel", "minmax"): 5.0}, {2: 3.0})
    found = _search(table)
    assert not found.passed
    patterns = table.tried[-1].exclude
    assert len(patterns) == 4
    assert re.fullmatch(patterns[1], "blocks.0")
    assert not re.fullmatch(patterns[1], "blocksX0")


def test_without_one_that_passes_the_best_is_returned():
    found = _search(Table({("per_tensor", "percentile"): 4.0}, {1: 4.5, 2: 3.0, 4: 3.5}))
    assert not found.passed
    assert found.best.score.drop == 3.0
    assert len(found.best.settings.exclude) == 2


def test_the_time_cuts_the_list_and_says_so():
    table = Table({("per_channel", "minmax"): 0.5, ("per_tensor", "minmax"): 0.5})
    short = _search(table, budget=Duration(1, "s"))
    assert [_way(trial) for trial in short.trials] == [("per_channel", "minmax")]
    assert short.left_out is not None
    assert "1 trial" in short.left_out


def test_the_limit_is_a_point_unless_given():
    table = {("per_channel", "minmax"): 1.0, ("per_tensor", "minmax"): 1.5}
    assert _way(_search(Table(table)).best) == ("per_channel", "minmax")
    assert _way(_search(Table(table), max_drop=1.5).best) == ("per_tensor", "minmax")
    assert not _search(Table(table), max_drop=0.5).passed


_WAYS = st.tuples(st.sampled_from(["per_channel", "per_tensor"]), st.sampled_from(["minmax", "percentile", "entropy"]))


def _tried(settings: QuantizeConfig) -> QuantizeConfig:
    return settings.model_copy(update={"budget": Duration(0, "s")})


_TENTHS = st.integers(-10, 50).map(lambda tenths: tenths / 10)


@given(st.dictionaries(_WAYS, _TENTHS), st.integers(1, 14), _TENTHS.filter(lambda points: points >= 0))
def test_less_time_tries_the_same_settings_only_fewer(drops, seconds, max_drop):
    long, short = Table(drops), Table(drops)
    _search(long, max_drop=max_drop, budget=Duration(1000, "s"))
    found = _search(short, max_drop=max_drop, budget=Duration(seconds, "s"))
    assert list(map(_tried, short.tried)) == list(map(_tried, long.tried))[: len(short.tried)]
    assert len(short.tried) <= max(1, seconds)
    passing = [trial for trial in found.trials if trial.score.drop <= max_drop]
    assert found.passed == bool(passing)
    if passing:
        assert found.best.score.bytes <= 1.01 * min(trial.score.bytes for trial in passing)
    else:
        assert found.best.score.drop == min(trial.score.drop for trial in found.trials)


def test_a_drop_of_exactly_the_limit_passes_whatever_rounding_does():
    settings = QuantizeConfig()
    trials = [Trial(settings, Score(100 * (0.9 - 0.8) - 9, 0.0, 1), 0.0)]
    assert choose(trials, 1.0) is trials[0]
    assert pytest.approx(1.0) == trials[0].score.drop
