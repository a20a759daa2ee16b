"""Quantization-aware fine-tuning: a trained network learns to live with 8 bits."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import final

import torch
from torch import Tensor, fx, nn

from vernier.augment.randomness import step_seed
from vernier.config.duration import Duration
from vernier.config.optimizer import AdamConfig
from vernier.config.quantize import FinetuneConfig, QuantizeConfig
from vernier.config.root import Config
from vernier.config.schedule import CosineConfig
from vernier.deploy.quantize.fake_quant import freeze_ranges, insert_fake_quant, take_out_fake_quant
from vernier.deploy.quantize.fold import fold_batchnorm
from vernier.deploy.quantize.match_means import match_means
from vernier.deploy.quantize.processor import choose_reduce_range
from vernier.deploy.quantize.relative_change import train_changes
from vernier.deploy.quantize.tracing import trace_network
from vernier.errors import ModelError, TrainingError
from vernier.evaluation.words import several
from vernier.losses.distillation import Divergence, sigmoid_divergence, softmax_divergence
from vernier.models.prefix import UNTRACEABLE
from vernier.training.parts import build_parts, memory_format, open_dataset
from vernier.training.resolve import resolve
from vernier.training.runtime import make_fabric, process_settings, seed_device
from vernier.training.setup import Setup, build_setup, make_step

_OBSERVED_SHARE = 0.5
"""Share of the steps in which activation ranges still move."""

_IMAGES = 32
"""As many show how far means are off."""

_WHOLE, _REDUCED = 127, 63
"""Largest weight in steps, of 8 bits and of 7."""


@final
@dataclass(frozen=True)
class Finetuned:
    """A network that was trained on.

    Attributes:
        module: In float and in eval mode: its weights are rounded when it is quantized.
        notes: What was done, in sentences.
    """

    module: nn.Module
    notes: tuple[str, ...]


@final
class _FloatAnswers:
    """The float network as the teacher of the rounded one.

    A network knows the labels of its training images by heart, so they say nothing about what rounding costs; training
    on them again only makes it surer. How its own answers change says just that.
    """

    def __init__(self, network: nn.Module, divergence: Divergence) -> None:
        self._network, self._divergence = network, divergence

    def __call__(self, images: Tensor, logits: Tensor, losses: Tensor) -> Tensor:
        """float32 (n,): from the float network's answers to those of the rounded one; labels do not count."""
        with torch.no_grad():
            wanted = self._network(images)
        return self._divergence(wanted, logits)


def finetune(
    module: nn.Module,
    config: Config,
    split_file: Path | None,
    settings: QuantizeConfig,
    finetuning: FinetuneConfig,
    log: Callable[[str], None] = lambda _: None,
) -> Finetuned:
    """Train a network until it answers with rounded weights and activations as it did without, on its training images.

    The gradient passes straight through the rounding (Jacob et al. 2018, "Quantization and Training of Neural Networks
    for Efficient Integer-Arithmetic-Only Inference"); the loss is the divergence from the float network's own answers
    (Hinton et al. 2015, "Distilling the knowledge in a neural network", without labels). Data, augmentation and seed
    are the run's; the optimizer is Adam, on changes of the weights in units of their channels, along a cosine. Dropout
    and BatchNorm behave as in evaluation. Equal arguments give equal weights.

    Args:
        module: In float, on the CPU; prepared before (`prepare_network`), because dead channels can not be told later;
            left as it is.
        config: The run's resolved one.
        split_file: The run's split.csv.
        settings: granularity and reduce_range.
        finetuning: epochs, lr, batch_size.
        log: Told how each epoch went.

    Raises:
        ModelError: The network can't be traced.
        TrainingError: The loss is not a number.
        DataError: No training images.
    """
    folded = _folded(module)
    network = _with_rounding(folded, settings)
    config = _finetuning_config(config, finetuning)
    with process_settings(config):
        dataset = open_dataset(config, split_file)
        # Fields that are newer than the run are not resolved yet.
        config = resolve(config, dataset.source, dataset.train_store, config.run.name or "").config
        parts = build_parts(config, dataset, log)
        divergence = softmax_divergence if parts.task.name == "multiclass" else sigmoid_divergence
        for each in (folded, network):
            each.to(memory_format=memory_format(config))
        fabric = make_fabric(config.train)
        fabric.launch()
        setup = build_setup(replace(parts, model=network, teacher=_FloatAnswers(folded, divergence)), fabric)
        match_means(network, folded, _first_images(setup))
        _train(setup, log)
    take_out_fake_quant(network)
    note = f"Trained on for {several(finetuning.epochs, 'epoch')} with 8-bit rounding (lr {finetuning.lr:g})."
    return Finetuned(network.to(memory_format=torch.contiguous_format).eval(), (note,))


def _folded(module: nn.Module) -> fx.GraphModule:
    try:
        network = trace_network(module)
    except UNTRACEABLE as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelError(
            f"quantize.finetune: torch.fx can't trace this network ({problem}), so nothing can be rounded in it; "
            "leave quantize.finetune out"
        ) from None
    fold_batchnorm(network)
    return network


def _with_rounding(folded: fx.GraphModule, settings: QuantizeConfig) -> fx.GraphModule:
    network = copy.deepcopy(folded)
    train_changes(network)
    reduced, _ = choose_reduce_range(settings.reduce_range)
    insert_fake_quant(network, settings.granularity, largest=_REDUCED if reduced else _WHOLE)
    return network


def _finetuning_config(config: Config, finetuning: FinetuneConfig) -> Config:
    """The run's data, in a training of another kind, on one device in float32."""
    train = {
        "epochs": finetuning.epochs,
        "devices": 1,
        "num_nodes": 1,
        "strategy": "single",
        "strategy_kwargs": {},
        "sync_batchnorm": False,
        "accelerator": "cpu",
        "precision": "32-true",
        "fp32_layers": (),
        "compile": False,
        "cache_features": False,
        "feature_views": 0,
        "freeze_batchnorm": True,
        "unfreeze": (),
        "accumulate": 1,
        "ema": None,
        "max_time": None,
        "max_steps": None,
        "fast_dev_run": False,
        "gradient_clip_norm": None,
        "gradient_clip_parameter_norm": None,
        "gradient_clip_value": None,
    }
    changes = {
        "data": config.data.model_copy(update={"batch_size": finetuning.batch_size}),
        "augment": config.augment.model_copy(update={"progressive": None}),
        # The weights are those of the network to train on; none are read or downloaded.
        "model": config.model.model_copy(
            update={"weights": None, "pretrained": False, "stem_init": None, "frozen": None}
        ),
        "loss": config.loss.model_copy(update={"l2": 0.0, "distillation": None}),
        "optimizer": AdamConfig(lr=finetuning.lr),
        # Adam's first steps move every weight by the whole rate.
        "schedule": CosineConfig(warmup=Duration(10, "%")),
        "train": config.train.model_copy(update=train),
    }
    return config.model_copy(update=changes)


def _first_images(setup: Setup) -> Tensor:
    """Up to `_IMAGES` of those that are trained on, float (n, C, h, w)."""
    rows = (image for batch in setup.loader.epoch(0) for image in batch.images)
    return torch.stack(list(islice(rows, _IMAGES)))


def _train(setup: Setup, log: Callable[[str], None]) -> None:
    step, steps = make_step(setup), setup.steps
    for epoch in range(setup.config.train.epochs):
        loss_sum, count = 0.0, 0
        for number, batch in enumerate(setup.loader.epoch(epoch), epoch * steps.per_epoch):
            if number >= _OBSERVED_SHARE * steps.total:
                freeze_ranges(setup.model)
            seed_device(step_seed(setup.config.seed, number, 0), setup.group.device)
            for group, rate in zip(setup.optimizer.param_groups, setup.base_learning_rates, strict=True):
                group["lr"] = rate * setup.parts.learning_rate_factor(number)
            result = step.forward_backward(batch)
            step.update()
            loss_sum, count = loss_sum + result.loss_sum, count + len(batch.positions)
            if not isfinite(loss_sum):
                raise TrainingError(
                    f"quantize.finetune: the loss is not a number at step {number + 1}; lower quantize.finetune.lr"
                )
        log(f"fine-tuning, epoch {epoch + 1}/{setup.config.train.epochs}: train loss {loss_sum / count:.4f}")
