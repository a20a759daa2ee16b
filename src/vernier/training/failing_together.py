"""An error of the user's in one process ends all of them in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch.distributed.distributed_c10d import _get_default_store

from vernier.errors import RunError, VernierError

_FAILED: Final = "vernier/failed"


@contextmanager
def failing_together(processes: int) -> Iterator[None]:
    """End with a clear error when another process has ended with one, such as a server that only it reads from.

    Without it the others end in a broken connection's traceback.

    Raises:
        RunError: another process has failed.
    """
    if processes == 1:
        yield
        return
    try:
        yield
    except VernierError:
        _get_default_store().set(_FAILED, "")
        raise
    except RuntimeError:
        if not _other_failed():
            raise
        raise RunError("another process of this training has failed; what went wrong is said above") from None


def _other_failed() -> bool:
    try:
        return _get_default_store().check([_FAILED])
    except torch.distributed.DistError:
        # The store is the first process's, which has ended.
        return True
