"""What a check of a whole config finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

from vernier.config.root import Config


@final
@dataclass(frozen=True)
class Finding:
    """A rule that does not hold: the key to blame, a sentence with the remedy, other keys it relies on."""

    key: str
    message: str
    relies_on: tuple[str, ...] = ()


Check = Callable[[Config], Iterator[Finding]]
