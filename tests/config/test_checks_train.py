"""What `train` says about devices, precision and limits: exact messages, and what is let through."""

import pytest

from vernier.config.loading import load_config
from vernier.errors import ConfigError


def problems(*arguments: str) -> list[str]:
    try:
        load_config(None, ["data=x", *arguments])
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("written", "precision"),
    [
        ("32", "32-true"), ("fp32", "32-true"), ("FP32", "32-true"), ("32-true", "32-true"),
        ("16", "16-mixed"), ("fp16", "16-mixed"), ("mixed_float16", "16-mixed"),
        ("bf16", "bf16-mixed"), ("mixed", "bf16-mixed"), ("bf16-true", "bf16-true"), ("auto", "auto"),
    ],
)  # fmt: skip
def test_precisions_as_people_write_them(written, precision):
    loaded = load_config(None, ["data=x", f"train.precision={written}"])
    assert loaded.config.train.precision == loaded.given["train"]["precision"] == precision


@pytest.mark.parametrize("written", ["64", "true", "tf32", "16-true"])
def test_other_precisions_are_refused(written):
    (problem,) = problems(f"train.precision={written}")
    assert problem.startswith("train.precision: must be 32-true, bf16-mixed, bf16-true, 16-mixed or auto; got ")


@pytest.mark.parametrize(
    ("written", "devices", "count"),
    [("2", 2, 2), ("[0,2]", (0, 2), 2), ("[2]", (2,), 1), ("auto", "auto", 1)],
)
def test_devices_are_a_count_or_a_list(written, devices, count):
    train = load_config(None, ["data=x", f"train.devices={written}"]).config.train
    assert train.devices == devices
    assert train.device_count == count


@pytest.mark.parametrize(
    "arguments",
    [
        ["train.devices=[0,1]"],
        ["train.memory_limit=0.5"],
        ["train.memory_limit=0.5", "train.accelerator=cuda"],
        ["train.limit_train=10%", "train.limit_val=1st"],
        ["train.limit_val=100%"],
        ["train.overfit_batches=2", "train.fast_dev_run=true"],
        ["train.overfit_batches=2", "data.split.val=0"],
        ["train.strategy=ddp", "train.devices=2", "train.strategy_kwargs={static_graph: true}"],
        ["train.devices=2", "train.sync_batchnorm=true"],
        ["train.strategy=fsdp", "train.speed=off"],
        [
            "train.strategy=fsdp",
            "train.speed=off",
            "train.devices=2",
            "model.frozen=['0']",
            "train.cache_features=false",
        ],
        ["train.sync_batchnorm=false", "train.freeze_batchnorm=true"],
    ],
    ids=" ".join,
)
def test_what_goes_together(arguments):
    assert problems(*arguments) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            "train.accelerator=cpu train.devices=[0,3]",
            "train.devices: lists GPUs (0, 3), but train.accelerator is cpu; write how many processes, such as 2",
        ),
        ("train.devices=[0,1,0]", "train.devices: lists 0 twice; name each GPU once"),
        (
            "train.accelerator=mps train.devices=2",
            "train.devices: is 2, but a Mac has one GPU; use 1, or train.accelerator=cpu",
        ),
        (
            "train.accelerator=cpu train.memory_limit=0.5",
            "train.memory_limit: caps a CUDA GPU's memory, but train.accelerator is cpu; leave it out",
        ),
        (
            "train.limit_train=2ep",
            "train.limit_train: must be in st (batches) or %; got 2ep; write 100st or 10%",
        ),
        ("train.limit_val=30s", "train.limit_val: must be in st (batches) or %; got 30s; write 100st or 10%"),
        (
            "train.limit_train=0st",
            "train.limit_train: must be whole batches, at least 1st, or more than 0%; got 0st",
        ),
        (
            "train.limit_train=1.5st",
            "train.limit_train: must be whole batches, at least 1st, or more than 0%; got 1.5st",
        ),
        ("train.limit_val=101%", "train.limit_val: must be at most 100%; got 101%"),
        (
            "train.limit_val=1st data.split.val=0",
            "train.limit_val: needs a validation set, but data.split.val is 0; leave train.limit_val out",
        ),
        (
            "train.limit_val=1st data.val_split=none",
            "train.limit_val: needs a validation set, but data.val_split is none; leave train.limit_val out",
        ),
        (
            "train.limit_train=1st train.overfit_batches=3",
            "train.limit_train: excludes train.overfit_batches (3), which limits both sets; set one of them",
        ),
        (
            "augment.mix.mixup=0.2 train.overfit_batches=3",
            "augment.mix: excludes train.overfit_batches, which shows images as evaluation does; leave one of them out",
        ),
        (
            "train.strategy=single train.strategy_kwargs.static_graph=true",
            "train.strategy_kwargs: sets static_graph, but one process has no use for it; leave it out, or raise "
            "train.devices",
        ),
        (
            "train.strategy=single train.sync_batchnorm=true",
            "train.sync_batchnorm: needs several processes, and there is one; use auto, or raise train.devices",
        ),
        (
            "train.devices=2 train.sync_batchnorm=true train.freeze_batchnorm=true",
            "train.sync_batchnorm: excludes train.freeze_batchnorm, which keeps the statistics as they are; set one of "
            "them",
        ),
    ],
)
def test_what_excludes_each_other(arguments, expected):
    assert problems(*arguments.split(" ")) == [expected]


@pytest.mark.parametrize(
    "argument",
    [
        "train.precision=16-mixed",
        "train.compile=true",
        "train.cache_features=true",
        "train.unfreeze=[{epoch: 2}]",
        "train.ema=0.9",
        "train.gradient_clip_parameter_norm=1",
        "optimizer.name=lion",
        "optimizer.name=muon",
        "optimizer.lookahead={}",
        "evaluate.extended.data={other: x}",
        "track.tensorboard.histograms=true",
        "track.tensorboard.graph=true",
    ],
)
def test_what_shards_are_not_enough_for(argument):
    key = argument.partition("=")[0].removesuffix(".data")
    sharded = ("train.strategy=fsdp", "train.speed=off")
    expected = f"{key}: does not go with train.strategy=fsdp; change it, or use train.strategy=ddp"
    assert expected in problems(*sharded, argument)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (
            "train.devices=1",
            "train.strategy: fsdp shares the weights out over processes, and there is one; raise train.devices, or "
            "leave it out",
        ),
        (
            "train.speed=auto",
            "train.speed: auto is measured in one process with the whole model; set train.speed=off with "
            "train.strategy=fsdp",
        ),
        (
            "data.batch_size=auto",
            "data.batch_size: auto is measured in one process with the whole model; give a number with "
            "train.strategy=fsdp",
        ),
        (
            "optimizer.lr=auto",
            "optimizer.lr: auto is measured in one process with the whole model; give a number with "
            "train.strategy=fsdp",
        ),
        (
            "model.frozen=backbone",
            "train.cache_features: auto may want the whole model in each process; set it to false with "
            "train.strategy=fsdp",
        ),
        (
            "train.sync_batchnorm=false",
            "train.sync_batchnorm: false lets the statistics of the processes drift apart with train.strategy=fsdp; "
            "leave it out, or use train.strategy=ddp",
        ),
    ],
)
def test_what_shards_need(argument, expected):
    speed = () if argument.startswith("train.speed") else ("train.speed=off",)
    assert problems("train.strategy=fsdp", *speed, argument) == [expected]
