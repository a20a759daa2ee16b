"""Operations that have no deterministic form: named, where torch only says that there is one."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from vernier.errors import TrainingError
from vernier.training.log import logger

_MESSAGE: Final = r"(\S+) does not have a deterministic implementation"


@contextmanager
def nondeterminism_named() -> Iterator[None]:
    """While `train.deterministic` holds: each operation that has no deterministic form is named once.

    On a GPU torch warns of it, which goes to the log; on a CPU it fails.

    Raises:
        TrainingError: such an operation on a CPU.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=_MESSAGE, category=UserWarning)
        _log_once_each()
        try:
            yield
        except RuntimeError as error:
            operation = _operation(str(error))
            if operation is None:
                raise
            raise TrainingError(
                f"{operation} has no deterministic form on this device, and train.deterministic is true; set "
                "train.deterministic=false, or leave out the layer that calls it"
            ) from error


def _log_once_each() -> None:
    """Have warnings of such operations logged, each operation once, and others shown as they were."""
    show, named = warnings.showwarning, set[str]()

    def show_or_log(message: Warning | str, *where: Any, **more: Any) -> None:
        operation = _operation(str(message))
        if operation is None:
            show(message, *where, **more)
        elif operation not in named:
            named.add(operation)
            logger.warning(
                "train.deterministic: %s has no deterministic form on this device; two trainings may differ in the "
                "last digits",
                operation,
            )

    warnings.showwarning = show_or_log


def _operation(message: str) -> str | None:
    match = re.match(_MESSAGE, message)
    return None if match is None else match[1]
