"""Initial weights from a local file."""

from pathlib import Path

from torch import nn

from vernier.config.model import WarmStartConfig
from vernier.models.architecture import Architecture
from vernier.models.provider import StemInit
from vernier.models.state import load_state
from vernier.models.weights_file import read_weights_file
from vernier.models.weights_report import WeightsReport

__all__ = ["WeightsReport", "load_weights"]

_EVERYTHING = WarmStartConfig()


def load_weights(
    module: nn.Module,
    path: Path | str,
    architecture: Architecture,
    warm_start: WarmStartConfig = _EVERYTHING,
    stem_init: StemInit = "auto",
) -> WeightsReport:
    """Copy weights into `module`; a head that differs keeps its initial weights, a stem is adapted.

    Nothing in the file runs: safetensors hold numbers only, and torch's files are read with `weights_only`.

    Args:
        module: built from `architecture`; changed in place.
        path: a bundle, a run directory (its `best`, else its `final`), a `.safetensors` file, or a state dict in a
            file of torch.save (`.pth`, `.pt`, `.bin`, `.ckpt`), plain or under a usual key such as `state_dict`.
        architecture: named in errors.
        warm_start: `model.warm_start`.
        stem_init: `model.stem_init`.

    Raises:
        ModelError: the file can't be read, or has missing, unexpected or differently shaped tensors outside the
            head; `module` is then as it was.
    """
    file = read_weights_file(Path(path))
    origin = f"model.weights={path}{file.part} for model.name={architecture.name} ({architecture.provider})"
    return load_state(module, file.tensors, origin, warm_start, stem_init, channels=architecture.channels)
