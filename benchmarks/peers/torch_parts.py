"""Models, transforms and data of the peers that build on PyTorch."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import timm
import torch
from measure import WARM_UP, Job, T
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

WORKERS = 2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BILINEAR = transforms.InterpolationMode.BILINEAR


def make_model(job: Job) -> nn.Module:
    """The model of a job with random weights, in training mode."""
    return timm.create_model(job["model"], num_classes=job.get("classes", 5))


def warps() -> list[nn.Module]:
    """The part of the heavy list that timm has no argument for."""
    return [
        transforms.RandomRotation(15, interpolation=_BILINEAR),
        transforms.RandomPerspective(0.2, p=0.5, interpolation=_BILINEAR),
    ]


def heavy_list(size: int) -> transforms.Compose:
    """The heavy list on PIL images."""
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            *warps(),
            transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )


def small_list(size: int) -> transforms.Compose:
    """Crop, flip, normalise."""
    return transforms.Compose(
        [
            transforms.RandomCrop(size, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )


class ArrayDataset(Dataset):
    """Decoded images in memory, each turned into a PIL image when asked for, as torchvision's CIFAR10 does."""

    def __init__(self, images: np.ndarray, transform: transforms.Compose) -> None:
        self._images = images
        self._transform = transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), 0


def decoded(directory: Path, file: Path) -> np.ndarray:
    """All images of class folders, uint8 (n, H, W, 3); decoded once and kept in `file`."""
    if not file.is_file():
        paths = [path for path, _ in ImageFolder(directory).samples]
        images = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, images)
    return np.load(file)


def make_loader(dataset: Dataset, batch_size: int) -> DataLoader:
    """A DataLoader for training as most scripts make it."""
    return DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=WORKERS, drop_last=True)


def warm_up_batches(loader: Iterable[T]) -> Iterator[T]:
    """The first few batches of an epoch that is not timed."""
    return islice(iter(loader), WARM_UP)
