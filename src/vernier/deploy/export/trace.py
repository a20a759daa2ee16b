"""A network traced by torch.export, in eval mode."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from vernier.errors import ModelError

_SYMBOLIC_EXAMPLE = 2
"""A batch of one would be taken for a constant."""


def trace(module: nn.Module, channels: int, size: tuple[int, int], batch_size: int | None) -> ExportedProgram:
    """The operations on a batch of float images.

    Args:
        module: In eval mode, on the CPU, in contiguous memory.
        channels: Of the images.
        size: Height and width of the images.
        batch_size: Images in the batch; None leaves their number open.

    Raises:
        ModelError: What is computed depends on the values of the images.
    """
    # Nothing is computed: only the shape of the example counts, and memory that is not touched costs nothing.
    example = torch.empty(_SYMBOLIC_EXAMPLE if batch_size is None else batch_size, channels, *size)
    return trace_example(module, example, is_open=batch_size is None)


def trace_example(module: nn.Module, example: Tensor, *, is_open: bool) -> ExportedProgram:
    """The operations on a batch like the example, or with `is_open` on one of any number of images.

    Raises:
        ModelError: What is computed depends on the values of the images.
    """
    dynamic = ({0: torch.export.Dim.DYNAMIC},) if is_open else None
    with quiet(), _noting_layers(module) as layers:
        try:
            return torch.export.export(module, (example,), dynamic_shapes=dynamic, strict=False)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            place = f"its layer {layers[-1]}" if layers else "it"
            remedy = ", or on their number unless export.batch_size=N fixes it" if is_open else ""
            raise ModelError(
                f"the network can't be exported: {place} can't be traced ({reason}). Its Python code must not depend "
                f"on the values of tensors{remedy}"
            ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings, prints and log lines of torch's exporters about themselves."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        nowhere = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            for module in (r"torch\..*", r"onnxscript.*", r"onnx_ir.*", r"copyreg", r"contextlib"):
                warnings.filterwarnings("ignore", module=module)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def own_name(layer: str) -> str:
    """A layer's name in the network, which is `network` in the module around it that is traced."""
    return layer.removeprefix("network").removeprefix(".")


@contextlib.contextmanager
def _noting_layers(module: nn.Module) -> Iterator[list[str]]:
    """The names of the layers that are being computed, the innermost last."""
    inside: list[str] = []
    hooks = []
    for name, layer in module.named_modules():
        name = own_name(name)
        if name:
            hooks.append(layer.register_forward_pre_hook(lambda *_, name=name: inside.append(name)))
            hooks.append(layer.register_forward_hook(lambda *_: inside.pop() and None))
    try:
        yield inside
    finally:
        for hook in hooks:
            hook.remove()
