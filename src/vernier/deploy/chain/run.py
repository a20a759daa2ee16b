"""Doing the steps of a chain one after the other, from where it was left."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from vernier.deploy.chain.order import Step
from vernier.deploy.chain.record import ChainRecord, Figures, StepRecord, read_record, write_record

Say = Callable[[str], None]


@final
@dataclass(frozen=True)
class Outcome:
    """What a step came to.

    Attributes:
        status: Its exit status.
        figures: By model, what it measured.
        details: What else it found, as JSON values.
        files: Made by it: the step is done again where one is gone.
    """

    status: int = 0
    figures: Mapping[str, Figures] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


@final
@dataclass(frozen=True)
class Action:
    """How a step is done.

    Attributes:
        inputs: The fingerprint of all that the outcome depends on, as it is now.
        act: Does it.
    """

    inputs: Callable[[Step], str]
    act: Callable[[Step], Outcome]


def run_chain(letters: str, steps: Sequence[Step], file: Path, action: Action, say: Say) -> ChainRecord:
    """Do the steps that are not done yet; each is in chain.json as soon as it is.

    The chain ends early where a step's status is not 0.

    Args:
        letters: Of the whole chain.
        steps: What is to be done.
        file: chain.json.
        action: How.
        say: Told what happens, a line each.

    Raises:
        RunError: chain.json is damaged or can't be written.
    """
    record = read_record(file, letters).cut(len(steps))
    for number, step in enumerate(steps):
        head = f"{number + 1} of {len(steps)}, {step.name}"
        fingerprint = action.inputs(step)
        if record.done(number, fingerprint) and _are_there(record.steps[number]):
            say(f"{head}: done before")
            continue
        say(f"{head} ...")
        start = time.monotonic()
        outcome = action.act(step)
        seconds = round(time.monotonic() - start, 3)
        details = {**outcome.details, "files": [str(made) for made in outcome.files]}
        done = StepRecord(step.name, fingerprint, seconds, outcome.status, outcome.figures, details)
        record = record.with_step(number, done)
        write_record(file, record)
        if outcome.status:
            return record
    write_record(file, record)
    return record


def _are_there(step: StepRecord) -> bool:
    return all(Path(name).exists() for name in step.details.get("files", ()))
