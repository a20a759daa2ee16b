"""What a runtime adds to a network, and how long it takes: estimates fitted on measurements that ST publishes.

The measurements are those of the STM32 model zoo for networks of 8-bit integers (X-CUBE-AI 10.0.0, STM32H747I-DISCO,
one Cortex-M7 at 400 MHz). What a network needs is counted by Vernier.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

import numpy as np

from vernier.deploy.footprint.boards import KIB, Board
from vernier.deploy.footprint.measure import Footprint
from vernier.deploy.footprint.published import PUBLISHED, Published, Work

Terms = Callable[[Work], Sequence[float]]
"""What an estimate is a sum of."""
Target = Callable[[Published], float]
"""What is estimated."""

_MEASURED_BOARD = "STM32H747I-DISCO"
_MEASURED_MHZ = 400
_CORE = "Cortex-M7"
_OTHER_M7_ERROR = 0.1
"""On another Cortex-M7 (STM32F769, 216 MHz) four published times are within 8 % of those scaled by clock."""


@final
@dataclass(frozen=True)
class Estimate:
    """A value and how far off it may be.

    Attributes:
        value: in the unit that is asked for.
        error: root of the mean squared relative error over published networks, each family estimated from the others.
        worst: the largest of these errors.
    """

    value: float
    error: float
    worst: float


def work_of(footprint: Footprint) -> Work:
    """What of a network decides about its runtime."""
    layers = [layer for layer in footprint.layers if layer.kind not in ("Reshape", "Flatten", "Squeeze", "Identity")]
    return Work(
        operators=len(layers),
        biases=sum(layer.biases for layer in layers),
        macs=footprint.macs,
        values=sum(prod(layer.output_shape) for layer in layers),
        separate=footprint.separate.bytes,
        line_buffers=footprint.line_buffers.bytes,
    )


def estimate_runtime_ram(footprint: Footprint) -> Estimate:
    """Bytes of RAM that ST's runtime takes beside the activations."""
    return _estimate(_ram_terms, _runtime_bytes, work_of(footprint))


def ram_error() -> float:
    """Mean relative difference of the RAM counted here, runtime included, from what ST publishes."""
    factors = fit(_ram_terms, _runtime_bytes, PUBLISHED)
    totals = [row.work.separate + float(np.dot(_ram_terms(row.work), factors)) for row in PUBLISHED]
    published = [(row.activations + row.runtime) * KIB for row in PUBLISHED]
    return float(np.mean([abs(here / there - 1) for here, there in zip(totals, published, strict=True)]))


def estimate_code(footprint: Footprint) -> Estimate:
    """Bytes of flash that ST's runtime takes beside weights and biases: code, and tables for every operator."""
    return _estimate(_code_terms, lambda row: row.code * KIB, work_of(footprint))


def estimate_time(footprint: Footprint, board: Board) -> Estimate | None:
    """Milliseconds for an image; None where nothing that is published tells.

    Other Cortex-M7 cores are scaled by their clock, with a larger error. Floats, other cores and accelerators have no
    estimate.
    """
    if not footprint.in_integers or board.core != _CORE or board.accelerator:
        return None
    measured = _estimate(_time_terms, lambda row: row.ms, work_of(footprint))
    more = 0.0 if board.name == _MEASURED_BOARD else _OTHER_M7_ERROR
    value = measured.value * _MEASURED_MHZ / board.mhz
    return Estimate(value, math.hypot(measured.error, more), measured.worst + more)


def _runtime_bytes(row: Published) -> float:
    return row.runtime * KIB


def _ram_terms(work: Work) -> tuple[float, ...]:
    return 1.0, work.operators


def _code_terms(work: Work) -> tuple[float, ...]:
    return 1.0, work.operators, work.biases


def _time_terms(work: Work) -> tuple[float, ...]:
    return work.macs, work.values


def _estimate(terms: Terms, target: Target, work: Work) -> Estimate:
    factors = fit(terms, target, PUBLISHED)
    errors = [error for _, error in errors_by_family(terms, target)]
    return Estimate(
        float(np.dot(terms(work), factors)), math.hypot(*errors) / math.sqrt(len(errors)), max(map(abs, errors))
    )


def errors_by_family(terms: Terms, target: Target) -> list[tuple[Published, float]]:
    """For every published network the relative error of its estimate from the families that it does not belong to."""
    found = []
    for row in PUBLISHED:
        factors = fit(terms, target, [other for other in PUBLISHED if other.family != row.family])
        found.append((row, float(np.dot(terms(row.work), factors)) / target(row) - 1))
    return found


def fit(terms: Terms, target: Target, rows: Sequence[Published]) -> tuple[float, ...]:
    """The factors of some terms that make the squared relative errors least."""
    relative = np.array([[term / target(row) for term in terms(row.work)] for row in rows])
    solution, *_ = np.linalg.lstsq(relative, np.ones(len(rows)), rcond=None)
    return tuple(float(factor) for factor in solution)
