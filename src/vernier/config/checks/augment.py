"""What has to hold for `augment`. One function a rule."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from vernier.config.checks.finding import Check, Finding
from vernier.config.duration import Duration
from vernier.config.operations.geometry import Bordered, Resize
from vernier.config.root import Config

_LAST = ("Normalize", "Rescale")


def normalisation_is_last(config: Config) -> Iterator[Finding]:
    """Geometry and colour work on pixel values, so Normalize or Rescale stands once, at the end."""
    for name in ("train", "eval"):
        names = [operation.name for operation in _operations(config, name)]
        first = next((index for index, item in enumerate(names) if item in _LAST), len(names))
        for index, item in list(enumerate(names))[first + 1 :]:
            key, blamed = f"augment.{name}[{index}]", f"augment.{name}[{first}]"
            if item in _LAST:
                yield Finding(key, f"{item} comes after {names[first]} ({blamed}); keep one of them")
            else:
                yield Finding(key, f"{item} comes after {names[first]} ({blamed}); put {names[first]} last")


def central_crop_has_one_size(config: Config) -> Iterator[Finding]:
    """A crop is given in pixels or as a share."""
    for name in ("train", "eval"):
        for index, operation in enumerate(_operations(config, name)):
            if operation.name == "CentralCrop" and operation.fraction is not None and operation.size != "auto":
                key = f"augment.{name}[{index}]"
                yield Finding(f"{key}.fraction", f"excludes {key}.size; set one of them")


def colour_is_used(config: Config) -> Iterator[Finding]:
    """A colour is for covering uniformly."""
    for index, operation in enumerate(_operations(config, "train")):
        covers = operation.name in ("RectangleErasing", "GridErasing")
        if covers and operation.method != "uniform" and operation.color is not None:
            key = f"augment.train[{index}]"
            message = f"is for method uniform, and {key}.method is {operation.method}; set one or the other"
            yield Finding(f"{key}.color", message, (f"{key}.method",))


def magnitude_is_a_bin(config: Config) -> Iterator[Finding]:
    """A strength is one of as many as there are."""
    for index, operation in enumerate(_operations(config, "train")):
        if operation.name == "RandAugment" and operation.magnitude >= operation.num_magnitude_bins:
            key, bins = f"augment.train[{index}]", operation.num_magnitude_bins
            message = f"must be below num_magnitude_bins ({bins}); got {operation.magnitude}"
            yield Finding(f"{key}.magnitude", message, (f"{key}.num_magnitude_bins",))


def fill_fills(config: Config) -> Iterator[Finding]:
    """A value is for a constant border that an operation shows."""
    for name in ("train", "eval"):
        for index, operation in enumerate(_operations(config, name)):
            key = f"augment.{name}[{index}]"
            if not isinstance(operation, Bordered) or (operation.border is None and operation.fill is None):
                continue
            field = "border" if operation.fill is None else "fill"
            if isinstance(operation, Resize) and operation.mode != "letterbox":
                message = f"is for mode letterbox, and mode {operation.mode} shows no border; leave it out"
                yield Finding(f"{key}.{field}", message, (f"{key}.mode",))
            kind = operation.border or config.augment.border
            if field == "fill" and kind != "constant" and (name == "train" or operation.border is not None):
                message = (
                    f"is for border constant, and the border is {kind}; leave it out, or set {key}.border=constant"
                )
                yield Finding(f"{key}.fill", message, (f"{key}.border",))


def evaluation_has_one_border(config: Config) -> Iterator[Finding]:
    """What a trained model sees does not depend on chance, and is one fill."""
    operations = [each for each in enumerate(_operations(config, "eval")) if isinstance(each[1], Bordered)]
    for index, operation in operations:
        if operation.border not in (None, "constant"):
            message = f"evaluation has a constant border; got {operation.border}; leave it out"
            yield Finding(f"augment.eval[{index}].border", message)
        if isinstance(operation.fill, tuple):
            message = f"evaluation has one value; got {list(operation.fill)}; give one number"
            yield Finding(f"augment.eval[{index}].fill", message)
    given = [(index, operation.fill) for index, operation in operations if isinstance(operation.fill, int)]
    for index, fill in given[1:]:
        if fill != given[0][1]:
            message = f"evaluation has one value, and augment.eval[{given[0][0]}].fill is {given[0][1]}; got {fill}"
            yield Finding(f"augment.eval[{index}].fill", f"{message}; leave one of them out")


def clips_are_in_order(config: Config) -> Iterator[Finding]:
    """What is cut off below lies below what is cut off above."""
    for name in ("train", "eval"):
        for index, operation in enumerate(_operations(config, name)):
            if operation.name == "Clip" and operation.low > operation.high:
                key = f"augment.{name}[{index}]"
                message = f"must not be above {key}.high ({operation.high:g}); got {operation.low:g}"
                yield Finding(f"{key}.low", message)


def mixing_mixes(config: Config) -> Iterator[Finding]:
    """A section that mixes nothing is a mistake."""
    mix = config.augment.mix
    if mix is None:
        return
    if mix.mixup == 0 and mix.cutmix == 0:
        message = "is 0 and so is augment.mix.cutmix: nothing is mixed; set one of them, such as augment.mix.mixup=0.2"
        yield Finding("augment.mix.mixup", message, ("augment.mix.cutmix",))
    if (mix.mixup == 0 or mix.cutmix == 0) and mix.cutmix_share != 0.5:
        message = f"is for mixup and CutMix together; got {mix.cutmix_share:g}; set both, or leave it out"
        yield Finding("augment.mix.cutmix_share", message, ("augment.mix.mixup", "augment.mix.cutmix"))
    off, epochs, key = mix.off_for_last, config.train.epochs, "augment.mix.off_for_last"
    if off.unit not in ("ep", "%"):
        yield Finding(key, f"must be in epochs or in % of the training, such as 5ep or 10%; got {off}")
    elif not config.train.fast_dev_run and _is_all(off, epochs):
        message = f"leaves no epoch to mix in (train.epochs={epochs}); got {off}; shorten it, or leave augment.mix out"
        yield Finding(key, message, ("train.epochs",))


def sizes_grow(config: Config) -> Iterator[Finding]:
    """Images grow up to the size of evaluation, each size in some epoch."""
    progressive = config.augment.progressive
    if progressive is None:
        return
    sizes, key = progressive.sizes, "augment.progressive.sizes"
    if len(sizes) < 2:
        yield Finding(key, f"needs two sizes or more; got {_pixels(sizes) or 'none'}; leave augment.progressive out")
    for before, after in pairwise(sizes):
        if before[0] > after[0] or before[1] > after[1] or before == after:
            yield Finding(key, f"must grow, the last being model.input_size; got {_pixels(sizes)}")
            break
    full = config.model.input_size
    if full != "auto" and sizes[-1:] != (full,):
        message = f"must end with model.input_size ({_pixels((full,))}); got {_pixels(sizes)}"
        yield Finding(key, message, ("model.input_size",))
    if _too_many(config):
        message = f"has more sizes than there are epochs (train.epochs={config.train.epochs}); got {_pixels(sizes)}"
        yield Finding(key, message, ("train.epochs",))


def portions_fit(config: Config) -> Iterator[Finding]:
    """Each size has its portion of the epochs, one epoch at least."""
    progressive, key = config.augment.progressive, "augment.progressive.portions"
    if progressive is None or progressive.portions is None:
        return
    if len(progressive.portions) != len(progressive.sizes):
        message = f"needs one for each of the {len(progressive.sizes)} sizes; got {len(progressive.portions)}"
        yield Finding(key, message, ("augment.progressive.sizes",))
        return
    if config.train.fast_dev_run or _too_many(config):
        return
    ends = progressive.ends(config.train.epochs)
    for size, start, end in zip(progressive.sizes, (0, *ends), ends, strict=False):
        if start == end:
            message = f"leaves no epoch for {_pixels((size,))} of train.epochs={config.train.epochs}; give it more"
            yield Finding(key, message, ("train.epochs",))


def one_shape_to_compile(config: Config) -> Iterator[Finding]:
    """Compiled code is for images of one size."""
    if config.augment.progressive is not None and config.train.compile is True:
        message = "true is for images of one size, and augment.progressive has several; leave one of them out"
        yield Finding("train.compile", message, ("augment.progressive",))


def _is_all(duration: Duration, epochs: int) -> bool:
    return duration.value >= (epochs if duration.unit == "ep" else 100)


def _too_many(config: Config) -> bool:
    progressive = config.augment.progressive
    sizes = 0 if progressive is None else len(progressive.sizes)
    return sizes > config.train.epochs and not config.train.fast_dev_run


def features_are_not_cached(config: Config) -> Iterator[Finding]:
    """What the frozen part makes of an image is cached for images that stay as they are."""
    for name in ("mix", "progressive"):
        if getattr(config.augment, name) is not None and config.train.cache_features is True:
            message = f"true excludes augment.{name}, which makes other images of them; leave one of them out"
            yield Finding("train.cache_features", message, (f"augment.{name}",))


def _pixels(sizes: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{height}x{width}" for height, width in sizes)


def _operations(config: Config, name: str) -> tuple[Any, ...]:
    operations = getattr(config.augment, name)
    return () if operations == "auto" else operations


CHECKS: tuple[Check, ...] = (
    normalisation_is_last,
    central_crop_has_one_size,
    colour_is_used,
    magnitude_is_a_bin,
    fill_fills,
    evaluation_has_one_border,
    clips_are_in_order,
    mixing_mixes,
    sizes_grow,
    portions_fit,
    one_shape_to_compile,
    features_are_not_cached,
)
