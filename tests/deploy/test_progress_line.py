import io
import time

import pytest

from vernier.deploy.progress_line import ProgressLine, counted_aside, progress_text
from vernier.errors import DataError


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (1200, 100_000, 6.0, "1,200 of 100,000 images, 200 images/s, 8 min 14 s left"),
        (1200, None, 6.0, "1,200 images, 200 images/s"),
        (0, 10, 0.0, "0 of 10 images, 0 images/s"),
        (12, 10, 1.0, "12 of 10 images, 12 images/s"),
    ],
)
def test_the_line(done, total, seconds, expected):
    assert progress_text(done, total, seconds).replace("\u00a0", " ") == expected


def test_it_is_shown_now_and_then_and_taken_away():
    seconds = iter([0.0, 0.1, 0.3, 0.4, 0.6])
    stream = io.StringIO()
    line = ProgressLine(stream, lambda: 100, lambda: next(seconds))
    for _ in range(4):
        line.advance([None] * 5)
    line.end()
    shown = stream.getvalue().split("\r\033[K")
    assert [text.split(",")[0] for text in shown] == ["", "10 of 100 images", "20 of 100 images", ""]


def test_counting_that_fails_leaves_the_total_unknown():
    def fail() -> int:
        raise DataError("gone")

    totals = [counted_aside(lambda: 7), counted_aside(fail)]
    end = time.monotonic() + 10
    while totals[0]() is None and time.monotonic() < end:
        time.sleep(0.01)
    assert [total() for total in totals] == [7, None]
