"""Functions of users and transforms of torchvision in an augmentation list."""

import threading

import numpy as np
import pytest
import torch
import yaml
from pixel_runs import assert_chance_is_pure, effect, run
from torchvision.transforms import InterpolationMode, v2

from augment import own_operations
from vernier import api
from vernier.augment.pixel.checking import pixel_problems, slow_operations
from vernier.augment.plan import compile_plan
from vernier.config.data import DataConfig
from vernier.config.loading import config_from_mapping, load_config
from vernier.config.operations.custom import CustomOperation, TorchvisionOperation
from vernier.config.operations.erasing import Cutout, GridErasing, RandomErasing
from vernier.config.operations.policies import RandAugment
from vernier.config.writing import config_text
from vernier.data.feed import make_feed
from vernier.data.images import ArrayImages
from vernier.data.loader import TrainLoader
from vernier.data.order import BatchOrder
from vernier.data.store import open_store
from vernier.errors import ConfigError, TrainingError

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
OWN = "augment.own_operations"
TRANSFORMS = {
    "AugMix": {},
    "AutoAugment": {},
    "ColorJitter": {"brightness": 0.4, "hue": 0.2},
    "ElasticTransform": {"alpha": 30.0},
    "GaussianBlur": {"kernel_size": 5},
    "GaussianNoise": {"sigma": 0.2},
    "RandAugment": {},
    "RandomAdjustSharpness": {"sharpness_factor": 4},
    "RandomAffine": {"degrees": 30, "translate": [0.2, 0.2]},
    "RandomChannelPermutation": {},
    "RandomErasing": {},
    "RandomHorizontalFlip": {},
    "RandomPerspective": {},
    "RandomPhotometricDistort": {},
    "RandomPosterize": {"bits": 2},
    "RandomRotation": {"degrees": 90, "interpolation": "bilinear"},
    "RandomSolarize": {"threshold": 100},
    "TrivialAugmentWide": {},
}


def custom(name: str, **arguments) -> CustomOperation:
    return CustomOperation(callable=f"{OWN}:{name}", arguments=arguments)


def operation_of(item) -> object:
    (operation,) = config_from_mapping({"data": "digits", "augment": {"train": [item]}}).config.augment.train
    return operation


def problems(*operations, channels: int = 3) -> list[str]:
    return list(map(str, pixel_problems(operations, channels, "augment.train")))


@pytest.mark.parametrize(
    ("item", "operation"),
    [
        (f"{OWN}:noise", custom("noise")),
        (f"{OWN}.noise", CustomOperation(callable=f"{OWN}.noise")),
        (
            {"name": f"{OWN}:noise", "strength": 0.3, "change_rate": 0.5},
            CustomOperation(callable=f"{OWN}:noise", arguments={"strength": 0.3}, p=0.5),
        ),
        ({f"{OWN}:mirror": {"axis": 1}}, custom("mirror", axis=1)),
        ({"name": "custom", "callable": f"{OWN}:mirror", "arguments": {"axis": 1}}, custom("mirror", axis=1)),
        ("torchvision.transforms.v2.RandomEqualize", TorchvisionOperation(transform="RandomEqualize")),
        (
            {"name": "torchvision.transforms.v2.ElasticTransform", "alpha": 30.0, "p": 0.5, "p_from": [[3, 1]]},
            TorchvisionOperation(
                transform="ElasticTransform", arguments={"p": 1, "alpha": 30.0}, p=0.5, p_from=((3, 1.0),)
            ),
        ),
    ],
    ids=str,
)  # fmt: skip
def test_short_forms_and_what_is_written_read_the_same(item, operation):
    assert operation_of(item) == operation
    config = config_from_mapping({"data": "digits", "augment": {"train": [item]}}).config
    assert config_from_mapping(yaml.safe_load(config_text(config, {}))).config == config


def test_a_name_on_the_command_line():
    config = load_config(None, ("data=digits", "--augment.train", f"{OWN}:noise", "Normalize")).config
    assert [operation.name for operation in config.augment.train] == ["custom", "Normalize"]


def test_evaluation_has_none():
    with pytest.raises(ConfigError, match=r"augment\.eval\[0\]\.name: must be "):
        load_config(None, ("data=digits", f"augment.eval=[{{name: '{OWN}:noise'}}]"))


def test_a_function_gets_bytes_a_generator_and_the_epoch():
    own_operations.SEEN.clear()
    first = effect(custom("noise", strength=0.2), IMAGE.astype(np.float32) + 0.2, key=5, epoch=3)
    (seen,) = own_operations.SEEN
    assert seen == {"dtype": np.uint8, "writeable": False, "epoch": 3}
    expected = np.random.Generator(np.random.Philox(key=5)).normal(0, 255 * 0.2 * 4, IMAGE.shape)
    assert np.array_equal(first, (IMAGE + expected).astype(np.float32))


@pytest.mark.parametrize(
    "operation",
    [custom("noise"), custom("mirror", axis=1), TorchvisionOperation(transform="RandAugment")],
    ids=["noise", "mirror", "torchvision"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_chance_is_pure(operation, channels):
    assert_chance_is_pure(operation, channels)


def test_a_schedule_by_epochs():
    operation = custom("noise").model_copy(update={"p": 0.0, "p_from": ((2, 0.5), (4, 1.0))})
    changed = [(run(operation, [IMAGE] * 60, epoch=epoch) != IMAGE).any(axis=(1, 2, 3)).mean() for epoch in range(6)]
    assert changed[:2] == [0, 0]
    assert all(0.3 < share < 0.7 for share in changed[2:4])
    assert changed[4:] == [1, 1]


@pytest.mark.parametrize(
    ("name", "returned"),
    [("half", r"an array \(12, 30, 3\) of uint8"), ("double", "an array .* of float64"), ("nothing", "NoneType")],
)
def test_other_results_are_refused(name, returned):
    with pytest.raises(TrainingError, match=rf"own_operations:{name} must return an array .*; it returned {returned}"):
        effect(custom(name), IMAGE)


def test_images_can_only_be_read():
    with pytest.raises(ValueError, match="read-only"):
        effect(custom("writing"), IMAGE.copy())


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (
            custom("noise", strenght=1),
            "augment.train[0].strenght: is no argument of noise; did you mean 'strength'? It takes strength",
        ),
        (custom("noise", epoch=1), "augment.train[0].epoch: is given by Vernier; leave it out"),
        (custom("mirror"), "augment.train[0].axis: is missing; mirror needs it"),
        (custom("lonely"), f"augment.train[0]: must be a function (image, generator, ...); {OWN}:lonely takes image"),
        (custom("Made"), f"augment.train[0]: must be a function; {OWN}:Made is a class"),
        (custom("nose"), f"augment.train[0]: {OWN} has no 'nose'; did you mean 'noise'?"),
        (
            CustomOperation(callable="torchvision.transforms.GaussianBlur"),
            "augment.train[0]: must be a function; torchvision.transforms.GaussianBlur is a class; write "
            "torchvision.transforms.v2.GaussianBlur for torchvision's transform",
        ),
        (
            TorchvisionOperation(transform="ElasticTransfrom"),
            "augment.train[0]: torchvision.transforms.v2 has no transform 'ElasticTransfrom'; "
            "did you mean 'ElasticTransform'?",
        ),
        (
            TorchvisionOperation(transform="ElasticTransform", arguments={"alhpa": 3}),
            "augment.train[0].alhpa: is no argument of ElasticTransform; did you mean 'alpha'? It takes alpha, sigma, "
            "interpolation, fill",
        ),
        (
            TorchvisionOperation(transform="RandomPosterize"),
            "augment.train[0].bits: is missing; RandomPosterize needs it",
        ),
        (
            TorchvisionOperation(transform="GaussianBlur", arguments={"kernel_size": 4}),
            "augment.train[0]: torchvision's GaussianBlur: Kernel size value should be an odd and positive number.",
        ),
        (
            TorchvisionOperation(transform="RandomCrop", arguments={"size": 20}),
            "augment.train[0]: torchvision's RandomCrop: it must keep the size of images; it makes 20x20x3 of "
            "192x224x3; use Vernier's own operation",
        ),
        (
            TorchvisionOperation(transform="ConvertImageDtype"),
            "augment.train[0]: torchvision's ConvertImageDtype: it must give uint8, as it gets; it gives "
            "torch.float32; leave conversions and Normalize to Vernier",
        ),
        (
            TorchvisionOperation(transform="ElasticTransform", arguments={"p": 0.5}),
            "augment.train[0].p: is no argument of ElasticTransform; It takes alpha, sigma, interpolation, fill",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_said_before_the_first_image(operation, problem):
    assert problems(operation) == [problem]


def test_operations_are_checked_for_the_channels():
    ten = (0,) * 10
    operations = (RandAugment(), GridErasing(color=(1, 2)), RandomErasing(value=ten), Cutout())
    assert problems(*operations, channels=10) == [
        "augment.train[0]: RandAugment is for images of 1 or 3 channels, and these have 10",
        "augment.train[1].color: has 2 values, but images have 10 channels; give one number, or one for each channel",
    ]
    assert not problems(GridErasing(color=(1, 2, 3)), RandomErasing(value=(4,)), RandAugment(), channels=1)


def test_torchvision_is_called_slow():
    lines = slow_operations((Cutout(), TorchvisionOperation(transform="JPEG")), "augment.train")
    assert list(lines) == [
        "augment.train[1]: torchvision's JPEG runs on one image at a time, slower than Vernier's own operations"
    ]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_torchvisions_and_leave_its_generator_alone(name):
    operation = TorchvisionOperation(transform=name, arguments=TRANSFORMS[name])
    assert problems(operation) == []
    planes, before = torch.tensor(IMAGE).permute(2, 0, 1).contiguous(), torch.get_rng_state()
    ours = [effect(operation, IMAGE, key) for key in (0, 2**64 - 1, 7, 8)]
    assert torch.equal(torch.get_rng_state(), before)
    for key, changed in zip((0, 2**64 - 1, 7, 8), ours, strict=True):
        torch.manual_seed(key)
        words = {"interpolation": InterpolationMode.BILINEAR} if "interpolation" in TRANSFORMS[name] else {}
        expected = getattr(v2, name)(**{**TRANSFORMS[name], **words})(planes.clone())
        assert np.array_equal(expected.permute(1, 2, 0).numpy(), changed)
    assert len({changed.tobytes() for changed in ours}) > 1


def test_a_thread_that_draws_at_the_same_time_sees_nothing_of_it():
    operation = TorchvisionOperation(transform="RandomAffine", arguments={"degrees": 30})
    torch.manual_seed(1)
    expected, drawn = torch.rand(300), []
    torch.manual_seed(1)
    transforming = threading.Thread(target=run, args=(operation, [IMAGE] * 100))
    transforming.start()
    drawn = [torch.rand(()) for _ in range(300)]
    transforming.join()
    assert torch.equal(torch.stack(drawn), expected)


def test_a_probability_of_the_transforms_own():
    def share(item: object) -> float:
        changed = run(operation_of(item), [IMAGE] * 200, seed=3)
        return float((changed != IMAGE).any(axis=(1, 2, 3)).mean())

    invert = "torchvision.transforms.v2.RandomInvert"
    assert 0.4 < share(invert) < 0.6
    assert share({"name": invert, "p": 1}) == 1
    assert 0.7 < share({"name": invert, "p": 0.8}) < 0.9
    assert share({"name": invert, "p_from": [[1, 0.5]]}) == 1
    assert 0.4 < share({"name": "torchvision.transforms.v2.GaussianNoise", "p": 0.5}) < 0.6


def test_a_transform_that_fails_on_an_image_is_named():
    blur = TorchvisionOperation(transform="GaussianBlur", arguments={"kernel_size": 61})
    assert problems(blur) == []
    with pytest.raises(TrainingError, match=r"augment\.train: torchvision's GaussianBlur on an image of 24x30x3: "):
        effect(blur, IMAGE)


def test_read_only_images_and_grey_ones():
    locked = IMAGE.copy()
    locked.flags.writeable = False
    operation = TorchvisionOperation(transform="RandomInvert", arguments={"p": 1})
    assert np.array_equal(effect(operation, locked), 255 - IMAGE)
    grey = IMAGE[..., :1]
    assert np.array_equal(effect(operation, grey), 255 - grey)
    assert np.array_equal(run(operation, [np.ascontiguousarray(grey)])[0], 255.0 - grey)


def test_batches_do_not_depend_on_threads():
    operations = (custom("noise"), TorchvisionOperation(transform="RandAugment"), RandAugment(), GridErasing())
    options = {"border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 0, "native_size": (16, 20)}
    plan = compile_plan(operations, channels=3, **options)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 16, 20, 3), np.uint8)
    store = open_store(ArrayImages(pixels, [str(n) for n in range(30)], 3), DataConfig(source="digits"), 0)

    def images(threads: int) -> torch.Tensor:
        feed = make_feed(store, plan, threads)
        loader = TrainLoader(feed, np.arange(30), torch.arange(30), BatchOrder(30, 8, 0), threads)
        return torch.cat([batch.images for batch in loader.epoch(1)])

    assert torch.equal(images(0), images(2))


TRAINING = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": {"name": "digits_cnn", "dropout": 0.2},
    "optimizer": {"name": "adamw", "lr": 0.01},
    "train": {"epochs": 1, "threads": 1, "speed": "off", "limit_train": "10%", "limit_val": "20%"},
}


def test_a_resolved_config_trains_to_the_same_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    transform = {"name": "torchvision.transforms.v2.RandomAffine", "degrees": 10, "p": 0.5}
    operations = ["Resize", {"name": f"{OWN}:noise", "strength": 0.05}, transform, "RectangleErasing", "Normalize"]
    first = api.train({**TRAINING, "augment": {"train": operations}}, "run.dir=first")
    again = api.train(tmp_path / "first" / "config.yaml", "run.dir=again", "data.threads=2")
    assert again.result["best"] == first.result["best"]
    assert "torchvision's RandomAffine runs on one image at a time" in capsys.readouterr().err
    assert OWN not in (tmp_path / "first" / "best" / "bundle.json").read_text()


def test_a_training_does_not_begin_with_a_wrong_argument(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    operations = ["Resize", {"name": f"{OWN}:noise", "strenght": 0.05}, "Normalize"]
    with pytest.raises(ConfigError, match=r"augment\.train\[1\]\.strenght: is no argument of noise; did you mean"):
        api.train({**TRAINING, "augment": {"train": operations}})
    assert not (tmp_path / "runs").exists()
