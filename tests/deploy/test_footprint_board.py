"""Boards, and the estimates of what a runtime adds."""

import math
from dataclasses import replace

import numpy as np
import pytest
from footprint_graphs import graph, kernel, node
from scipy.optimize import least_squares

from vernier.deploy.footprint.boards import BOARDS, boards_table, find_board
from vernier.deploy.footprint.estimates import (
    errors_by_family,
    estimate_code,
    estimate_runtime_ram,
    estimate_time,
    fit,
    ram_error,
)
from vernier.deploy.footprint.measure import measure_footprint
from vernier.deploy.footprint.published import PUBLISHED
from vernier.deploy.footprint.verdict import judge, verdict_text
from vernier.errors import RunError

LISTED = [
    "STM32N6570-DK",
    "STM32H747I-DISCO",
    "STM32H7B3I-DK",
    "STM32F469I-DISCO",
    "B-U585I-IOT02A",
    "STM32L4R9I-DISCO",
    "NUCLEO-H743ZI2",
    "STM32H735G-DK",
    "STM32F769I-DISCO",
    "NUCLEO-G474RE",
    "NUCLEO-F401RE",
    "STM32F746G-DISCO",
]
ST_TIMES_ON_F769 = [("st_fdmobilenet v1, 128", 59.29), ("st_fdmobilenet v1, 224", 176.5)]
ST_TIMES_ON_F769 += [("st_efficientnet_lc v1, 128", 259.5), ("st_efficientnet_lc v1, 224", 871.7)]


def convolution(size=8, channels=4, precision="int8"):
    nodes = [node("Conv", "input w b", "logits", kernel_shape=[1, 1])]
    shape = (1, channels, size, size)
    constants = {"w": kernel(channels, channels, 1, 1), "b": kernel(channels)}
    return measure_footprint(graph(nodes, {"input": shape}, {"logits": shape}, **constants), precision=precision)


def time_terms(work):
    return work.macs, work.values


def time_of(row):
    return row.ms


def test_all_boards_of_the_zoo_are_there():
    assert list(BOARDS) == LISTED
    assert all(board.bank <= board.ram for board in BOARDS.values())
    assert [line.split()[0] for line in boards_table().splitlines()[1:]] == LISTED


@pytest.mark.parametrize("name", ["nucleo-f401re", "NUCLEO F401RE", "NUCLEO_F401RE"])
def test_spelling_of_a_board_does_not_matter(name):
    assert find_board(name).name == "NUCLEO-F401RE"


@pytest.mark.parametrize(
    ("typo", "meant"), [("STM32H747-DISCO", "STM32H747I-DISCO"), ("nucleo-g747re", "NUCLEO-G474RE")]
)
def test_a_typo_names_the_nearest_board(typo, meant):
    with pytest.raises(RunError, match=rf"--board {typo}: .*did you mean .*{meant}.*`vernier footprint --boards`"):
        find_board(typo)


def test_a_board_like_no_other_names_none():
    with pytest.raises(RunError) as caught:
        find_board("raspberry")
    assert "did you mean" not in str(caught.value)


def test_a_small_network_fits_everywhere():
    for board in BOARDS.values():
        verdict = judge(convolution(), board)
        assert verdict.fits
        assert not verdict.flash_over
        assert not verdict.ram_over


def test_what_is_too_much_is_told_to_the_byte():
    board = replace(find_board("NUCLEO-F401RE"), flash=1000, ram=500)
    verdict = judge(convolution(), board)
    assert not verdict.fits
    assert verdict.flash_over == round(4 * 4 + 4 * 4 + estimate_code(convolution()).value) - 1000
    assert verdict.ram_over == round(2 * 4 * 64 + estimate_runtime_ram(convolution()).value) - 500
    assert "does not fit\n" in verdict_text(verdict)
    assert verdict_text(verdict).count("too much") == 2
    assert verdict.to_json()["ram_over_bytes"] == verdict.ram_over


def test_line_buffers_may_be_what_makes_it_fit():
    footprint = convolution(size=64)
    runtime = estimate_runtime_ram(footprint).value
    board = replace(find_board("STM32F746G-DISCO"), ram=math.ceil(footprint.line_buffers.bytes + runtime))
    verdict = judge(footprint, board)
    assert not verdict.fits
    assert verdict.fits_with_line_buffers
    assert "with line buffers" in verdict_text(verdict)
    assert "does not fit without the flash and SDRAM beside the controller" in verdict_text(verdict)


def test_what_hardly_fits_is_told_to_be_close():
    footprint = convolution(size=64)
    need = footprint.ram_bytes + estimate_runtime_ram(footprint).value
    tight, wide = (
        judge(footprint, replace(find_board("NUCLEO-F401RE"), ram=round(need * (1 + ram_error() * share))))
        for share in (0.5, 1.5)
    )
    assert tight.fits
    assert tight.is_close
    assert "fits, but it is close: RAM differs from published figures by 18% on average" in verdict_text(tight)
    assert wide.fits
    assert not wide.is_close


def test_line_buffers_are_always_below_what_st_needs():
    assert all(row.work.line_buffers < row.activations * 1024 for row in PUBLISHED)


def test_memory_in_several_banks_is_told():
    board = find_board("STM32H747I-DISCO")
    verdict = judge(convolution(size=300), board)
    assert verdict.fits
    assert "its largest bank has 512.00 KiB" in verdict_text(verdict)


def test_no_flash_inside_is_no_verdict_on_flash():
    verdict = judge(convolution(), find_board("STM32N6570-DK"))
    assert verdict.flash_over == 0
    assert "which has no flash inside" in verdict_text(verdict)


@pytest.mark.parametrize(
    ("name", "precision", "told"),
    [
        ("STM32H747I-DISCO", "int8", True),
        ("STM32F769I-DISCO", "int8", True),
        ("STM32H747I-DISCO", "float32", False),
        ("NUCLEO-F401RE", "int8", False),
        ("STM32N6570-DK", "int8", False),
    ],
)
def test_time_is_told_only_where_something_is_published(name, precision, told):
    verdict = judge(convolution(precision=precision), find_board(name))
    assert (verdict.time is not None) == told
    assert ("no estimate" in verdict_text(verdict)) != told
    assert (verdict.to_json()["ms"] is not None) == told


def test_other_cortex_m7_are_slower_by_their_clock_and_less_certain():
    own, other = (estimate_time(convolution(), find_board(name)) for name in ("STM32H747I-DISCO", "STM32F769I-DISCO"))
    assert other.value == pytest.approx(own.value * 400 / 216)
    assert other.error > own.error
    assert other.worst > own.worst


@pytest.mark.parametrize(("name", "ms"), ST_TIMES_ON_F769)
def test_published_times_of_another_cortex_m7_follow_its_clock(name, ms):
    row = next(row for row in PUBLISHED if row.name.startswith(name))
    assert row.ms * 400 / 216 == pytest.approx(ms, rel=0.08)


def test_factors_are_those_of_an_independent_solver():
    def residuals(factors):
        return [np.dot(time_terms(row.work), factors * [1e-6, 1e-5]) / row.ms - 1 for row in PUBLISHED]

    found = least_squares(residuals, [1.0, 1.0]).x * [1e-6, 1e-5]
    np.testing.assert_allclose(fit(time_terms, time_of, PUBLISHED), found, rtol=1e-5)


def test_error_bars_hold_families_that_were_not_looked_at():
    errors = errors_by_family(time_terms, time_of)
    estimate = estimate_time(convolution(), find_board("STM32H747I-DISCO"))
    assert len(errors) == len(PUBLISHED)
    assert max(abs(error) for _, error in errors) == pytest.approx(estimate.worst)
    assert np.sqrt(np.mean([error**2 for _, error in errors])) == pytest.approx(estimate.error)
    assert estimate.error < 0.15
    for row, error in errors:
        others = [other for other in PUBLISHED if other.family != row.family]
        assert np.dot(time_terms(row.work), fit(time_terms, time_of, others)) / row.ms - 1 == pytest.approx(error)
