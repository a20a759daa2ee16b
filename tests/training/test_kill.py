"""Killed anywhere and started again, a training ends with the bits of one that was never interrupted."""

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from training.killing import TOOLBOX, command, fingerprint, kill_at, kill_moments, last_step, run_to_end


def kill_and_compare(
    directory: Path, epochs: int, kills: int, least_seconds: float, seed: int, settings: Sequence[str]
) -> None:
    whole, killed = directory / "whole", directory / "killed"
    seconds = run_to_end(command(whole, epochs, "data.threads=1", *settings))
    assert seconds >= least_seconds
    steps = last_step(whole)
    attempts = []
    generator = random.Random(seed)
    for number, moment in enumerate(kill_moments(steps, kills, seed)):
        arguments = command(killed, epochs, f"data.threads={number % 3}", *settings)
        attempts.append(kill_at(arguments, killed, moment, generator.uniform(0, 0.02)))
    run_to_end(command(killed, epochs, "data.threads=2", *settings))
    begins = [attempt.began for attempt in attempts]
    assert all(later > earlier for earlier, later in itertools.pairwise(begins)), begins
    assert fingerprint(killed) == fingerprint(whole)
    print(f"{kills} kills in a training of {seconds:.0f} s and {steps} steps; attempts began at steps {begins}")


def test_two_kills_change_nothing(tmp_path):
    kill_and_compare(tmp_path, epochs=5, kills=2, least_seconds=3, seed=1, settings=TOOLBOX)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [(), TOOLBOX], ids=["plain", "toolbox"])
def test_thirty_kills_change_nothing(tmp_path, settings):
    kill_and_compare(tmp_path, epochs=100, kills=30, least_seconds=30, seed=2, settings=settings)
