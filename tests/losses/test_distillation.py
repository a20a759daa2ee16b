"""What a student learns from a teacher of another normalisation, size and order of classes."""

import numpy as np
import pytest
import torch
from loss_reference import logits, sigmoid, softmax
from torch.nn import functional

from vernier.augment.preprocess import Preprocessing
from vernier.config.augment import Resize
from vernier.config.loading import config_from_mapping
from vernier.config.loss import DistillationConfig
from vernier.errors import ConfigError
from vernier.losses.distillation import (
    DistillationTeacher,
    StudentsOrder,
    TeachersView,
    make_teacher,
    sigmoid_divergence,
    softmax_divergence,
)
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, load_bundle, save_bundle
from vernier.models.providers import construct
from vernier.models.task import make_task

NAMES = ("cat", "dog", "owl")


def preprocessing(size: int = 8, scale: float = 1 / 255, offset: float = 0.0, channels: int = 1) -> Preprocessing:
    resize = (Resize(mode="fit", size=(size, size)),)
    return Preprocessing(channels, resize, "bilinear", 0, (scale,) * channels, (offset,) * channels)


def bundle(path, task: str = "multiclass", names=NAMES, prepared: Preprocessing | None = None):
    """A network of random weights."""
    prepared = prepared or preprocessing()
    outputs = make_task(task, names).num_outputs
    architecture = Architecture("zoo", "digits_cnn", {}, outputs, prepared.channels, prepared.input_size)
    torch.manual_seed(1)
    info = BundleInfo(architecture, names, task, prepared.to_json(), 0.5, 2.5, {}, {})
    save_bundle(path, construct(architecture), info)
    return path


def student(path, task: str = "multiclass", names=NAMES, channels: int = 1, **distillation):
    """The teacher of a training on 8x8 images that are normalised to (x / 255 - 0.5) / 0.25."""
    mapping = {
        "data": {"source": "digits", "channels": channels},
        "augment": {"train": ["Resize", {"Normalize": {"mean": 0.5, "std": 0.25}}]},
        "model": {"input_size": 8},
        "train": {"precision": "32-true"},
        "loss": {"distillation": {"teacher": str(path), **distillation}},
    }
    return make_teacher(config_from_mapping(mapping, checks=()).config, make_task(task, names))


def images(n: int = 4, channels: int = 1) -> torch.Tensor:
    """uint8 pixels, and as the student sees them."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, channels, 8, 8))
    return torch.tensor(pixels, dtype=torch.float32)


def seen(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels / 255 - 0.5) / 0.25


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_divergence_of_softmaxes_is_hintons(temperature):
    teacher, values = logits(5, 3, seed=1), logits(5, 3)
    p, q = softmax(teacher / temperature), softmax(values / temperature)
    result = softmax_divergence(teacher / temperature, values / temperature)
    np.testing.assert_allclose(result, (p * np.log(p / q)).sum(axis=1), rtol=1e-4, atol=1e-6)


def test_divergence_of_sigmoids_is_the_mean_over_the_labels():
    teacher, values = logits(5, 3, seed=1), logits(5, 3)
    p, q = sigmoid(teacher), sigmoid(values)
    expected = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(axis=1)
    np.testing.assert_allclose(sigmoid_divergence(teacher, values), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("divergence", [softmax_divergence, sigmoid_divergence])
def test_a_student_that_says_the_same_learns_nothing_from_the_teacher(divergence):
    values = logits(5, 3).requires_grad_()
    result = divergence(values.detach(), values)
    result.sum().backward()
    torch.testing.assert_close(result, torch.zeros(5))
    torch.testing.assert_close(values.grad, torch.zeros(5, 3))


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel"])
def test_the_teacher_gives_what_its_bundle_gives_for_the_same_pixels(tmp_path, task):
    names = NAMES[:2] if task == "binary" else NAMES
    prepared = preprocessing(scale=0.01, offset=-1.2)
    path = bundle(tmp_path / "teacher", task, names, prepared)
    teacher = student(path, task, names, temperature=1.0, weight=1.0)
    module, _ = load_bundle(path)
    with torch.no_grad():
        expected = module(images() * 0.01 - 1.2)
    # At the teacher's own logits the divergence is 0, and 1 - weight of the loss is nothing.
    result = teacher(seen(images()), expected, torch.full((4,), 9.0))
    torch.testing.assert_close(result, torch.zeros(4), atol=1e-5, rtol=0)
    assert (teacher(seen(images()), expected + torch.arange(expected.shape[1]) + 1, torch.zeros(4)) > 1e-3).all()


def test_loss_and_divergence_are_weighted_and_scaled(tmp_path):
    path = bundle(tmp_path / "teacher")
    teacher = student(path, temperature=3.0, weight=0.25)
    module, _ = load_bundle(path)
    with torch.no_grad():
        own = module(images() / 255)
    values, losses = logits(4, 3), torch.arange(4.0)
    expected = 0.75 * losses + 0.25 * 9 * softmax_divergence(own / 3, values / 3)
    torch.testing.assert_close(teacher(seen(images()), values, losses), expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_student_and_not_the_teacher(tmp_path):
    teacher = student(bundle(tmp_path / "teacher"))
    values = logits(4, 3).requires_grad_()
    teacher(seen(images()).requires_grad_(), values, values.sum(dim=1)).sum().backward()
    assert values.grad.abs().sum() > 0
    before = teacher._logits(seen(images()))
    assert torch.equal(before, teacher._logits(seen(images())))
    assert not before.requires_grad


def test_classes_in_another_order_are_matched_by_name(tmp_path):
    path = bundle(tmp_path / "teacher")
    same, turned = student(path, weight=1.0), student(path, names=("owl", "cat", "dog"), weight=1.0)
    values, none = logits(4, 3), torch.zeros(4)
    torch.testing.assert_close(
        turned(seen(images()), values[:, [2, 0, 1]], none), same(seen(images()), values, none), rtol=1e-4, atol=1e-5
    )


def test_a_binary_teacher_of_the_other_order_says_the_opposite():
    same = StudentsOrder(("no", "yes"), ("no", "yes"), binary=True)
    turned = StudentsOrder(("yes", "no"), ("no", "yes"), binary=True)
    values = logits(4, 1)
    assert torch.equal(same(values), values)
    assert torch.equal(turned(values), -values)


@pytest.mark.parametrize("size", [4, 16])
def test_a_teacher_of_another_size_sees_the_image_resized(size):
    student_sees, teacher = preprocessing(8, 1 / 63.75, -2.0), preprocessing(size, 1 / 255)
    result = TeachersView(student_sees, teacher)(seen(images()))
    expected = functional.interpolate(images() / 255, (size, size), mode="bilinear", antialias=True)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_memory_format_and_half_precision_reach_the_teacher():
    view = TeachersView(preprocessing(8, 1 / 63.75, -2.0, 3), preprocessing(8, 1 / 255, channels=3))
    batch = seen(images(channels=3)).to(memory_format=torch.channels_last)
    assert view(batch).is_contiguous(memory_format=torch.channels_last)
    network = torch.nn.Sequential(view, torch.nn.Flatten(), torch.nn.Linear(192, 3))
    teacher = DistillationTeacher(network, DistillationConfig(teacher="t"), softmax_divergence, "bf16-true")
    result = teacher(batch.bfloat16(), logits(4, 3).bfloat16(), torch.ones(4))
    assert result.dtype == torch.float32


@pytest.mark.parametrize(
    ("task", "names", "channels", "message"),
    [
        ("multilabel", NAMES, 1, "its task is multiclass, but this training's is multilabel"),
        ("multiclass", ("cat", "dog", "emu"), 1, "it lacks emu and has besides owl"),
        ("multiclass", NAMES[:2], 1, "it lacks none and has besides owl"),
        ("multiclass", NAMES, 3, "it takes 1 channel(s), but data.channels is 3"),
    ],
)
def test_a_teacher_that_does_not_fit_is_an_error(tmp_path, task, names, channels, message):
    path = bundle(tmp_path / "teacher")
    with pytest.raises(ConfigError) as error:
        student(path, task, names, channels)
    assert message in str(error.value)
    assert "loss.distillation.teacher" in str(error.value)


def test_a_teacher_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no such bundle or run directory"):
        student(tmp_path / "none")


def test_without_distillation_there_is_no_teacher():
    config = config_from_mapping({"data": "digits"}).config
    assert make_teacher(config, make_task("multiclass", NAMES)) is None
