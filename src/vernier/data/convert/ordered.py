"""Work done by several threads whose results come in order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2


def map_in_order(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int, chunk: int
) -> Iterator[Result]:
    """What `function` gives for each item, in the items' order.

    Args:
        function: Called from `threads` threads at once; 0 calls it in the caller's.
        items: Any number.
        threads: No more than two chunks a thread are ahead of what was taken.
        chunk: Items that a thread takes at once.
    """
    if threads == 0:
        yield from map(function, items)
        return
    chunks = (items[start : start + chunk] for start in range(0, len(items), chunk))
    executor = ThreadPoolExecutor(threads, thread_name_prefix="vernier-convert")
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for part in chunks:
            waiting.append(executor.submit(lambda part: [function(item) for item in part], part))
            if len(waiting) > _AHEAD * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
