"""The versions that a result depends on."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from vernier import __version__

_PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "lightning-fabric",
    "numpy",
    "opencv-python-headless",
    "simplejpeg",
    "pillow",
)
_OPTIONAL = ("onnx", "onnxruntime")


@cache
def versions() -> dict[str, str]:
    """Name -> version of Vernier, Python and the packages that shape results."""
    return {
        "vernier": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        **{name: found for name in _OPTIONAL if (found := _installed(name)) is not None},
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
