"""How many images each class has, and where."""

from collections import Counter

from vernier.data.check.findings import Evidence, Example, Finding, passed
from vernier.data.check.quality_limits import FEW_IMAGES, IMBALANCE
from vernier.data.check.subject import Subject
from vernier.data.wording import listed

_SPLITS = ("", "train", "val", "test")


def count_classes(subject: Subject) -> dict[str, dict[str, int]]:
    """Split -> class -> images, for splits that have any; an image of several labels counts for each."""
    counts: dict[str, Counter[str]] = {}
    for split, labels in zip(subject.splits, subject.label_sets, strict=True):
        counts.setdefault(split, Counter()).update(labels)
    return {split: {name: counts[split][name] for name in subject.class_names} for split in _SPLITS if split in counts}


def check_balance(evidence: Evidence) -> Finding:
    """The largest class against the smallest."""
    totals = _totals(evidence.subject)
    present = {name: count for name, count in totals.items() if count}
    if not present:
        return passed("class_balance", "no images, no classes")
    largest, smallest = max(present, key=lambda name: present[name]), min(present, key=lambda name: present[name])
    ratio = present[largest] / present[smallest]
    summary = (
        f"{len(totals)} classes, {present[smallest]} ('{smallest}') to {present[largest]} ('{largest}') images, "
        f"ratio {ratio:.1f}"
    )
    if ratio <= IMBALANCE:
        return passed("class_balance", summary)
    remedy = "data.imbalance=auto chooses class weights or a sampler; go by macro F1 rather than accuracy"
    return Finding("class_balance", "WARN", 1, summary, remedy)


def check_small_classes(evidence: Evidence) -> Finding:
    """Classes of a handful of images."""
    small = {name: count for name, count in _totals(evidence.subject).items() if 0 < count < FEW_IMAGES}
    if not small:
        return passed("small_classes", f"every class has {FEW_IMAGES} images or more")
    summary = f"classes with fewer than {FEW_IMAGES} images ({len(small)}): {_listed(small)}"
    remedy = "add images, or leave the classes out with data.class_names"
    return Finding("small_classes", "WARN", len(small), summary, remedy, _examples(small))


def check_missing_classes(evidence: Evidence) -> Finding:
    """Classes without images, anywhere or in a split."""
    counts = count_classes(evidence.subject)
    missing = {
        f"{name} in {split}" if split else name: 0
        for split, classes in counts.items()
        for name, count in classes.items()
        if not count and (split or len(counts) == 1)
    }
    if not missing:
        return passed("missing_classes", "every class is in every split")
    summary = f"classes without images ({len(missing)}): {listed(list(missing))}"
    remedy = "add images, move some over, or choose the classes with data.class_names"
    return Finding("missing_classes", "WARN", len(missing), summary, remedy, _examples(missing))


def _totals(subject: Subject) -> dict[str, int]:
    counts = count_classes(subject)
    return {name: sum(classes[name] for classes in counts.values()) for name in subject.class_names}


def _listed(counts: dict[str, int]) -> str:
    return listed([f"{name} ({count})" for name, count in sorted(counts.items(), key=lambda item: item[1])])


def _examples(counts: dict[str, int]) -> tuple[Example, ...]:
    return tuple(Example(name=name, note=f"{count} images") for name, count in counts.items())
