"""What the outputs of a network mean: probabilities and decisions of a classification task, and its plain loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import numpy as np

if TYPE_CHECKING:
    # Exported models are used without torch, and their answers are this module's too.
    from torch import Tensor

TaskName = Literal["multiclass", "binary", "multilabel"]


@dataclass(frozen=True)
class Task(ABC):
    """A classification task over N images and C classes.

    Attributes:
        class_names: the C classes in the order of the outputs; binary: negative, positive.
        threshold: probability from which on a binary or multilabel label counts as predicted.
    """

    class_names: tuple[str, ...]
    threshold: float = 0.5

    @property
    @abstractmethod
    def name(self) -> TaskName:
        """The name in `data.task`."""

    @property
    def num_outputs(self) -> int:
        """Logits for each image."""
        return len(self.class_names)

    @abstractmethod
    def evaluation_loss(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """What evaluation reports, whatever training minimises: the cross-entropy, float32 (N,).

        Args:
            logits: (N, num_outputs), of any precision.
            targets: As `targets` gives them.
        """

    @abstractmethod
    def targets(self, targets: np.ndarray) -> "Tensor":
        """Rows of `Source.targets` as the loss takes them."""

    @abstractmethod
    def probabilities(self, logits: "Tensor") -> "Tensor":
        """float32 (N, C) from logits (N, num_outputs)."""

    @abstractmethod
    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Predictions in the form of `Source.targets`, from probabilities (N, C)."""

    @abstractmethod
    def confidence(self, probabilities: np.ndarray) -> np.ndarray:
        """The probability of each decision, (N,); multilabel: of the least certain of its C decisions."""

    @abstractmethod
    def correct(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """bool (N,): whether the whole decision is right; targets as the loss takes them."""

    @abstractmethod
    def labels(self, decisions: np.ndarray) -> list[str]:
        """Decisions or targets in words; multilabel: names joined by `|`."""


@final
class Multiclass(Task):
    """One of C classes: softmax, cross-entropy. Targets int64 (N,)."""

    @property
    def name(self) -> TaskName:
        """`multiclass`."""
        return "multiclass"

    def evaluation_loss(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """Softmax cross-entropy, float32 (N,)."""
        from torch.nn import functional

        return functional.cross_entropy(logits.float(), targets, reduction="none")

    def targets(self, targets: np.ndarray) -> "Tensor":
        """int64 (N,)."""
        import torch

        return torch.from_numpy(targets.astype(np.int64))

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Softmax, float32 (N, C)."""
        return logits.float().softmax(dim=1)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """The most probable class, int64 (N,)."""
        return np.asarray(probabilities.argmax(axis=1))

    def confidence(self, probabilities: np.ndarray) -> np.ndarray:
        """The highest probability, (N,)."""
        return np.asarray(probabilities.max(axis=1))

    def correct(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """bool (N,): the most probable class is the target."""
        return logits.argmax(dim=1) == targets

    def labels(self, decisions: np.ndarray) -> list[str]:
        """Class names."""
        return [self.class_names[decision] for decision in decisions]


@final
class Binary(Task):
    """The second class or not: one logit, sigmoid, binary cross-entropy. Targets int64 (N,) of 0 and 1."""

    @property
    def name(self) -> TaskName:
        """`binary`."""
        return "binary"

    @property
    def num_outputs(self) -> int:
        """One: the logit of the second class."""
        return 1

    def evaluation_loss(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """Sigmoid cross-entropy, float32 (N,)."""
        return _binary_cross_entropy(logits.squeeze(1), targets)

    def targets(self, targets: np.ndarray) -> "Tensor":
        """float32 (N,)."""
        import torch

        return torch.from_numpy(targets.astype(np.float32))

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Of the negative and the positive class, float32 (N, 2)."""
        import torch

        return torch.cat([-logits, logits], dim=1).float().sigmoid()

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """1 from the threshold on, else 0; int64 (N,)."""
        return (probabilities[:, 1] >= self.threshold).astype(np.int64)

    def confidence(self, probabilities: np.ndarray) -> np.ndarray:
        """The probability of the predicted class, (N,)."""
        return np.take_along_axis(probabilities, self.decide(probabilities)[:, None], axis=1)[:, 0]

    def correct(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """bool (N,): on the right side of the threshold."""
        return (logits.squeeze(1).float().sigmoid() >= self.threshold) == (targets > 0.5)

    def labels(self, decisions: np.ndarray) -> list[str]:
        """Class names."""
        return [self.class_names[decision] for decision in decisions]


@final
class Multilabel(Task):
    """Any of C labels: sigmoids; the loss of an image is the mean over its labels. Targets uint8 (N, C)."""

    @property
    def name(self) -> TaskName:
        """`multilabel`."""
        return "multilabel"

    def evaluation_loss(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """Sigmoid cross-entropy, the mean over the labels; float32 (N,)."""
        return _binary_cross_entropy(logits, targets).mean(dim=1)

    def targets(self, targets: np.ndarray) -> "Tensor":
        """float32 (N, C)."""
        import torch

        return torch.from_numpy(targets.astype(np.float32))

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Sigmoids, float32 (N, C); rows need not sum to 1."""
        return logits.float().sigmoid()

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """uint8 (N, C): 1 from the threshold on."""
        return (probabilities >= self.threshold).astype(np.uint8)

    def confidence(self, probabilities: np.ndarray) -> np.ndarray:
        """The probability of the least certain decision of each image, (N,)."""
        of_decision = np.where(self.decide(probabilities) == 1, probabilities, 1 - probabilities)
        return np.asarray(of_decision.min(axis=1))

    def correct(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """bool (N,): every label on the right side of the threshold."""
        return ((logits.float().sigmoid() >= self.threshold) == (targets > 0.5)).all(dim=1)

    def labels(self, decisions: np.ndarray) -> list[str]:
        """The names of an image's labels joined by `|`; empty for none."""
        names = np.asarray(self.class_names, dtype=object)
        return ["|".join(names[row.astype(bool)]) for row in decisions]


def make_task(name: TaskName, class_names: tuple[str, ...], *, threshold: float = 0.5) -> Task:
    """The task of a name in `data.task`."""
    kinds: dict[TaskName, type[Task]] = {"multiclass": Multiclass, "binary": Binary, "multilabel": Multilabel}
    return kinds[name](class_names, threshold)


def _binary_cross_entropy(logits: "Tensor", targets: "Tensor") -> "Tensor":
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
