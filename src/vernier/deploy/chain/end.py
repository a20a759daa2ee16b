"""How a chain ended."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from vernier.deploy.chain.record import ChainRecord


@final
@dataclass(frozen=True)
class ChainEnd:
    """How a chain ended.

    Attributes:
        record: What was done.
        directory: Where chain.json and chain.html are.
        signal_number: The signal that stopped its training, else 0.
    """

    record: ChainRecord
    directory: Path
    signal_number: int = 0

    @property
    def exit_status(self) -> int:
        """0; 1 where a gate failed; 128 + the signal's number."""
        if self.signal_number:
            return 128 + self.signal_number
        return max((step.status for step in self.record.steps), default=0)
