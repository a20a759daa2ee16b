"""Chance as a function: every draw is a hash of (seed, epoch, sample index, operation, draw number).

There is no generator and no state, so a draw depends on nothing else: not on the batch that a sample is in, nor on
threads, devices or what was drawn before. The hash takes in one 64-bit word after the other,
`state = mix(state ^ word)`, where `mix` is one step of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable
pseudorandom number generators"; constants of Stafford's variant 13). `mix` is a bijection, so two draws that differ
in one word alone never collide.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def uniform(seed: int, epoch: int, indices: np.ndarray, operation: str, draws: int) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1) with 53 random bits.

    Args:
        seed: from 0 up to 2^63.
        epoch: from 0.
        indices: sample numbers, integers from 0, shape (N,).
        operation: what the numbers are for, such as "RandomRotate#0".
        draws: how many numbers a sample gets.

    Returns:
        float64 (N, draws). Row n depends on `indices[n]` alone, column d does not depend on `draws`.
    """
    bits = _hash(_key(seed, epoch, operation), indices[:, None], np.arange(draws)[None, :])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


@final
@dataclass(frozen=True)
class Chance:
    """The draws of one batch: `indices` are the numbers of its samples, int64 (N,)."""

    seed: int
    epoch: int
    indices: np.ndarray

    def uniform(self, operation: str, draws: int) -> npt.NDArray[np.float64]:
        """Uniform numbers in [0, 1) for an operation, float64 (N, draws)."""
        return uniform(self.seed, self.epoch, self.indices, operation, draws)

    def keys(self, operation: str) -> Words:
        """64 bits for each sample, uint64 (N,)."""
        return keys(self.seed, self.epoch, self.indices, operation)


def keys(seed: int, epoch: int, indices: np.ndarray, operation: str) -> Words:
    """64 bits for each sample, uint64 (N,), apart from those of `uniform`."""
    return _hash(_key(seed, epoch, f"{operation}/key"), indices)


def permutation(seed: int, epoch: int, n: int) -> npt.NDArray[np.int64]:
    """The order of `n` samples in an epoch: their numbers sorted by a hash. int64 (n,)."""
    return np.argsort(_hash(_key(seed, epoch, "order"), np.arange(n)), kind="stable").astype(np.int64)


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed of 63 bits for the framework's own generator (dropout) in one step on one rank."""
    # In Python's integers: for a single number they are ten times as fast as arrays, and every step pays.
    state = 0
    for word in (seed, step, _STEP, rank):
        state = _mix_integer(state ^ word)
    return state >> 1


def _key(seed: int, epoch: int, operation: str) -> Words:
    name = np.array([_number(operation)], np.uint64)
    return _hash(np.zeros(1, np.uint64), np.array([seed]), np.array([epoch]), name)


def _number(operation: str) -> int:
    return int.from_bytes(blake2b(operation.encode(), digest_size=8).digest(), "little")


_STEP: Final = _number("step")
_BITS: Final = 2**64 - 1


def _mix_integer(x: int) -> int:
    """`_mix` of one number."""
    x = (x + int(_GAMMA)) & _BITS
    x = ((x ^ (x >> 30)) * int(_FIRST)) & _BITS
    x = ((x ^ (x >> 27)) * int(_SECOND)) & _BITS
    return x ^ (x >> 31)


def _hash(state: Words, *words: np.ndarray) -> Words:
    for word in words:
        state = _mix(state ^ word.astype(np.uint64))
    return state


def _mix(x: Words) -> Words:
    x = x + _GAMMA
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    return x ^ (x >> np.uint64(31))
