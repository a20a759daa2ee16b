"""What an exported file says of itself, from the bundle that it is made of."""

from pathlib import Path
from typing import cast

from vernier.config.export import Layout
from vernier.deploy.onnx_info import Kind, OnnxInfo
from vernier.models.bundle import BundleInfo, weights_sha256
from vernier.models.task import TaskName
from vernier.versions import versions


def describe_bundle(directory: Path, info: BundleInfo, *, kind: Kind, layout: Layout) -> OnnxInfo:
    """The metadata of a float model.

    Args:
        directory: The bundle.
        info: What stands in it.
        kind: Whether the preprocessing is inside.
        layout: Order of the image's axes, for kind image.

    Raises:
        ModelError: the bundle can't be read.
    """
    return OnnxInfo(
        kind=kind,
        class_names=info.class_names,
        task=cast(TaskName, info.task),
        preprocessing=info.preprocessing,
        threshold=info.threshold,
        temperature=info.temperature,
        reject_threshold=info.reject_threshold,
        layout=layout,
        model=info.architecture.name,
        source_sha256=weights_sha256(directory),
        versions=versions(),
    )
