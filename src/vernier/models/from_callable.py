"""Networks made by a function: Vernier's own zoo, and the user's `package.module:callable`."""

import importlib
import inspect
import re
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any, final

from torch import nn

from vernier.callables import working_directory_importable
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.download import no_weights
from vernier.models.provider import ModelDefaults, ModelProvider, StemInit, refuse_reserved, unknown_argument
from vernier.models.zoo import INPUT_SIZES, ZOO

_RESERVED = {
    "num_classes": "it follows from the data's classes",
    "in_channels": "set data.channels",
    "input_size": "set model.input_size",
    "dropout": "set model.dropout",
    "depth": "set model.depth",
    "width_divisor": "set model.width_divisor",
}
_DOTTED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_PHOTO_SIZE = (224, 224)


@final
class ZooProvider(ModelProvider):
    """The functions of `vernier.models.zoo`."""

    def names(self) -> Iterable[str]:
        """The zoo's names."""
        return ZOO

    def knows(self, name: str) -> bool:
        """Whether the zoo has it."""
        return name in ZOO

    def defaults(self, name: str) -> ModelDefaults:
        """The size it was designed for; mean 0.5 and std 0.25, about those of photographs."""
        return ModelDefaults("zoo", INPUT_SIZES[name], (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear", 1.0)

    def build(self, architecture: Architecture, *, pretrained: bool, stem_init: StemInit = "auto") -> nn.Module:
        """Call the function."""
        if pretrained:
            raise no_weights(architecture.name, "the zoo has none")
        module: nn.Module = _call(ZOO[architecture.name], architecture)
        return module

    def divides_width(self, name: str) -> bool:
        """Every function of the zoo takes `width_divisor`."""
        return True


@final
class PythonProvider(ModelProvider):
    """The user's own code; importing it runs it."""

    def names(self) -> Iterable[str]:
        """None can be listed."""
        return ()

    def knows(self, name: str) -> bool:
        """Whether the name has the form `package.module:callable`."""
        return _DOTTED.fullmatch(name) is not None

    def defaults(self, name: str) -> ModelDefaults:
        """As for photographs."""
        return ModelDefaults("python", _PHOTO_SIZE, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear", 0.875)

    def build(self, architecture: Architecture, *, pretrained: bool, stem_init: StemInit = "auto") -> nn.Module:
        """Import and call it; modules are looked for in the working directory too."""
        if pretrained:
            raise no_weights(architecture.name, "it is your own code")
        with working_directory_importable():
            module = _call(_import(architecture.name), architecture)
        if not isinstance(module, nn.Module):
            raise ModelError(f"model.name={architecture.name} made no torch.nn.Module: {type(module).__name__}")
        return module

    def divides_width(self, name: str) -> bool:
        """Whether the function has a parameter of that name."""
        with working_directory_importable():
            return "width_divisor" in inspect.signature(_import(name)).parameters


def _call(function: Callable[..., Any], architecture: Architecture) -> Any:
    """Call with `num_classes`, `in_channels`, the config's kwargs, and whatever else of ours the function names."""
    refuse_reserved(architecture.kwargs, _RESERVED)
    parameters = inspect.signature(function).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    for key in architecture.kwargs:
        if key not in parameters and not takes_any:
            raise unknown_argument(architecture, key, [name for name in parameters if name not in _RESERVED])
    arguments = {"num_classes": architecture.num_outputs, "in_channels": architecture.channels}
    absent = [key for key in arguments if key not in parameters and not takes_any]
    if absent:
        raise ModelError(f"model.name={architecture.name} must take the arguments num_classes and in_channels")
    return function(**arguments, **_optional(architecture, parameters), **architecture.kwargs)


def _optional(architecture: Architecture, parameters: Container[str]) -> dict[str, Any]:
    """Settings that the function takes if it names them; those that must not be lost are errors where it does not."""
    optional: dict[str, Any] = {}
    if "input_size" in parameters:
        optional["input_size"] = architecture.input_size
    if "width_divisor" in parameters:
        optional["width_divisor"] = architecture.width_divisor
    for key, value in (("dropout", architecture.dropout), ("depth", architecture.depth)):
        if value is not None and key not in parameters:
            raise ModelError(
                f"model.{key}={value}: model.name={architecture.name} takes no argument `{key}`; leave model.{key} out"
            )
        if value is not None:
            optional[key] = value
    return optional


def _import(name: str) -> Callable[..., Any]:
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ModelError(
            f"model.name={name}: there is no Python module {error.name} in {Path.cwd()} or on Python's path; "
            "check the name, or start Vernier where the module lies"
        ) from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ModelError(f"model.name={name}: {module_name} has no {attribute}")
        found = getattr(found, part)
    if not callable(found):
        raise ModelError(f"model.name={name}: {attribute} can't be called; name a function or a class")
    return found  # type: ignore[no-any-return]
