"""Small sets of images with something wrong in them, and a short way to check them."""

import io

import numpy as np
from PIL import Image

from vernier.config.data import DataConfig
from vernier.data.check.run import run_checks


def crop(photo, number, size=96):
    """One of 50 crops of a photo, of its lower part: the sky above is nearly one colour."""
    top, left = 140 + 40 * (number // 10), 54 * (number % 10)
    return photo[top : top + size, left : left + size]


def encoded(pixels, kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        content = encoded(content, quality=90)
    path.write_bytes(content)
    return path


def checked(source, **settings):
    """The findings by name."""
    options = {name: settings.pop(name) for name in ("input_size", "near") if name in settings}
    report = run_checks(DataConfig(source=str(source), **settings), 1, **options)
    return report, {finding.check: finding for finding in report.findings}


def found(report, finding):
    """The paths of each example."""
    key = report.evidence.subject.images.key
    return [[key(place) for place in example.positions] or [example.name] for example in finding.examples]
