"""TensorBoard event files."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_FLUSH_SECONDS = 1


@final
class TensorBoardTracker:
    """Scalars over optimizer steps. After an interruption, events past `step` are marked as void."""

    def __init__(self, directory: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge_step = step + 1 if step else None
        self._writer = SummaryWriter(str(directory), purge_step=purge_step, flush_secs=_FLUSH_SECONDS)

    @property
    def writer(self) -> "SummaryWriter":
        """Writes what is no scalar: images, histograms, curves, graphs."""
        return self._writer

    def log_png(self, tag: str, step: int, png: bytes) -> None:
        """Record a picture."""
        from PIL import Image

        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        self._writer.add_image(tag, pixels, step, dataformats="HWC")

    def start(self, config: Mapping[str, object]) -> None:
        """Record the config as text."""
        lines = "\n".join(f"    {key}: {value}" for key, value in config.items())
        self._writer.add_text("config", lines, 0)

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Record values under `step/`; they are on disk a second later, because waiting for them costs milliseconds."""
        self._log("step", step, values)

    def log_validation(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Record measures under `val/`."""
        self._log("val", step, values)
        self._writer.flush()

    def log_epoch(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Record values under `epoch/`."""
        self._log("epoch", step, {"epoch": epoch, **values})
        self._writer.flush()

    def close(self) -> None:
        """Write what is buffered."""
        self._writer.close()

    def _log(self, group: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
