"""What torchrun says of the processes that it has started."""

import os
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Torchrun:
    """The processes that torchrun has started.

    Attributes:
        processes: Of this machine.
        nodes: Machines.
    """

    processes: int
    nodes: int

    @staticmethod
    def around_this_process() -> "Torchrun | None":
        """What has started this process; None when it was not torchrun."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return None
        processes = int(os.environ["LOCAL_WORLD_SIZE"])
        return Torchrun(processes, max(1, int(os.environ["WORLD_SIZE"]) // processes))
