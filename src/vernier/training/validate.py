"""Measuring the model during a training, and saving it with what it takes to use it."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from vernier.config.settled import settled
from vernier.evaluation.evaluators import with_evaluators
from vernier.evaluation.inference import predict_logits
from vernier.evaluation.metrics import Measures, measure
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.training.limits import ONE_BATCH, limited_positions, validation_positions
from vernier.training.provenance import provenance
from vernier.training.run_directory import RunDirectory
from vernier.training.setup import Setup
from vernier.training.sharding import Evaluated, whole_model
from vernier.training.state import TrainState
from vernier.versions import versions

SplitName = Literal["train", "val", "test"]


def validate(setup: Setup, split: SplitName) -> Measures:
    """Measure the model on a split that is not empty. Every process gets the same figures."""
    positions = split_positions(setup, split)
    return measured(setup, positions, split_logits(setup, positions))


def measured(setup: Setup, positions: np.ndarray, logits: np.ndarray) -> Measures:
    """The measures of samples by the model's outputs for them, float32 (n, outputs)."""
    parts, source = setup.parts, setup.dataset.source
    measures = measure(logits, source.targets[positions], setup.task, setup.config.evaluate, parts.metrics)
    if not parts.evaluators:
        return measures
    paths = [source.images.key(position) for position in positions.tolist()]
    return with_evaluators(measures, parts.evaluators, paths, setup.task)


def split_positions(setup: Setup, split: SplitName) -> np.ndarray:
    """The samples of a split that are measured: all of them unless `train` limits them."""
    config, parts = setup.config, setup.dataset.split
    batch_size = settled(config.data.eval_batch_size)
    if split == "val":
        return validation_positions(parts, setup.parts.order, config.train, batch_size)
    positions: np.ndarray = getattr(parts, split)
    return limited_positions(positions, ONE_BATCH, batch_size) if config.train.fast_dev_run else positions


def split_logits(setup: Setup, positions: np.ndarray) -> np.ndarray:
    """The model's outputs for samples, float32 (n, outputs), in order; processes share the work."""
    mine = _share(positions, setup)
    logits = _whole_model_logits(setup, mine) if setup.features is None else setup.features.logits(mine)
    rows = torch.from_numpy(logits).to(setup.group.device)
    return setup.group.gather_rows(rows, len(positions)).cpu().numpy()


def _share(positions: np.ndarray, setup: Setup) -> np.ndarray:
    """The positions of this process; as many in every one where all have to compute the same batches."""
    rank, processes = setup.group.rank, setup.group.world_size
    if setup.skeleton is not None:
        # Blocks of a sharded model wait for all processes. What is left over repeats the first ones.
        positions = np.resize(positions, -(-len(positions) // processes) * processes)
    return positions[rank::processes]


def _whole_model_logits(setup: Setup, positions: np.ndarray) -> np.ndarray:
    sharded = setup.skeleton is not None
    return predict_logits(
        Evaluated(setup.model) if sharded else setup.model,
        setup.dataset.store,
        positions,
        setup.parts.preprocessing,
        batch_size=settled(setup.config.data.eval_batch_size),
        threads=settled(setup.config.data.threads),
        device=setup.fabric.device,
        precision=settled(setup.config.train.precision),
        memory_format=setup.memory_format,
    )


def save_model(setup: Setup, run: RunDirectory, name: Literal["best", "final"], state: TrainState) -> None:
    """Save the model as a bundle. Every process calls this; the first one writes."""
    model = setup.model if setup.skeleton is None else whole_model(setup.model, setup.skeleton)
    if setup.group.rank == 0:
        _save_bundle(run.bundle(setup.config.run, name), model, setup, state)


def save_bundle_to(path: Path, setup: Setup, state: TrainState) -> None:
    """Save the model as it is now, with the measures of the last validation; not one in shards."""
    _save_bundle(path, setup.model, setup, state)


def _save_bundle(path: Path, model: nn.Module, setup: Setup, state: TrainState) -> None:
    unfinished = state.batch > 0
    info = BundleInfo(
        architecture=setup.parts.architecture,
        class_names=setup.dataset.source.class_names,
        task=setup.task.name,
        preprocessing=setup.parts.preprocessing.to_json(),
        threshold=setup.config.evaluate.threshold,
        temperature=None,
        metrics={"epoch": state.epoch + unfinished, "step": state.step, "val": state.validation},
        versions=versions(),
        provenance=provenance(setup.config, setup.dataset),
    )
    save_bundle(path, model, info)
