"""From files, arguments and mappings to a Config."""

import subprocess
import sys
from pathlib import Path

import pytest

from vernier.config.loading import config_from_mapping, load_config
from vernier.errors import ConfigError


def of(yaml: str, *arguments: str, directory: Path):
    file = directory / "c.yaml"
    file.write_text(yaml)
    return load_config(file, arguments)


def test_data_alone_is_enough_and_given_holds_nothing_else():
    loaded = load_config(None, ["data=photos"])
    assert loaded.config.data.source == "photos"
    assert loaded.given == {"data": {"source": "photos"}}
    assert (loaded.notes, loaded.file) == ((), None)


def test_the_command_line_wins_and_merges(tmp_path):
    yaml = "data: x\ntrain:\n  epochs: 3\n  precision: bf16-mixed\nmodel:\n  kwargs: {a: 1, b: 2}\n"
    loaded = of(yaml, "train.epochs=5", "model.kwargs={b: 3}", "--train.epochs", "7", directory=tmp_path)
    assert loaded.given == {
        "data": {"source": "x"},
        "train": {"epochs": 7, "precision": "bf16-mixed"},
        "model": {"kwargs": {"a": 1, "b": 3}},
    }
    assert loaded.file == tmp_path / "c.yaml"


@pytest.mark.parametrize(
    "yaml",
    [
        "data: x\noptimizer: adamw\nmodel: m\nschedule: constant",
        "data: {source: x}\noptimizer: {name: adamw}\nmodel: {name: m}\nschedule: {name: constant}",
        "data.source: x\noptimizer.name: adamw\nmodel.name: m\nschedule.name: constant",
    ],
)
def test_a_bare_value_is_the_name_of_a_section(yaml, tmp_path):
    config = of(yaml, directory=tmp_path).config
    assert (config.data.source, config.model.name) == ("x", "m")
    assert (config.optimizer.name, config.schedule.name) == ("adamw", "constant")


def test_a_bare_name_and_its_fields_in_any_order():
    for arguments in (["optimizer=adamw", "optimizer.lr=1e-3"], ["optimizer.lr=1e-3", "optimizer=adamw"]):
        assert load_config(None, ["data=x", *arguments]).given["optimizer"] == {"name": "adamw", "lr": 1e-3}


def test_fields_without_a_name_are_the_default_kinds():
    given = load_config(None, ["data=x", "optimizer.weight_decay=.5", "schedule.final_factor=1/10"]).given
    assert given["optimizer"] == {"weight_decay": 0.5}
    assert given["schedule"] == {"final_factor": 0.1}


@pytest.mark.parametrize("named", [["optimizer=adamw"], ["--optimizer", "adamw"], ["optimizer.name=adamw"]])
def test_another_kind_drops_the_files_fields_and_says_so(named, tmp_path):
    yaml = "data: x\noptimizer: {name: sgd, momentum: 0.8, lr: 2}\nmodel: {name: m, pretrained: true}"
    loaded = of(yaml, *named, "optimizer.eps=1e-6", "model=m", directory=tmp_path)
    assert loaded.given["optimizer"] == {"name": "adamw", "eps": 1e-6}
    assert loaded.given["model"] == {"name": "m", "pretrained": True}
    (note,) = loaded.notes
    assert note == "optimizer: adamw instead of the file's sgd; dropped from the file: optimizer.momentum, optimizer.lr"


def test_fields_of_an_unnamed_section_belong_to_the_default_kind(tmp_path):
    loaded = of(
        "data: x\noptimizer: {eps: 1e-7}\nmodel: {pretrained: true}",
        "optimizer=sgd",
        "model=m",
        directory=tmp_path,
    )
    assert loaded.given["optimizer"] == {"name": "sgd"}
    assert loaded.given["model"] == {"name": "m", "pretrained": True}
    assert len(loaded.notes) == 1


def test_the_same_kind_keeps_the_files_fields(tmp_path):
    loaded = of(
        "data: x\noptimizer: {name: sgd, momentum: 0.8}\nschedule: one_cycle",
        "optimizer=sgd",
        "schedule=cosine",
        directory=tmp_path,
    )
    assert loaded.given["optimizer"] == {"name": "sgd", "momentum": 0.8}
    assert loaded.notes == ()


def test_text_stays_text_where_text_is_meant():
    arguments = [
        "data=2024",
        "data.class_names=[017,off,NO,10:20,1e-4,True,0x1F]",
        "run.name=007",
        "model.frozen=[1.0]",
    ]
    config = load_config(None, arguments).config
    assert config.data.source == "2024"
    assert config.data.class_names == ("017", "off", "NO", "10:20", "1e-4", "True", "0x1F")
    assert (config.run.name, config.model.frozen) == ("007", ("1.0",))


def test_numbers_are_numbers():
    arguments = [
        "data=x",
        "optimizer.lr=1e-4",
        "model.dropout=.5",
        "data.split.val=1/10",
        "model.kwargs={a: 1e-4, b: 017}",
    ]
    config = load_config(None, arguments).config
    assert (config.optimizer.lr, config.model.dropout, config.data.split.val) == (1e-4, 0.5, 0.1)
    assert config.model.kwargs == {"a": 1e-4, "b": 17}
    assert type(config.model.kwargs["b"]) is int


@pytest.mark.parametrize("size", ["96", "[96,96]"])
def test_image_size_is_input_size(size, tmp_path):
    loaded = of("data: x\nmodel: {input_size: 32}", f"data.image_size={size}", directory=tmp_path)
    assert loaded.config.model.input_size == (96, 96)
    assert loaded.given == {"data": {"source": "x"}, "model": {"input_size": [96, 96]}}


@pytest.mark.parametrize(
    "item",
    ["RandomCrop", "{name: RandomCrop}", "{RandomCrop: {}}", "{RandomCrop: null}"],
)
def test_an_operation_has_three_forms(item):
    assert load_config(None, ["data=x", f"augment.train=[{item}]"]).given["augment"]["train"] == [
        {"name": "RandomCrop"}
    ]


def test_fields_of_operations_and_change_rate():
    train = "[{RandomCrop: {padding: 4, change_rate: 0.25}}, {name: RandomCropThenResize, scale: [1/4, 1], p: .5}]"
    operations = load_config(None, ["data=x", f"augment.train={train}"]).config.augment.train
    assert [(operation.name, operation.p) for operation in operations] == [
        ("RandomCrop", 0.25),
        ("RandomCropThenResize", 0.5),
    ]
    assert (operations[0].padding, operations[1].scale) == (4, (0.25, 1.0))


def test_both_names_of_a_probability_are_refused():
    with pytest.raises(ConfigError, match=r"augment\.train\[0\]\.change_rate: is another name of p"):
        load_config(None, ["data=x", "augment.train=[{name: Zoom, p: 1, change_rate: 1}]"])


def test_one_value_is_a_list_where_a_list_is_meant():
    arguments = [
        "data=x",
        "--augment.train",
        "Normalize",
        "--model.frozen",
        "layer1.*",
        "data.task=multilabel",
        "data.class_names=5",
    ]
    config = load_config(None, arguments).config
    assert [operation.name for operation in config.augment.train] == ["Normalize"]
    assert config.model.frozen == ("layer1.*",)
    assert config.data.class_names == ("5",)
    assert load_config(None, ["data=x", "model.frozen=backbone"]).config.model.frozen == "backbone"


def test_references_see_defaults_kinds_and_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("VERNIER_TEST_EPOCHS", "7")
    yaml = (
        "data: photos\ntrain.epochs: ${ENV:VERNIER_TEST_EPOCHS}\noptimizer: adamw\n"
        "run: {name: '${data.source}_${seed}_${optimizer.lr}', dir: '${run.root}/${run.name}'}"
    )
    config = of(yaml, directory=tmp_path).config
    assert config.train.epochs == 7
    assert config.run.dir == "runs/photos_0_0.001"


def test_an_empty_section_is_the_default(tmp_path):
    assert (
        of("data: x\ntrain:\nmodel:\noptimizer:\n", directory=tmp_path).config == load_config(None, ["data=x"]).config
    )


def test_seed_zero_and_explicit_nulls_are_given():
    assert load_config(None, ["data=x", "seed=0", "model.weights=null"]).given == {
        "seed": 0,
        "data": {"source": "x"},
        "model": {"weights": None},
    }


def test_mappings_from_python(tmp_path):
    loaded = config_from_mapping(
        {"data": tmp_path, "train": {"epochs": 3}, "train.debug": True, "model.input_size": (32, 32)},
        ["train.epochs=4"],
    )
    assert loaded.config.data.source == str(tmp_path)
    assert loaded.given == {
        "data": {"source": str(tmp_path)},
        "train": {"epochs": 4, "debug": True},
        "model": {"input_size": [32, 32]},
    }


def test_what_is_given_makes_the_same_config_again():
    arguments = [
        "data=x",
        "data.class_names=[017,true]",
        "optimizer.lr=1/3",
        "schedule.warmup=2ep",
        "augment.train=[Zoom]",
    ]
    loaded = load_config(None, arguments)
    again = config_from_mapping(loaded.given)
    assert (again.config, again.given) == (loaded.config, loaded.given)


def test_checks_can_be_left_out():
    assert load_config(None, [], checks=()).config.data.source is None


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"data: \xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml: is no UTF-8 text \(byte 6\)"):
        load_config(tmp_path / "latin.yaml", [])
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read: No such file"):
        load_config(tmp_path / "none.yaml", [])
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load_config(tmp_path, [])


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "c.yaml").write_text("data: x", encoding="utf-8-sig")
    assert load_config(tmp_path / "c.yaml", []).config.data.source == "x"


def test_a_wrong_value_does_not_hide_other_problems_nor_invent_any():
    arguments = [
        "data.source=[1]", "train.epochs=0", "schedule.warmup=60s", "train.gradient_clip_norm=1",
        "train.gradient_clip_value=2",
        "train.accelerator=cpu", "train.precision=16-mixed", "data.split.val=x", "callbacks.early_stopping.patience=1",
        "augment.train=[Normalize, {Zoom: {scale: 3}}]",
    ]  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        load_config(None, arguments)
    assert {problem.key for problem in caught.value.problems} == {
        "data.source", "train.epochs", "schedule.warmup", "train.gradient_clip_value", "train.precision",
        "data.split.val",
        "augment.train[1].scale", "augment.train[1]",
    }  # fmt: skip


def test_nothing_heavy_is_imported():
    heavy = ["torch", "numpy", "cv2", "timm", "sklearn", "PIL", "lightning"]
    code = f"import sys, vernier.config.loading as _; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
