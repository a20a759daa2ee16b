"""`vernier models` as a person meets it."""

import json
import subprocess
import sys
import time

import pytest

from vernier import cli


def test_the_whole_list_is_quick():
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "vernier", "models"], capture_output=True, text=True, check=True)
    assert time.perf_counter() - begin < 3
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["name", "provider", "family", "parameters", "trainable", "MACs", "image", "weights"]
    assert len(lines) > 1000


def test_json_answers_for_classes(capsys):
    assert cli.main(["models", "resnet20_cifar", "--classes", "10", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {
        "name": "resnet20_cifar",
        "provider": "zoo",
        "family": "resnet_cifar",
        "parameters": 271_098,
        "trainable": 269_722,
        "macs": 40_551_040,
        "input_size": [32, 32, 3],
        "weights": False,
    }


@pytest.mark.parametrize("size", [["64", "64"], ["64", "64", "3"]])
def test_another_image_is_computed(size, capsys):
    arguments = ["models", "--input-size", *size, "resnet20_cifar", "--classes=10", "--provider=zoo", "--json"]
    assert cli.main(arguments) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["input_size"] == [64, 64, 3]
    assert found["parameters"] == 271_098
    assert found["macs"] == 4 * (40_551_040 - 640) + 640


def test_images_that_are_too_small_leave_figures_out(capsys):
    assert cli.main(["models", "vgg1?*", "--provider", "torchvision", "--input-size", "8", "8", "1", "--json"]) == 0
    streams = capsys.readouterr()
    found = json.loads(streams.out)
    assert found
    assert all(one["macs"] is None for one in found)


def test_a_typo_finds_the_nearest(capsys):
    assert cli.main(["models", "resnet81"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "resnet18" in streams.err
    assert cli.main(["models", "resnet81", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == []


def test_another_systems_spelling_is_found(capsys):
    assert cli.main(["models", "ResNet50NCHW"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["resnet50", "timm"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["resnet18", "resnet34"], "one pattern at a time"),
        (["--all"], "one pattern at a time"),
        (["--classes", "none"], "--classes takes a whole number"),
        (["--input-size", "32"], "--input-size takes two or three whole numbers"),
        (["--input-size", "0", "32"], "--input-size takes two or three whole numbers"),
        (["--provider", "keras"], "--provider takes zoo, timm, torchvision"),
        (["show"], "name the NAME first"),
        (["show", "resnet81"], "resnet18"),
        (["show", "digits_cnn", "model.widht_divisor=2"], "width_divisor"),
        (["show", "digits_cnn", "--frozen", "(0:99)"], "99"),
    ],
)
def test_words_that_it_does_not_know(words, expected, capsys):
    assert cli.main(["models", *words]) == 2
    assert expected in capsys.readouterr().err


def test_show_prints_a_row_a_layer(capsys):
    words = ["models", "show", "digits_cnn", "--classes", "10", "--frozen", "(0:-1)", "model.width_divisor=2"]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["0", "0", "Conv2d", "16x8x8", "144", "yes"]
    assert lines[-2].split() == ["8", "16", "Linear", "10", "330", "no"]
    assert "330 to train" in lines[-1]


def test_show_prints_json(capsys):
    assert cli.main(["models", "show", "digits_cnn", "--input-size", "28", "28", "1", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["layers"][0] == {
        "index": 0,
        "name": "0",
        "type": "Conv2d",
        "output_shape": [32, 28, 28],
        "parameters": 288,
        "frozen": False,
    }
