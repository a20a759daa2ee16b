"""`python -m vernier.training.rank RUN`: train in RUN, with as many processes as its config asks for.

Lightning Fabric starts the other processes by running this same command, so that each of them reads the resolved
config of the run and nothing else.
"""

import sys
from pathlib import Path

from vernier.errors import VernierError
from vernier.training.run_directory import RunDirectory
from vernier.training.session import train_in


def main() -> int:
    """Train; returns the exit status. That an export failed is in result.json, for the process that started this."""
    try:
        end = train_in(RunDirectory(Path(sys.argv[1])))
        return end.exit_status if end.signal_number else 0
    except VernierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
