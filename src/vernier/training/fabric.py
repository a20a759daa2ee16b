"""Lightning Fabric, imported without torchmetrics.

Fabric asks for the version of torchmetrics by importing it where it is installed, and with it torchvision and
torch's compiler: about 40 % of the time that `vernier train` took to start. Only Fabric's detector of loss spikes,
which Vernier does not use, looks at the answer.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _not_importable(name: str) -> Iterator[None]:
    """Make importing a module fail as if it were not installed, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


with _not_importable("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

__all__ = ["DDPStrategy", "Fabric", "LightningEnvironment"]
