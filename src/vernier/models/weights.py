"""Initial weights from a local file."""

from pathlib import Path

from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import bundle_directory, read_weights
from vernier.models.state import WeightsReport, load_state, read_safetensors

__all__ = ["WeightsReport", "load_weights"]

_PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".tar")


def load_weights(module: nn.Module, path: Path | str, architecture: Architecture) -> WeightsReport:
    """Copy weights into `module`; a head of another shape keeps its initial weights, a stem is adapted.

    Args:
        module: built from `architecture`.
        path: a `.safetensors` file, a bundle, or a run directory (its `best`, else its `final`).
        architecture: named in errors.

    Raises:
        ModelError: the file can't be read, or has missing, unexpected or differently shaped tensors outside the
            head; `module` is then as it was.
    """
    origin = f"model.weights={path} for model.name={architecture.name} ({architecture.provider})"
    return load_state(module, _read(Path(path)), origin)


def _read(path: Path) -> dict[str, Tensor]:
    if path.is_dir():
        return read_weights(bundle_directory(path))
    if path.suffix in _PICKLES:
        raise ModelError(
            f"model.weights={path}: {path.suffix} files are Python pickles, which can run code; convert it once "
            "where you trust it: safetensors.torch.save_file(torch.load(FILE, weights_only=True), OUT)"
        )
    return read_safetensors(path)
