"""What may change when a training goes on, and what may not."""

from collections.abc import Sequence

from vernier.config.writing import Change
from vernier.errors import RunError

_FIXED = {
    "seed": "the order of the images and every random draw follow it",
    "data.source": "the weights were trained on other images",
    "data.root": "the weights were trained on other images",
    "data.train": "the weights were trained on other images",
    "data.lists": "the weights were trained on other images",
    "data.list_ratios": "the position within the epoch counts the batches that they draw",
    "data.columns": "images would have other labels, weights or splits",
    "data.val": "earlier figures were measured on other images",
    "data.test": "earlier figures were measured on other images",
    "data.train_split": "the weights were trained on other images",
    "data.val_split": "earlier figures were measured on other images",
    "data.class_names": "the outputs stand for other classes",
    "data.task": "the outputs mean something else",
    "data.stream.window": "the position within the epoch follows it",
    "data.value_range": "images would have other values",
    "data.channel_names": "operations on colour would change other channels",
    "data.channels": "the first layer takes other channels",
    "data.split": "training images would be scored as validation",
    "data.on_bad_image": "other images would be in the splits",
    "data.batch_size": "the position within the epoch counts batches",
    "model": "the weights belong to another architecture",
    "data.sampler": "the position within the epoch counts its batches",
    "train.accumulate": "the position within the epoch counts steps of so many batches",
    "train.limit_train": "the position within the epoch counts its batches",
    "train.overfit_batches": "the weights were trained on other images",
    "scenario": "its images, model and loss would be others",
    "train.unfreeze": "the optimizer's state goes by which layers trained since when",
    "optimizer.name": "the optimizer's state belongs to another optimizer",
    **{
        f"optimizer.{name}": "the optimizer's state is made for it"
        for name in (
            "groups",
            "layer_decay",
            "decay_norm_and_bias",
            "lookahead",
            "callable",
            "kwargs",
            "amsgrad",
            "centered",
            "momentum",
        )
    },
    "run.name": "the run's directory has its name",
    "run.checkpoint_dir": "the training state is where it is",
    "run.export_dir": "the bundles are where they are",
}

IDENTITY_FREE = (
    "data.threads",
    "data.store",
    "data.store_dir",
    "data.eval_batch_size",
    "data.stream.retries",
    "data.stream.timeout",
    "data.stream.cache",
    "train.epochs",
    "train.checkpoint_every",
    "train.log_every",
    "track",
    "export",
    "quantize",
    "run",
)
"""Settings that do not make a run another run: the same command with others of them continues it."""


def refuse_impossible(changes: Sequence[Change]) -> None:
    """Check the changed settings of a run that is to go on.

    Raises:
        RunError: some of them can't change, with the reasons.
    """
    problems = [(change, reason) for change in changes if (reason := _reason(change.key))]
    if problems:
        lines = [f"  {change.key}: {change.old!r} -> {change.new!r}: {reason}" for change, reason in problems]
        raise RunError(
            "this run can't go on with\n" + "\n".join(lines) + "\nStart another run instead: run.new=true, "
            "with model.weights=RUN to begin from this one's weights."
        )


def _reason(key: str) -> str | None:
    parts = key.split(".")
    prefixes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return next((_FIXED[prefix] for prefix in prefixes if prefix in _FIXED), None)


def is_identity_free(key: str) -> bool:
    """Whether a dotted key may differ between two commands that mean the same run."""
    return any(key == free or key.startswith(f"{free}.") for free in IDENTITY_FREE)
