"""What has to hold for `export`. One function a rule."""

from collections.abc import Iterator
from importlib.util import find_spec

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def raw_networks_take_no_images(config: Config) -> Iterator[Finding]:
    """The network alone takes preprocessed images, of one size and layout."""
    export = config.export
    if export.raw and export.image_size != "dynamic":
        message = "has no effect with export.raw=true: the network takes preprocessed images of its own size"
        yield Finding("export.image_size", f"{message}; leave it out", ("export.raw",))
    if export.raw and export.layout != "nhwc":
        message = "has no effect with export.raw=true: the network takes (N, C, height, width)"
        yield Finding("export.layout", f"{message}; leave it out", ("export.raw",))


def packages_are_there(config: Config) -> Iterator[Finding]:
    """What an export after the training needs is there before it."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if "onnx" in config.export.after_training and missing:
        remedy = "pip install 'vernier[onnx]', or take onnx out of the list"
        yield Finding("export.after_training", f"onnx needs {', '.join(missing)}: {remedy}")


CHECKS: tuple[Check, ...] = (raw_networks_take_no_images, packages_are_there)
