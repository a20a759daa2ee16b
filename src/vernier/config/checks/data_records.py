"""What has to hold for the features of records. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


def features_differ(config: Config) -> Iterator[Finding]:
    """A feature holds one thing."""
    names = {key: getattr(config.data.records, key) for key in ("image", "label", "key")}
    shared = [key for key, name in names.items() if list(names.values()).count(name) > 1]
    if shared:
        others = tuple(f"data.records.{key}" for key in shared[1:])
        message = f"must be another feature than {' and '.join(others)}; got {names[shared[0]]!r} for each"
        yield Finding(f"data.records.{shared[0]}", message, others)


CHECKS: tuple[Check, ...] = (features_differ,)
