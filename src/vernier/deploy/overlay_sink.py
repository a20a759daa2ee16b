"""Pictures of where the model looked, made when all images are classified."""

from collections.abc import Sequence
from pathlib import Path
from typing import final

from vernier.deploy.predictions import Prediction


@final
class Overlays:
    """A `Sink`: remembers the images, and explains them at the end."""

    def __init__(self, bundle: Path, directory: Path, *, target: str | None, layer: str | None, trust: bool) -> None:
        self._bundle, self._directory, self._trust = bundle, directory, trust
        self._target, self._layer = target, layer
        self._paths: list[str] = []
        if target is not None:
            from vernier.deploy.explain.overlays import check_class

            check_class(bundle, target)

    def write(self, rows: Sequence[Prediction]) -> None:
        """Remember some."""
        self._paths += (row.path for row in rows)

    def finish(self) -> None:
        """Write an overlay for each."""
        from vernier.deploy.explain.overlays import write_overlays

        write_overlays(self._bundle, self._paths, self._directory, self._target, layer=self._layer, trust=self._trust)

    def abandon(self) -> None:
        """Write none."""
