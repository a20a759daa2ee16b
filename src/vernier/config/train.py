"""`train`: how long, on what, how precisely."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from vernier.config.base import FieldConflict, Section
from vernier.config.duration import Duration
from vernier.config.scalars import source_text
from vernier.config.types import Anything, Auto, Count, DurationField, Flag, Number, Seed, Text

Precision = Literal["32-true", "bf16-mixed", "bf16-true", "16-mixed"]

_OTHER_NAMES: dict[str, Precision] = {
    **dict.fromkeys(("32", "fp32", "float32"), "32-true"),
    **dict.fromkeys(("bf16", "bfloat16", "mixed", "mixed_bfloat16"), "bf16-mixed"),
    **dict.fromkeys(("16", "fp16", "float16", "mixed_float16"), "16-mixed"),
}
"""Names of precisions that people bring from elsewhere."""


def _precision(value: Any) -> Any:
    """Our name of a precision that has another one elsewhere; anything else passes through."""
    text = source_text(value)
    return _OTHER_NAMES.get(text.lower(), value) if isinstance(text, str) else value


def _accelerator(value: Any) -> Any:
    return "cuda" if source_text(value) == "gpu" else value


_AnyPrecision = Annotated[
    Precision,
    BeforeValidator(_precision),
    WithJsonSchema({"enum": [*get_args(Precision), *_OTHER_NAMES, 32, 16]}),
]


def _one_or_several(value: Any) -> Any:
    return [value] if value != "all" and isinstance(value, str | int) else value


class UnfreezeConfig(Section):
    """Layers of `model.frozen` that train from some epoch on."""

    epoch: Annotated[int, Field(ge=2, strict=True)]
    """The first epoch in which they train; epochs count from 1."""
    layers: Annotated[Literal["all"] | tuple[Text, ...], BeforeValidator(_one_or_several)] = "all"
    """As in `model.frozen`: indices, regular expressions, or all that is frozen still."""
    lr: Annotated[Number, Field(ge=0)] | None = None
    """Their learning rate before the schedule's factor; `optimizer.lr` when not given."""


class EMAConfig(Section):
    """An exponential moving average of the weights, with BatchNorm's statistics (Polyak & Juditsky 1992)."""

    decay: Annotated[Number, Field(gt=0, lt=1)] | Auto = "auto"
    """Share of the average that stays at a step. auto: 0.75^(images a step / images an epoch), from 0.99 to 0.99975."""
    warmup: Flag = False
    """Let step t (from 0) keep at most (1 + t) / (10 + t), so that the first weights are soon forgotten."""


class TrainConfig(Section):
    """How long, on what, how precisely."""

    epochs: Count = 10
    threads: Count | Auto = "auto"
    """Compute threads on a CPU. Results are bit-identical for the same number. auto: all processors."""
    devices: Count | Annotated[tuple[Annotated[int, Field(ge=0, strict=True)], ...], Field(min_length=1)] | Auto = (
        "auto"
    )
    """Processes of this machine, one a device: how many, or which GPUs, as in `[0,2]`. auto: 1, or as many as torchrun
    has started."""
    accelerator: Annotated[Literal["cpu", "cuda", "mps", "auto"], BeforeValidator(_accelerator)] = "auto"
    """auto: a GPU when there is one, else the CPU."""
    num_nodes: Count = 1
    """Machines. More than one are started by torchrun, which says how many there are."""
    strategy: Literal["single", "ddp", "fsdp", "auto"] = "auto"
    """auto: `single` on one device, `ddp` on several. fsdp keeps weights, gradients and the optimizer's state in
    shards; it needs `speed=off` and does without some of the toolbox (docs/devices.md)."""
    strategy_kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments: of torch's DistributedDataParallel, such as `{find_unused_parameters: true}`; of fsdp,
    `{reshard_after_forward: false}`."""
    sync_batchnorm: Flag | Auto = "auto"
    """Compute BatchNorm's statistics over the batches of all processes. auto: on several GPUs, and with fsdp."""
    precision: _AnyPrecision | Auto = "auto"
    """32, fp32, bf16, mixed (bf16-mixed), 16 and fp16 (16-mixed) are understood. auto: what `speed` finds fastest,
    32-true when nothing is measured."""
    speed: Literal["auto", "off"] = "auto"
    """`auto` measures a few real steps and sets what is `auto` among `precision`, `memory_format`, `compile`,
    `allocator`, `matmul_precision` and `threads` to the fastest. `off` measures nothing: plain fp32."""
    fp32_layers: tuple[Text, ...] | Auto = "auto"
    """Layers that compute in fp32 under a mixed precision. auto: with `speed=auto`, those whose half-precision
    kernels are slow on this machine; else none."""
    memory_format: Literal["channels_last", "contiguous"] | Auto = "auto"
    """Memory order of images and convolution weights. auto: what `speed` finds fastest, else channels_last."""
    compile: Flag | Auto = "auto"
    """Compile the network's steps with torch.compile, pinned to the full batch's shape.
    auto: what `speed` finds fastest, else false."""
    allocator: Literal["keep", "system"] | Auto = "auto"
    """`keep` lets the process keep freed memory (glibc's thresholds), which spares page faults every step;
    `system` leaves the C library as it is. auto: keep on Linux with a CPU."""
    matmul_precision: Literal["highest", "high"] | Auto = "auto"
    """`high` lets a GPU multiply matrices and convolve in TF32 (10 bits of mantissa). auto: what `speed` finds fastest,
    else highest."""
    cache_features: Flag | Auto = "auto"
    """Compute the outputs of a frozen first part of the model once and train the rest on them.
    auto: when `model.frozen` leaves such a part and there is room."""
    feature_views: Annotated[int, Field(ge=0, strict=True)] | Auto = "auto"
    """How many augmented views of each image training sees: epoch e has the draws of epoch e mod K. 0: new draws
    every epoch. auto: one for every 20 epochs (at least one) where features are cached, else 0."""
    unfreeze: tuple[UnfreezeConfig, ...] = ()
    """Frozen layers that begin to train later: `[{epoch: 5, layers: layer4, lr: 1e-4}]`."""
    accumulate: Count = 1
    """Batches whose gradients are averaged for one optimizer step: as one batch that many times larger, except for
    BatchNorm. An epoch's last step may have fewer."""
    ema: EMAConfig | None = None
    """Validate and save an average of the weights over the steps; `train.ema=0.999` or `train.ema=auto` is enough."""
    max_time: DurationField | None = None
    """Stop after this much time of training, such as `2h`; validate and save as at the end."""
    max_steps: Count | None = None
    """Stop after this many optimizer steps, if `epochs` does not end first; the schedule ends there too."""
    limit_train: DurationField | None = None
    """At most this much of every epoch: `100st` (batches) or `10%`. Each epoch has its own images."""
    limit_val: DurationField | None = None
    """At most this much of the validation set: `10st` (batches of `data.eval_batch_size`) or `10%`, spread over it."""
    overfit_batches: Count | None = None
    """Train on these few batches only, in the same order every epoch and as evaluation sees them, and validate on
    them: a model that can't learn them by heart has a bug."""
    memory_limit: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Share of its GPU's memory that a process may take; it runs out of memory beyond."""
    seeds: Count | tuple[Seed, ...] | None = None
    """Train once for each seed: these, or as many as this from `seed` on, and report mean and standard deviation."""
    gradient_clip_norm: Annotated[Number, Field(gt=0)] | None = None
    """Scale all gradients together down to this global L2 norm."""
    gradient_clip_parameter_norm: Annotated[Number, Field(gt=0)] | None = None
    """Scale the gradient of each parameter tensor down to this L2 norm, as Keras's `clipnorm` does."""
    gradient_clip_value: Annotated[Number, Field(gt=0)] | None = None
    """Clip each gradient element to plus or minus this."""
    freeze_batchnorm: Flag = False
    """Keep BatchNorm layers in eval mode: their running statistics stay, their weights train."""
    monitor: Text | Auto = "auto"
    """Validation metric that `best` and early stopping go by. auto: accuracy; macro_f1 for multilabel."""
    monitor_mode: Literal["max", "min"] | Auto = "auto"
    """Whether higher or lower values of the monitored metric are better. auto: min for losses and errors, else max."""
    checkpoint_every: DurationField = Duration(60, "s")
    """Save the training state this often, besides at every epoch's end."""
    log_every: DurationField = Duration(50, "st")
    """Write a row to steps.csv this often."""
    deterministic: Flag = True
    """Only use kernels whose result is the same every time. An operation that has none is an error on a CPU, and named
    in a warning on a GPU."""
    fast_dev_run: Flag = False
    """One training batch and one validation batch through everything, to see whether it works."""
    profile: Flag = False
    """Trace a few steps of the second epoch (of the first, if there is one only) to `profile/` in the run, for
    TensorBoard or Perfetto."""
    debug: Flag = False
    """One thread, one process, no compilation: a debugger's breakpoint works anywhere."""

    @property
    def device_count(self) -> int:
        """Processes of this machine; 1 while `devices` is auto."""
        if self.devices == "auto":
            return 1
        return self.devices if isinstance(self.devices, int) else len(self.devices)

    @model_validator(mode="after")
    def _one_way_to_clip(self) -> "TrainConfig":
        ways = ("gradient_clip_norm", "gradient_clip_parameter_norm", "gradient_clip_value")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) > 1:
            raise FieldConflict(tuple(reversed(given)), f"excludes {', '.join(given[:-1])}; set one of them")
        return self
