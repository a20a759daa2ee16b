"""Lightning's Trainer with its defaults (logger, checkpoints, progress bar) and torchvision's DataLoader."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning
import torch
from measure import WARM_UP, Job, figures, run_job
from torch import nn
from torch_parts import heavy_list, make_loader, make_model
from torchvision.datasets import ImageFolder


class Classifier(lightning.LightningModule):
    """A module as Lightning's tutorials write it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        images, targets = batch
        loss = nn.functional.cross_entropy(self.model(images), targets)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


class EpochClock(lightning.Callback):
    """The wall time of an epoch."""

    seconds = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        self._begin = time.perf_counter()

    def on_train_epoch_end(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._begin


def epoch(job: Job) -> dict[str, float]:
    images = ImageFolder(Path(job["data"]) / "train", heavy_list(job["image_size"]))
    loader, module, clock = make_loader(images, job["batch_size"]), Classifier(make_model(job)), EpochClock()
    with TemporaryDirectory() as directory:
        for batches in (WARM_UP, len(loader)):
            trainer = lightning.Trainer(
                max_epochs=1, limit_train_batches=batches, callbacks=[clock], default_root_dir=directory
            )
            trainer.fit(module, loader)
    return figures(len(loader) * job["batch_size"], clock.seconds)


if __name__ == "__main__":
    run_job({"epoch": epoch})
