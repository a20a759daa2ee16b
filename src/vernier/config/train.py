"""`train`: how long, on what, how precisely."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vernier.config.base import FieldConflict, Section
from vernier.config.duration import Duration
from vernier.config.types import Auto, Count, DurationField, Flag, Number, Text

Precision = Literal["32-true", "bf16-mixed", "bf16-true", "16-mixed"]


class TrainConfig(Section):
    """How long, on what, how precisely."""

    epochs: Count = 10
    threads: Count | Auto = "auto"
    """Compute threads on a CPU. Results are bit-identical for the same number. auto: all processors."""
    devices: Count | Auto = "auto"
    """Processes of this machine, one a device. auto: 1."""
    accelerator: Literal["cpu", "cuda", "mps", "auto"] = "auto"
    """auto: a GPU when there is one, else the CPU."""
    num_nodes: Count = 1
    strategy: Literal["single", "ddp", "fsdp", "auto"] = "auto"
    """auto: `single` on one device, `ddp` on several. fsdp is refused for now."""
    precision: Precision | Auto = "auto"
    """auto: 32-true."""
    memory_format: Literal["channels_last", "contiguous"] = "channels_last"
    """Memory order of images and convolution weights; channels_last is faster on CPUs and GPUs."""
    speed: Literal["auto", "off"] = "auto"
    """`off` is plain fp32. `auto` equals `off` until Vernier measures which kernels are fastest."""
    gradient_clip_norm: Annotated[Number, Field(gt=0)] | None = None
    """Scale all gradients together down to this global L2 norm."""
    gradient_clip_value: Annotated[Number, Field(gt=0)] | None = None
    """Clip each gradient element to plus or minus this."""
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    freeze_batchnorm: Flag = False
    """Keep BatchNorm layers in eval mode: their running statistics stay, their weights train."""
    monitor: Text | Auto = "auto"
    """Validation metric that `best` and early stopping go by. auto: accuracy; macro_f1 for multilabel."""
    checkpoint_every: DurationField = Duration(60, "s")
    """Save the training state this often, besides at every epoch's end."""
    log_every: DurationField = Duration(50, "st")
    """Write a row to steps.csv this often."""
    deterministic: Flag = True
    """Only use kernels whose result is the same every time."""
    fast_dev_run: Flag = False
    """One training batch and one validation batch through everything, to see whether it works."""
    debug: Flag = False
    """One thread, one process, no compilation: a debugger's breakpoint works anywhere."""

    @model_validator(mode="after")
    def _one_way_to_clip(self) -> "TrainConfig":
        if self.gradient_clip_norm is not None and self.gradient_clip_value is not None:
            raise FieldConflict(
                ("gradient_clip_value", "gradient_clip_norm"),
                "excludes gradient_clip_norm; set one of the two",
            )
        return self
