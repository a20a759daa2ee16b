"""A teacher, whose probabilities are learned besides the labels (Hinton et al. 2015, "Distilling the knowledge")."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.config.augment import Normalize, Rescale, Resize
from vernier.config.loss import DistillationConfig
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.config.train import Precision
from vernier.data.wording import listed
from vernier.errors import ConfigError, ConfigProblem, ModelError
from vernier.losses.loss import Teacher
from vernier.models.bundle import BundleInfo, load_bundle
from vernier.models.task import Task

_KEY = "loss.distillation.teacher"

Divergence = Callable[[Tensor, Tensor], Tensor]
"""float32 (n,) from the teacher's and the student's logits, float32 (n, outputs)."""


@final
class TeachersView(nn.Module):
    """The student's images as the teacher takes them: normalised and sized as the teacher's are.

    Args:
        student: what has made the images; only its scale and offset matter.
        teacher: what the teacher's images are made by.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, student: Preprocessing, teacher: Preprocessing) -> None:
        super().__init__()
        scale, offset = (torch.tensor(each, dtype=torch.float64) for each in (student.scale, student.offset))
        factor = torch.tensor(teacher.scale, dtype=torch.float64) / scale
        shift = torch.tensor(teacher.offset, dtype=torch.float64) - offset * factor
        self.register_buffer("factor", factor.float()[:, None, None])
        self.register_buffer("shift", shift.float()[:, None, None])
        self._size = teacher.input_size

    def forward(self, images: Tensor) -> Tensor:
        """float32 (n, C, height, width) from (n, C, H, W) of any precision."""
        images = images.float() * self.factor + self.shift
        if tuple(images.shape[2:]) == self._size:
            return images
        # What is shrunk without antialiasing has patterns that the teacher has never seen.
        return functional.interpolate(images, self._size, mode="bilinear", antialias=True)


@final
class StudentsOrder(nn.Module):
    """The teacher's logits in the order of the student's outputs.

    Args:
        teacher: the teacher's classes.
        student: the same classes in another order.
        binary: there is a single logit, of the second class.
    """

    places: Tensor

    def __init__(self, teacher: Sequence[str], student: Sequence[str], *, binary: bool) -> None:
        super().__init__()
        places = [0] if binary else [teacher.index(name) for name in student]
        self.register_buffer("places", torch.tensor(places))
        self._sign = -1.0 if binary and tuple(teacher) != tuple(student) else 1.0

    def forward(self, logits: Tensor) -> Tensor:
        """float32 (n, outputs)."""
        return logits.float().index_select(1, self.places) * self._sign


@final
class DistillationTeacher:
    """(1 - w) of the losses and w T^2 of the divergence from teacher to student, both at temperature T.

    T^2 keeps the size of the gradients.

    Args:
        network: From the student's images to logits in the student's order; in eval mode.
        config: w and T.
        divergence: Of logits that are divided by T.
        precision: What the teacher computes in.
    """

    def __init__(
        self, network: nn.Module, config: DistillationConfig, divergence: Divergence, precision: Precision
    ) -> None:
        self._network, self._config, self._divergence = network, config, divergence
        self._precision = precision
        self._device = torch.device("cpu")

    def __call__(self, images: Tensor, logits: Tensor, losses: Tensor) -> Tensor:
        """float32 (n,) from the images as the student received them, its logits and its own losses."""
        temperature, weight = self._config.temperature, self._config.weight
        divergence = self._divergence(self._logits(images) / temperature, logits.float() / temperature)
        return (1 - weight) * losses + weight * temperature**2 * divergence

    @torch.no_grad()
    def _logits(self, images: Tensor) -> Tensor:
        if images.device != self._device:
            self._network.to(images.device)
            self._device = images.device
        half = torch.float16 if self._precision == "16-mixed" and images.device.type != "cpu" else torch.bfloat16
        with torch.autocast(images.device.type, dtype=half, enabled=self._precision != "32-true"):
            logits: Tensor = self._network(images)
        return logits


def softmax_divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(teacher || student) = sum_c p_c log(p_c / q_c) between softmaxes."""
    log_p, log_q = teacher.log_softmax(dim=1), student.log_softmax(dim=1)
    return functional.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)


def sigmoid_divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(teacher || student) between the sigmoids of each label, the mean over the labels.

    It is the binary cross-entropy between them less the teacher's entropy, which the student can't change.
    """
    p = teacher.sigmoid()
    cross, entropy = (
        functional.binary_cross_entropy_with_logits(logits, p, reduction="none") for logits in (student, teacher)
    )
    return (cross - entropy).mean(dim=1)


def make_teacher(config: Config, task: Task) -> Teacher | None:
    """The teacher of `loss.distillation`; None without. The user's own code is run if the bundle names it.

    Args:
        config: Resolved.
        task: The student's.

    Raises:
        ConfigError: no bundle there, or one for another task, other classes or other channels.
    """
    distillation = config.loss.distillation
    if distillation is None:
        return None
    module, info = _load(distillation.teacher)
    preprocessing = Preprocessing.from_json(info.preprocessing)
    student = _preprocessing(config)
    _check(info, preprocessing, task, student)
    network = nn.Sequential(
        TeachersView(student, preprocessing),
        module,
        StudentsOrder(info.class_names, task.class_names, binary=task.name == "binary"),
    )
    channels_last = config.train.memory_format == "channels_last"
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    network = network.eval().requires_grad_(False).to(memory_format=memory_format)
    divergence = softmax_divergence if task.name == "multiclass" else sigmoid_divergence
    return DistillationTeacher(network, distillation, divergence, cast(Precision, settled(config.train.precision)))


def _load(teacher: str) -> tuple[nn.Module, BundleInfo]:
    try:
        return load_bundle(Path(teacher).expanduser(), trust=True)
    except ModelError as error:
        raise ConfigError([ConfigProblem(_KEY, str(error))]) from None


def _preprocessing(config: Config) -> Preprocessing:
    """Normalisation and size of the student's training images."""
    affine = [operation for operation in settled(config.augment.train) if isinstance(operation, Normalize | Rescale)]
    resize = Resize(mode="fit", size=settled(config.model.input_size))
    channels = settled(config.data.channels)
    return compile_preprocessing([resize, *affine], channels=channels, fill=0, interpolation="bilinear")


def _check(info: BundleInfo, teacher: Preprocessing, task: Task, student: Preprocessing) -> None:
    problems = []
    if info.task != task.name:
        problems.append(f"its task is {info.task}, but this training's is {task.name}")
    elif sorted(info.class_names) != sorted(task.class_names):
        ours, theirs = set(task.class_names), set(info.class_names)
        missing, more = listed(sorted(ours - theirs)) or "none", listed(sorted(theirs - ours)) or "none"
        problems.append(f"its classes must be this training's; it lacks {missing} and has besides {more}")
    if teacher.channels != student.channels:
        problems.append(f"it takes {teacher.channels} channel(s), but data.channels is {student.channels}")
    if problems:
        raise ConfigError([ConfigProblem(_KEY, f"{problem}; choose another bundle") for problem in problems])
