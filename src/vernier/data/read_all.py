"""Every image of a set, read once by several threads: what is bad, and a hash of the rest."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from vernier.data.images import Content, ImageError, Images
from vernier.data.store_base import BadImage, OnBadImage, Reading, check_bad

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

_CHUNK: Final = 16


@final
@dataclass(frozen=True)
class Reader:
    """Reads all of `images` in `threads` threads (0: in the caller's)."""

    images: Images
    on_bad_image: OnBadImage
    threads: int
    progress: Progress | None = None
    known_sizes: np.ndarray | None = None

    def sizes(self) -> np.ndarray:
        """Heights and widths from the headers alone, int64 (N, 2); 0 where a header can't be read."""
        if self.known_sizes is not None:
            return self.known_sizes
        return read_rows(self.images.size, len(self.images), 2, self.threads)

    def read_all(self, keep: Callable[[int, np.ndarray], None]) -> Reading:
        """Read every image and hand (position, pixels) to `keep`, from several threads at once.

        An ImageError that `keep` raises makes the image a bad one. No more than one image a thread is held.

        Raises:
            DataError: bad images that are not to be skipped, or no other ones; all have been read by then.
        """
        digests = [""] * len(self.images)
        errors: dict[int, ImageError] = {}

        def read(position: int) -> None:
            try:
                content = self.images.content(position)
                pixels = self.images.decode(position, content)
                keep(position, pixels)
                digests[position] = _digest(content, pixels.shape)
            except ImageError as error:
                # A new error: the traceback of this one would keep the file's bytes.
                errors[position] = ImageError(error.path, error.reason)

        _for_each(read, len(self.images), self.threads, self.progress)
        bad = tuple(BadImage(position, errors[position]) for position in sorted(errors))
        check_bad(bad, len(self.images), self.on_bad_image)
        return Reading(_content_hash(self.images, digests), bad, self.images.scale)


def read_rows(row: Callable[[int], tuple[int, ...]], total: int, columns: int, threads: int) -> np.ndarray:
    """What `row` gives for each position, int64 (total, columns); 0 where it raises ImageError."""
    rows = np.zeros((total, columns), np.int64)

    def read(position: int) -> None:
        with suppress(ImageError):
            rows[position] = row(position)

    _for_each(read, total, threads, None)
    return rows


def _for_each(function: Callable[[int], None], total: int, threads: int, progress: Progress | None) -> None:
    def run(chunk: range) -> int:
        for position in chunk:
            function(position)
        return chunk.stop

    with closing(_in_threads(run, _chunks(total), threads)) as done_counts:
        for done in done_counts:
            if progress is not None:
                progress(done, total)


def _chunks(total: int) -> list[range]:
    return [range(start, min(start + _CHUNK, total)) for start in range(0, total, _CHUNK)]


def _in_threads(run: Callable[[range], int], chunks: Sequence[range], threads: int) -> Generator[int, None, None]:
    if threads == 0:
        yield from map(run, chunks)
        return
    executor = ThreadPoolExecutor(threads, thread_name_prefix="vernier-read")
    try:
        yield from executor.map(run, chunks)
    finally:
        executor.shutdown(cancel_futures=True)


def _digest(content: Content, shape: tuple[int, ...]) -> str:
    # Of what was decoded, not of the pixels: a tenth of the bytes, and hashing these took a third of the whole time.
    digest = hashlib.sha256(f"{shape}\n".encode())
    digest.update(content)
    return digest.hexdigest()


def _content_hash(images: Images, digests: Sequence[str]) -> str:
    whole = hashlib.sha256(f"{images.decoding}\n".encode())
    for position, digest in enumerate(digests):
        whole.update(f"{images.key(position)}\0{digest}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()
