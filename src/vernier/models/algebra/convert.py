"""A real network turned into one of hypercomplex numbers.

Every layer with weights is replaced by its form over the algebra; whatever works on channels, pixels or single values
of a row stays, since a number's parts are rows of the batch.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor, nn

from vernier.config.algebra import AlgebraConfig, ConversionPoint
from vernier.errors import ModelError
from vernier.models.algebra.inputs import (
    BasicInput,
    GrayscaleInput,
    JointInput,
    LearnedInput,
    convolutional_part,
    linear_part,
)
from vernier.models.algebra.network import HyperNetwork
from vernier.models.algebra.outputs import Output
from vernier.models.algebra.replacement import Replacements, can_be_replaced
from vernier.models.algebra.structure import Algebra, find_algebra
from vernier.models.head import classifier_modules, head_modules
from vernier.models.stem import redraw_stem, stem_modules
from vernier.models.submodules import replace_module

_LISTED = 10
_TOLERANCE = 1e-4


def convert(module: nn.Module, algebra: AlgebraConfig, image: Tensor) -> nn.Module:
    """The network over the numbers of `algebra`, with new initial weights of the same variance.

    Layers are drawn in the order of `named_modules`, then the input's, from torch's global generator.

    Args:
        module: A real network with its head fitted; taken apart.
        algebra: The numbers, how they are made of an image, what becomes of them, and where.
        image: float32 (1, C, H, W); only its shape counts.

    Raises:
        ModelError: an unknown algebra; an input that the image does not allow; layers that can't be converted, which
            are named; code that mixes the rows of a batch or can't do with the new layers.
    """
    conversion = Conversion(algebra, find_algebra(algebra.name), module)
    images = _noise(image)
    training = module.training
    logits = conversion.run(module, images)
    if algebra.points[0] == "beginning":
        conversion.require_convertible()
        conversion.require_separate_rows(logits, images)
    network = _SPANS[algebra.points](conversion, image.shape[1])
    conversion.require_shape(conversion.run(network, images[:1]), logits[:1].shape)
    return network.train(training)


@final
class Conversion:
    """One network on its way; its problems are told with the setting and the network's name."""

    def __init__(self, config: AlgebraConfig, algebra: Algebra, module: nn.Module) -> None:
        self._config, self._algebra, self._module = config, algebra, module
        self._replacements = Replacements(algebra, config.batchnorm)

    @torch.no_grad()
    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        """Its logits in eval mode.

        Raises:
            ModelError: it fails, or gives something else than one tensor.
        """
        try:
            logits = network.eval()(images)
        except (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError) as error:
            what = "is converted, but its own code can't" if network is not self._module else "can't"
            raise self._error(
                f"{what} take images of {list(images.shape[1:])}: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(logits, Tensor):
            raise self._error(f"gives {type(logits).__name__} instead of one tensor of logits")
        return logits

    def require_separate_rows(self, logits: Tensor, images: Tensor) -> None:
        """Compare two images' logits with those of the first alone.

        Raises:
            ModelError: they differ, so the network would mix the parts of numbers, which are rows too.
        """
        alone = self.run(self._module, images[:1])
        if alone.shape != logits[:1].shape or not _close(alone, logits[:1]):
            raise self._error(
                "mixes the rows of a batch (an image's logits depend on the other images), so the parts of numbers, "
                "which are rows too, would be mixed. Choose another network, or model.algebra.points="
                "[end_before_dense,end_after_dense]"
            )

    def require_convertible(self) -> None:
        """Look at every module.

        Raises:
            ModelError: some have no form over the algebra; the first ten are named.
        """
        others = self._obstacles()
        if others:
            more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
            raise self._error(
                f"has {len(others)} module(s) that can't be converted: {', '.join(others[:_LISTED])}{more}. Numbers "
                "with several parts take convolutions, linear layers, BatchNorm, dropout, pooling and pointwise "
                "functions; choose a network of these, or model.algebra.points=[end_before_dense,end_after_dense], "
                "which converts the classifier alone"
            )

    def require_shape(self, logits: Tensor, shape: torch.Size) -> None:
        """Compare with the real network's.

        Raises:
            ModelError: they differ.
        """
        if logits.shape != shape:
            raise self._error(f"gives {list(logits.shape)} once converted, {list(shape)} before")

    def whole(self, channels: int) -> HyperNetwork:
        """Numbers from the image to the logits."""
        heads = head_modules(self._module)
        self._fit_stem(channels)
        network = self._replaced(self._module, {})
        return HyperNetwork(self._input(channels), network, self._output(), heads)

    def backbone(self, channels: int) -> HyperNetwork:
        """Numbers from the image to what the classifiers get, which stay real."""
        heads, classifiers = head_modules(self._module), classifier_modules(self._module)
        self._fit_stem(channels)
        real = {self._module.get_submodule(name): self._real_classifier(name) for name in classifiers}
        network = self._replaced(self._module, real)
        return HyperNetwork(self._input(channels), network, nn.Identity(), heads)

    def classifiers(self, channels: int) -> HyperNetwork:
        """A real network with classifiers over numbers."""
        heads = head_modules(self._module)
        for name in classifier_modules(self._module):
            replace_module(self._module, name, self._hyper_classifier(name))
        return HyperNetwork(nn.Identity(), self._module, nn.Identity(), heads)

    def _obstacles(self) -> list[str]:
        """Names and types, without what lies inside of one that is named already."""
        found: dict[str, str] = {}
        for name, child in self._module.named_modules():
            inside = any(name.startswith(f"{parent}.") for parent in found if parent)
            if not inside and not can_be_replaced(child):
                found[name] = f"{name or 'the network itself'} ({type(child).__name__})"
        return list(found.values())

    def _replaced(self, module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
        """`module` with its parts replaced, each once however often it is used; `done` has some already."""
        if module not in done:
            new = done[module] = self._replacements.replace(module)
            if new is module:
                for name, child in module._modules.items():
                    if child is not None:
                        module._modules[name] = self._replaced(child, done)
        return done[module]

    def _output(self) -> Output:
        return Output(self._algebra.size, self._config.output)

    def _input(self, channels: int) -> nn.Module:
        makers: Mapping[str, Callable[[], nn.Module]] = {
            "basic": lambda: BasicInput(self._algebra.size),
            "learned": lambda: LearnedInput(self._algebra.size, lambda: convolutional_part(channels)),
            "joint": JointInput,
            "grayscale": GrayscaleInput,
        }
        return makers[self._config.input]()

    def _fit_stem(self, channels: int) -> None:
        """One channel for joint and grayscale, whose numbers hold the three colours."""
        if self._config.input in ("basic", "learned"):
            return
        if self._algebra.name != "quaternion" or channels != 3:
            raise ModelError(
                f"model.algebra.input={self._config.input} makes one quaternion of red, green and blue, but the "
                f"algebra is {self._algebra.name} and the image has {channels} channel(s); set "
                "model.algebra.input=basic or learned"
            )
        if not stem_modules(self._module):
            raise self._error(f"has no convolution to take one channel; model.algebra.input={self._config.input}")
        redraw_stem(self._module, 1)

    def _real_classifier(self, name: str) -> nn.Module:
        """Back to real numbers, then the classifier, N times as wide after concat."""
        head = self._module.get_submodule(name)
        wide = self._widened(name, head) if self._config.output == "concat" else head
        return nn.Sequential(OrderedDict(output=self._output(), dense=wide))

    def _widened(self, name: str, head: nn.Module) -> nn.Module:
        """For N times the features, with new weights of 1/N of the variance, so that logits keep theirs."""
        if not isinstance(head, nn.Linear | nn.Conv2d):
            raise self._error(f"has a classifier, {name} ({type(head).__name__}), that concat can't widen")
        blades = self._algebra.size
        weight = head.weight.detach()
        std = float(weight.std(correction=0)) / blades**0.5
        head.weight = nn.Parameter(torch.randn_like(weight.repeat_interleave(blades, dim=1)) * std)
        if isinstance(head, nn.Linear):
            head.in_features *= blades
        else:
            head.in_channels *= blades
        return head

    def _hyper_classifier(self, name: str) -> nn.Module:
        """Features to numbers, the classifier over them, and back."""
        head = self._module.get_submodule(name)
        new = self._replacements.replace(head)
        if new is head or not isinstance(head, nn.Linear | nn.Conv2d):
            raise self._error(f"has a classifier, {name} ({type(head).__name__}), that can't be converted")
        return nn.Sequential(OrderedDict(input=self._feature_input(head), dense=new, output=self._output()))

    def _feature_input(self, head: nn.Linear | nn.Conv2d) -> nn.Module:
        if self._config.input == "basic":
            return BasicInput(self._algebra.size)
        if self._config.input != "learned":
            raise ModelError(
                f"model.algebra.input={self._config.input} needs an image, but model.algebra.points="
                f"[{', '.join(self._config.points)}] makes numbers of features; set "
                "model.algebra.input=basic or learned"
            )
        if isinstance(head, nn.Linear):
            return LearnedInput(self._algebra.size, lambda: linear_part(head.in_features))
        return LearnedInput(self._algebra.size, lambda: convolutional_part(head.in_channels))

    def _error(self, problem: str) -> ModelError:
        return ModelError(f"model.algebra={self._config.name}: {type(self._module).__name__} {problem}")


_SPANS: Mapping[tuple[ConversionPoint, ...], Callable[[Conversion, int], HyperNetwork]] = {
    ("beginning", "end_after_dense"): Conversion.whole,
    ("beginning", "end_before_dense"): Conversion.backbone,
    ("end_before_dense", "end_after_dense"): Conversion.classifiers,
}


def _noise(image: Tensor) -> Tensor:
    """Two images; torch's global generator is left alone."""
    return torch.randn(2, *image.shape[1:], generator=torch.Generator().manual_seed(0))


def _close(some: Tensor, others: Tensor) -> bool:
    tolerance = _TOLERANCE * float(others.abs().max())
    return torch.allclose(some, others, rtol=_TOLERANCE, atol=tolerance, equal_nan=True)
