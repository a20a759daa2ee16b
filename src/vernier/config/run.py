"""`run`: where a training's results go."""

from vernier.config.base import Section
from vernier.config.types import Auto, Flag, Text


class RunConfig(Section):
    """Where a training's results go."""

    dir: Text | None = None
    """The exact run directory; `root`, `name` and `pattern` make one when it is not given."""
    root: Text = "runs"
    name: Text | Auto = "auto"
    """auto: the config file's name, else the data's."""
    pattern: Text = "%Y-%m-%d_%H-%M-%S"
    """Time pattern of the directory under `root/name`."""
    new: Flag = False
    """Start afresh even when an unfinished run of the same name and config is there."""
    checkpoint_dir: Text | None = None
    """Training state here instead of `RUN/checkpoints`."""
    export_dir: Text | None = None
    """Bundles here instead of `RUN/best` and `RUN/final`."""
    log_dir: Text | None = None
    """TensorBoard events here instead of `RUN`."""
