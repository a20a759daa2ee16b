"""Files that can't be read, are not read, or are not what their names say."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np

from vernier.data.check.findings import Evidence, Example, Finding, each, passed
from vernier.data.check.scan import KINDS, NO_FILE
from vernier.data.headers import Kind
from vernier.data.wording import counted, listed

_EXTENSIONS: Final[dict[Kind, tuple[str, ...]]] = {
    "JPEG": ("jpg", "jpeg", "jpe"),
    "CMYK JPEG": ("jpg", "jpeg", "jpe"),
    "PNG": ("png",),
    "GIF": ("gif",),
    "BMP": ("bmp",),
    "WebP": ("webp",),
    "TIFF": ("tif", "tiff"),
    "NPY": ("npy",),
}
_KNOWN: Final = frozenset(extension for extensions in _EXTENSIONS.values() for extension in extensions)
_EMPTY, _TRUNCATED = "is empty (0 bytes)", "is truncated"
_REMOVE: Final = "get whole copies or remove them; data.on_bad_image=skip trains without them, --fix leaves them out"


def check_opens(evidence: Evidence) -> Finding:
    """Whether training would take the set as it is."""
    refusal, bad = evidence.subject.refusal, len(evidence.scan.errors)
    if refusal is None and bad:
        refusal = f"{counted(bad, 'image')} can't be read, and data.on_bad_image is error unless it is set to skip"
    if refusal is None:
        return passed("opens", "training takes the set as it is")
    return Finding("opens", "FAIL", 1, f"training would stop: {refusal}", "see the message", ())


def check_unreadable(evidence: Evidence) -> Finding:
    """Damaged files, and files that are no images."""
    return _bad(evidence, "unreadable", "damaged or no image", lambda reason: reason not in (_EMPTY, _TRUNCATED))


def check_truncated(evidence: Evidence) -> Finding:
    """Files that end too soon."""
    return _bad(evidence, "truncated", "cut short", lambda reason: reason == _TRUNCATED)


def check_empty(evidence: Evidence) -> Finding:
    """Files without content."""
    return _bad(evidence, "empty", "empty (zero bytes)", lambda reason: reason == _EMPTY)


def _bad(evidence: Evidence, check: str, words: str, belongs: Callable[[str], bool]) -> Finding:
    bad = {position: reason for position, reason in sorted(evidence.scan.errors.items()) if belongs(reason)}
    if not bad:
        return passed(check, f"no file is {words}")
    summary = f"{counted(len(bad), 'file')} {words}"
    return Finding(check, "FAIL", len(bad), summary, _REMOVE, each(bad, list(bad.values())))


def check_not_read(evidence: Evidence) -> Finding:
    """Files among the images that no reader takes."""
    subject = evidence.subject
    reasons = Counter(subject.not_read.values()) + Counter(subject.left_out)
    if not reasons:
        return passed("not_read", "no files are left out")
    total = reasons.total()
    summary = f"{counted(total, 'file')} left out: " + listed([f"{reason} ({n})" for reason, n in reasons.items()])
    examples = tuple(Example(name=path, note=reason) for path, reason in subject.not_read.items())
    remedy = "convert them to JPEG or PNG if they are images, and put them into class folders"
    return Finding("not_read", "WARN", total, summary, remedy, examples)


def check_extensions(evidence: Evidence) -> Finding:
    """Names that promise another kind of file: harmless here, where the content counts, but not elsewhere."""
    rows, key = evidence.scan.rows, evidence.subject.images.key
    files = [position for position in evidence.scan.readable.tolist() if rows["kind"][position] != NO_FILE]
    kinds = {position: KINDS[rows["kind"][position]] for position in files}
    wrong = [position for position in files if not _fits(key(position), kinds[position])]
    if not wrong:
        return passed("extension", "names and contents of files agree")
    summary = f"{counted(len(wrong), 'file')} of another kind than the name says"
    remedy = "Vernier goes by the content; other programs may not: rename them"
    notes = [f"is {kinds[position]}" for position in wrong]
    return Finding("extension", "WARN", len(wrong), summary, remedy, each(wrong, notes))


def _fits(key: str, kind: Kind) -> bool:
    """Whether a name fits a kind; one without an extension of an image, as in shards, fits all."""
    extension = key.rpartition(".")[2].casefold()
    return extension in _EXTENSIONS[kind] or extension not in _KNOWN


def check_rotation(evidence: Evidence) -> Finding:
    """Images that lie on their side and say so."""
    turned = np.flatnonzero(evidence.scan.rows["orientation"] > 1)
    if not len(turned):
        return passed("rotation", "no images are turned by EXIF")
    notes = [f"orientation {number}" for number in evidence.scan.rows["orientation"][turned]]
    summary = f"{counted(len(turned), 'image')} turned by EXIF; they are read upright"
    return Finding(
        "rotation", "info", len(turned), summary, "programs that ignore EXIF see them turned", each(turned, notes)
    )
