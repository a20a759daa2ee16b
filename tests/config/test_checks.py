"""Checks across sections: what is right next to what is wrong is let through."""

import pytest

from vernier.config.loading import config_from_mapping
from vernier.errors import ConfigError


def problems(**fields) -> set[str]:
    try:
        config_from_mapping({"data": "x", **{key.replace("__", "."): value for key, value in fields.items()}})
    except ConfigError as error:
        return {problem.key for problem in error.problems}
    return set()


STOP = {"callbacks__early_stopping__patience": 3}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schedule__warmup": "10ep"}, {"schedule.warmup"}),
        ({"schedule__warmup": "10.5ep"}, {"schedule.warmup"}),
        ({"schedule__warmup": "100%"}, {"schedule.warmup"}),
        ({"schedule__warmup": "101%"}, {"schedule.warmup"}),
        ({"schedule__warmup": "99999st"}, set()),
        ({"schedule__warmup": "1s"}, {"schedule.warmup"}),
        ({"schedule": "one_cycle"}, set()),
        ({"train__checkpoint_every": "0s"}, set()),
        ({"train__checkpoint_every": "0st"}, {"train.checkpoint_every"}),
        ({"train__strategy": "fsdp", "train__speed": "off"}, set()),
        ({"train__strategy": "fsdp", "train__speed": "off", "train__devices": 1}, {"train.strategy"}),
        ({"train__precision": "bf16-mixed", "train__accelerator": "cpu"}, set()),
        ({"train__precision": "16-mixed", "train__accelerator": "cuda"}, set()),
        ({"train__devices": 1, "train__strategy": "single", "train__debug": True}, set()),
        ({"train__devices": 2, "train__strategy": "ddp"}, set()),
        ({"train__num_nodes": 2, "train__strategy": "single"}, {"train.strategy"}),
        ({"data__task": "binary", "data__class_names": ["a", "b"]}, set()),
        ({"data__task": "binary", "data__class_names": ["a", "b", "c"]}, {"data.class_names"}),
        ({"data__task": "multilabel", "data__class_names": ["a"]}, set()),
        ({"data__class_names": ["a"]}, {"data.class_names"}),
        ({"data__class_names": ["a", "a"], "data__task": "binary"}, {"data.class_names"}),
        (STOP, set()),
        ({**STOP, "data__split__val": 0}, {"callbacks.early_stopping"}),
        ({**STOP, "data__split__val": 0, "data__split__file": "split.csv"}, set()),
        ({**STOP, "data__split__val": 0, "data__val_split": "valid"}, set()),
        ({**STOP, "data__val_split": "none"}, {"callbacks.early_stopping"}),
        ({"data__split__val": 0}, set()),
        ({"model__pretrained": True}, set()),
        ({"model__pretrained": True, "model__weights": "w"}, {"model.pretrained"}),
        ({"augment__train": ["Zoom", "Normalize"]}, set()),
        ({"augment__train": ["Normalize", "Zoom"]}, {"augment.train[1]"}),
        ({"augment__train": ["Zoom", "Normalize", "Normalize"]}, {"augment.train[2]"}),
        ({"augment__eval": ["Rescale", "Resize"]}, {"augment.eval[1]"}),
        ({"augment__eval": [{"CentralCrop": {"fraction": 0.5}}]}, set()),
        ({"augment__eval": [{"CentralCrop": {"fraction": 0.5, "size": 9}}]}, {"augment.eval[0].fraction"}),
        ({"augment__eval": ["Zoom"]}, {"augment.eval"}),
        ({"augment__eval": [{"Resize": {"p": 0.5}}]}, {"augment.eval"}),
        ({"augment__train": [{"RandomResizedCrop": {"scale": [0.8, 0.2]}}]}, {"augment.train[0].scale"}),
        ({"augment__train": [{"RandomResizedCrop": {"scale": [0.2, 1.5]}}]}, {"augment.train[0].scale"}),
        ({"augment__train": [{"ColorJitter": {"hue": [-0.5, 0.6]}}]}, {"augment.train[0].hue"}),
        ({"augment__train": [{"ColorJitter": {"brightness": [0.5, 1.5], "hue": [-0.1, 0.1]}}]}, set()),
        ({"augment__train": [{"RandomRotate90": {"turns": []}}]}, {"augment.train[0].turns"}),
        ({"data__train": "y"}, {"data.train"}),
        ({"data__test": "y"}, {"data.test"}),
    ],
)  # fmt: skip
def test_checks(fields, expected):
    assert problems(**fields) == expected


def test_separate_directories_need_no_source():
    assert config_from_mapping({"data": {"train": "a", "val": "b"}}).config.data.source is None
