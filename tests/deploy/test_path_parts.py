import os
import threading

import pytest

from vernier.deploy.path_parts import parts_of, parts_of_lines


@pytest.mark.parametrize(("count", "expected"), [(0, []), (4, [2, 2]), (5, [2, 2, 1])])
def test_parts_are_full_but_for_the_last(count, expected):
    assert [len(part) for part in parts_of(map(str, range(count)), 2)] == expected


def test_lines_are_given_as_they_come():
    reading, writing = os.pipe()
    parts = parts_of_lines(reading, 2)
    os.write(writing, b"a.jpg\nb.jpg\r\n\nc.jp")
    assert [next(parts), next(parts)] == [["a.jpg", "b.jpg"], []]
    os.write(writing, b"g\n")
    assert [next(parts), next(parts)] == [["c.jpg"], []]
    os.write(writing, b"no line end")
    os.close(writing)
    assert list(parts) == [["no line end"]]
    os.close(reading)


def test_many_lines_go_together():
    reading, writing = os.pipe()
    lines = b"".join(b"image-%d.jpg\n" % number for number in range(20_000))

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(lines)

    thread = threading.Thread(target=write)
    thread.start()
    paths = [path for part in parts_of_lines(reading, 64) for path in part]
    thread.join()
    os.close(reading)
    assert paths == [f"image-{number}.jpg" for number in range(20_000)]
