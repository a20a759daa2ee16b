"""Time `vernier check` on many small JPEG files, made from the photos of a directory.

python benchmarks/check.py PHOTOS [COUNT] [THREADS]

Cuts COUNT (100,000 unless told otherwise) windows of 128 x 128 pixels out of the photos, each at a place, with a
brightness and perhaps mirrored, all drawn by a seed; writes them as JPEG of quality 80 into class folders in a
temporary directory (about 0.5 GB), checks them in THREADS threads (2), and removes them.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from vernier.config.data import DataConfig
from vernier.data.check.findings import Evidence
from vernier.data.check.run import CHECKS
from vernier.data.check.scan import scan_images
from vernier.data.check.similar import NEAR_BITS, find_similar
from vernier.data.check.subject import open_subject
from vernier.data.sources import open_source

SIDE, CLASSES, QUALITY = 128, 10, 80


def make_images(photos: Path, root: Path, count: int) -> None:
    files = sorted(path for path in photos.rglob("*.jpg"))
    rng = np.random.default_rng(0)
    images: list[np.ndarray] = []
    for name in range(CLASSES):
        (root / f"{name}").mkdir(parents=True)
    for number in range(count):
        if number % 1000 == 0:
            chosen = rng.choice(len(files), min(len(files), 500), replace=False)
            read = (cv2.imread(str(files[place])) for place in chosen)
            images = [image for image in read if image is not None and min(image.shape[:2]) >= SIDE]
        image = images[rng.integers(len(images))]
        top, left = (rng.integers(size - SIDE + 1) for size in image.shape[:2])
        window = cv2.convertScaleAbs(image[top : top + SIDE, left : left + SIDE], alpha=rng.uniform(0.6, 1.2))
        window = window[:, ::-1] if rng.random() < 0.5 else window
        cv2.imwrite(
            str(root / f"{number % CLASSES}" / f"{number:07d}.jpg"), window, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )


def main() -> None:
    photos, count, threads = Path(sys.argv[1]), int((sys.argv[2:] or ["100000"])[0]), int((sys.argv[3:] or ["2"])[0])
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "set"
        make_images(photos, root, count)
        times, processor = [time.perf_counter()], time.process_time()
        subject = open_subject(DataConfig(source=str(root)), open_source)
        times.append(time.perf_counter())
        scan = scan_images(subject.images, threads, lambda done, total: None)
        times.append(time.perf_counter())
        similar = find_similar(scan, NEAR_BITS)
        times.append(time.perf_counter())
        findings = [check(Evidence(subject, scan, similar, None)) for check in CHECKS]
        times.append(time.perf_counter())
        processor = time.process_time() - processor
    steps = dict(zip(("open", "scan", "similar", "judge"), np.diff(times).round(2).tolist(), strict=True))
    print(f"{count} images of {SIDE}x{SIDE}, {threads} threads: {times[-1] - times[0]:.1f} s, {processor:.1f} s of CPU")
    print(f"steps, s: {steps}; images a second: {count / (times[-1] - times[0]):.0f}")
    print(f"memory peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print("found:", {finding.check: finding.count for finding in findings if finding.severity != "PASS"})
    print("correlation asked for:", similar.bar)


if __name__ == "__main__":
    main()
