"""Work that threads do ahead of whoever takes its results, in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_PARTS_AHEAD = 2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def computed_ahead(
    parts: Iterable[Sequence[_Item]], compute: Callable[[_Item], _Result], threads: int
) -> Generator[list[_Result], None, None]:
    """`compute` of each item, a list for each part; two parts are in work ahead of the one that is given.

    Args:
        parts: Taken one at a time, when there is room. A part without items means that the next one may be long in
            coming: what is in work is given before it is asked for.
        compute: Safe to call from several threads.
        threads: 0 computes in the calling thread.
    """
    if threads == 0:
        yield from ([compute(item) for item in part] for part in parts if part)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="vernier-ahead")
    pending: deque[list[Future[_Result]]] = deque()
    try:
        for part in parts:
            if part:
                pending.append([pool.submit(compute, item) for item in part])
            while len(pending) > (_PARTS_AHEAD if part else 0):
                yield _results(pending.popleft())
        while pending:
            yield _results(pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _results(futures: list[Future[_Result]]) -> list[_Result]:
    return [future.result() for future in futures]
