"""The letters of a chain: what is done, in which order, to which model."""

from dataclasses import dataclass
from typing import Literal, final

from vernier.errors import RunError

Letter = Literal["t", "e", "q", "b"]
Precision = Literal["float", "int8"]

VERBS: dict[str, str] = {"t": "train", "e": "evaluate", "q": "quantize", "b": "benchmark"}

_PREFIX = "chain_"
_EXAMPLES = "such as tqe, tqeb, tbqeb, eqe, eqeb, qb"


@final
@dataclass(frozen=True)
class Step:
    """One letter at its place.

    Attributes:
        letter: What is done.
        precision: Which model it is done to: the float one, or after `q` the one of 8 bits. Of `t` and `q` what comes
            out.
    """

    letter: Letter
    precision: Precision

    @property
    def name(self) -> str:
        """In words, such as `evaluate int8`."""
        return VERBS[self.letter] if self.letter in "tq" else f"{VERBS[self.letter]} {self.precision}"


def read_chain(text: str) -> tuple[Step, ...]:
    """The steps of letters such as `tqeb`; `chain_tqeb` is the same.

    Raises:
        RunError: Letters that there are none of, or an order that makes no sense.
    """
    letters = text.removeprefix(_PREFIX)
    problem = _problem(letters)
    if problem is not None:
        raise RunError(f"chain {text!r}: {problem}; letters in an order that makes sense, {_EXAMPLES}")
    steps = []
    precision: Precision = "float"
    for letter in letters:
        precision = "int8" if letter == "q" else precision
        steps.append(Step(letter, precision))  # type: ignore[arg-type]
    return tuple(steps)


def _problem(letters: str) -> str | None:
    unknown = next((letter for letter in letters if letter not in VERBS), None)
    if not letters:
        return "names no step: t train, e evaluate, q quantize, b benchmark"
    if unknown == "d":
        return "d (deploy to a board) is not offered; `vernier card` tells how ST's tools take the exported file"
    if unknown is not None:
        return f"{unknown!r} is no step: t train, e evaluate, q quantize, b benchmark"
    if "t" in letters[1:]:
        return "t (train) comes first, and once"
    if letters.count("q") > 1:
        return "q (quantize) comes once: a quantized model can't be quantized again"
    for part, precision in zip(letters.split("q"), ("float", "int8"), strict=False):
        twice = next((letter for letter in "eb" if part.count(letter) > 1), None)
        if twice is not None:
            return f"{twice} ({VERBS[twice]}) twice on the same {precision} model gives the same figures"
    return None
