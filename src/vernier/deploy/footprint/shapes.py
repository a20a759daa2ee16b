"""The shape and type of every activation, for one image."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vernier.errors import ModelError

if TYPE_CHECKING:
    import onnx

Shaped = tuple[tuple[int, ...], int]
"""A shape, and the bytes of an element."""


def read_shapes(model: "onnx.ModelProto") -> dict[str, Shaped]:
    """Shapes and widths by name; a first axis of any length becomes one image.

    Raises:
        ModelError: another axis of an input is of any length, or the graph contradicts itself.
    """
    from onnx import shape_inference

    try:
        inferred = shape_inference.infer_shapes(_for_one_image(model), data_prop=True)
    except shape_inference.InferenceError as error:
        raise ModelError(f"the shapes of the graph can't be found: {error}") from None
    values = [*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output]
    return dict(_known(values))


def _for_one_image(model: "onnx.ModelProto") -> "onnx.ModelProto":
    from onnx import ModelProto

    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    for value in copy.graph.input:
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].dim_value:
            axes[0].dim_value = 1
        if any(not axis.dim_value for axis in axes):
            raise ModelError(
                f"the input {value.name!r} has an axis of any length, so its memory can't be counted; "
                "export the model with a fixed image size"
            )
    return copy


def _known(values: list["onnx.ValueInfoProto"]) -> Iterator[tuple[str, Shaped]]:
    from onnx.helper import tensor_dtype_to_np_dtype

    for value in values:
        tensor = value.type.tensor_type
        axes = tensor.shape.dim
        if tensor.elem_type and tensor.HasField("shape") and all(axis.HasField("dim_value") for axis in axes):
            width = tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
            yield value.name, (tuple(axis.dim_value for axis in axes), width)
