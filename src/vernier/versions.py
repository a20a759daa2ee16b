"""The versions that a result depends on."""

import platform
from functools import cache
from importlib.metadata import version

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


@cache
def versions() -> dict[str, str]:
    """Name -> version of Vernier, Python and the packages that shape results."""
    return {
        "vernier": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
