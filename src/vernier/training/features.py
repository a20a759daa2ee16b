"""Whether a training computes its frozen part's outputs once, and for how many augmented views of each image."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import nn

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import AnyOperation, CentralCrop, Normalize, Rescale, Resize
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.available_memory import available_memory
from vernier.errors import ConfigError, ConfigProblem
from vernier.models.prefix import NoPrefix, SplitModel, split_model
from vernier.training.parts import Dataset

_EPOCHS_A_VIEW: Final = 20
_LEAST_FROZEN: Final = 0.9
"""Below it the rest costs so much that what fixed views take away from augmentation is not worth the time."""
_SHARE_OF_MEMORY: Final = 0.25
_FLOAT_BYTES: Final = 4
_EXAMPLES: Final = 2


def settle_features(config: Config, model: nn.Module, dataset: Dataset) -> tuple[bool, int, str]:
    """`train.cache_features` and `train.feature_views` as plain values, and the reason.

    Args:
        config: Resolved but for these two.
        model: Frozen as it will be trained; left in training mode.
        dataset: Whose images are tried.

    Returns:
        Whether features are cached, `train.feature_views`, and why, as a clause for the log and the resolved config.

    Raises:
        ConfigError: train.cache_features=true where it can't be.
    """
    asked, views = config.train.cache_features, config.train.feature_views
    if asked is False:
        return False, 0 if views == "auto" else views, "train.cache_features=false"
    chosen = _chosen_views(config) if views == "auto" else views
    try:
        return True, chosen, _reason_to_cache(config, model, dataset, chosen)
    except _NotCachedError as error:
        if asked is True:
            problem = ConfigProblem("train.cache_features", f"true is not possible here: {error}")
            raise ConfigError([problem]) from None
        return False, 0 if views == "auto" else views, f"features are not cached: {error}"


def is_random(operations: Sequence[AnyOperation]) -> bool:
    """Whether an image can come out differently each time."""
    return any(
        not isinstance(operation, Resize | CentralCrop | Normalize | Rescale)
        or bool(operation.p_from)
        or 0 < operation.p < 1
        for operation in operations
    )


def example_images(config: Config, dataset: Dataset) -> torch.Tensor:
    """The first training images as evaluation sees them, float32 (2, C, H, W)."""
    preprocessing = compile_preprocessing(
        settled(config.augment.eval),
        channels=settled(config.data.channels),
        fill=config.augment.fill,
        interpolation=settled(config.augment.eval_interpolation),
    )
    first = np.resize(dataset.split.train, _EXAMPLES)
    return torch.from_numpy(np.stack([preprocessing(dataset.store[int(position)]) for position in first]))


class _NotCachedError(Exception):
    """Why features are not cached."""


def _chosen_views(config: Config) -> int:
    return max(1, config.train.epochs // _EPOCHS_A_VIEW) if is_random(settled(config.augment.train)) else 1


def _reason_to_cache(config: Config, model: nn.Module, dataset: Dataset, views: int) -> str:
    if config.augment.mix is not None:
        raise _NotCachedError("augment.mix mixes images before the network sees them")
    if config.augment.progressive is not None:
        raise _NotCachedError("augment.progressive has images of several sizes")
    if all(parameter.requires_grad for parameter in model.parameters()):
        raise _NotCachedError("nothing is frozen (model.frozen)")
    if config.train.unfreeze:
        raise _NotCachedError("train.unfreeze lets frozen layers train later")
    if config.loss.distillation is not None:
        raise _NotCachedError("the teacher of loss.distillation sees the images themselves")
    random = is_random(settled(config.augment.train))
    if random and views == 0:
        raise _NotCachedError("train.feature_views=0 asks for new random draws every epoch; set it to 1 or more")
    split = split_model(model, example_images(config, dataset), config.train.freeze_batchnorm)
    if isinstance(split, NoPrefix):
        raise _NotCachedError(split.reason)
    _require_worth(config, split)
    _require_room(config, split, dataset, max(1, views))
    reason = f"the frozen first part does {split.frozen_share:.1%} of the multiplications of a forward pass"
    return f"{reason}; {repetition(views)}" if random else f"{reason}, and augment.train draws nothing at random"


def repetition(views: int) -> str:
    """What a number of views means for the augmentation."""
    if views == 1:
        return "every epoch repeats the augmentation of the first one"
    return f"the augmentation of the first {views} epochs is repeated in turn"


def _require_worth(config: Config, split: SplitModel) -> None:
    if config.train.cache_features == "auto" and split.frozen_share < _LEAST_FROZEN:
        raise _NotCachedError(
            f"the frozen first part does only {split.frozen_share:.0%} of the multiplications of a forward pass, too "
            "little to do without new augmentation every epoch; train.cache_features=true caches it all the same"
        )


def _require_room(config: Config, split: SplitModel, dataset: Dataset, views: int) -> None:
    parts = dataset.split
    images = len(parts.train) * min(views, config.train.epochs) + len(parts.val) + len(parts.test)
    needed = images * math.prod(split.example.shape[1:]) * _FLOAT_BYTES * config.train.device_count
    share = _SHARE_OF_MEMORY if config.train.cache_features == "auto" else 1.0
    room = int(available_memory() * share)
    if needed > room:
        raise _NotCachedError(
            f"the features of {images} images ({tuple(split.example.shape[1:])} each) need {needed / 2**20:.0f} MiB, "
            f"{room / 2**20:.0f} MiB of the memory may be taken for them; fewer train.feature_views need less"
        )
