"""`export`: how a model is written for other programs."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Count, Flag, Number, Size

ExportFormat = Literal["onnx", "pt2"]
Layout = Literal["nhwc", "nchw"]


class ExportConfig(Section):
    """How a model is written for other programs."""

    after_training: tuple[ExportFormat, ...] = ()
    """Formats that `best` and `final` are written in when a training ends, in `RUN/export`."""
    opset: Annotated[int, Field(ge=13, le=24, strict=True)] = 18
    """Version of ONNX's operators."""
    layout: Layout = "nhwc"
    """Order of the uint8 image: nhwc (as decoders give it) or nchw."""
    image_size: Size | Literal["dynamic"] = "dynamic"
    """Height and width of the image that comes in; dynamic takes any, and the graph resizes it."""
    batch_size: Count | Literal["dynamic"] = "dynamic"
    """Images at once."""
    raw: Flag = False
    """The network alone: a preprocessed float image in, logits out."""
    tolerance: Annotated[Number, Field(gt=0)] = 1e-4
    """The largest difference from the bundle that a probability may have; beyond it the export fails."""
