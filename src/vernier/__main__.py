"""`python -m vernier` is the `vernier` command."""

import sys

from vernier.cli import main

if __name__ == "__main__":
    sys.exit(main())
