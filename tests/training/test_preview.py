"""The picture of an augmentation list."""

import json

import numpy as np
import pytest
from PIL import Image

from vernier import api
from vernier.cli import main
from vernier.errors import ConfigError, DataError

LIST = "augment.train=[{name: Resize, size: 16},{name: Posterize, bits: 1, p: 0.5},RandomHorizontalFlip,Normalize]"


def _columns(path, count, rows):
    """The cells of a sheet, float (rows, columns, H, W, 3)."""
    picture = np.asarray(Image.open(path), np.float64)
    top = picture.shape[0] - rows * 166
    return np.array(
        [
            [picture[top + r * 166 : top + r * 166 + 160, 6 + c * 166 : 166 + c * 166] for c in range(count)]
            for r in range(rows)
        ]
    )


def test_a_column_for_the_image_each_operation_and_the_whole_list(class_folders, tmp_path):
    made = api.preview(None, f"data={class_folders}", LIST, output=tmp_path / "p.png", images=3)
    assert made.columns == (
        "image",
        "Resize",
        "Posterize (p 0.5)",
        "RandomHorizontalFlip (p 0.5)",
        "whole list, epoch 1",
    )
    assert len(made.images) == 3
    assert made.stages[-1].startswith("colour matrix: Normalize")
    cells = _columns(tmp_path / "p.png", 5, 3)
    resized, posterized, flipped = cells[:, 1], cells[:, 2], cells[:, 3]
    np.testing.assert_allclose(flipped, resized[:, :, ::-1], atol=2)
    # 1 bit leaves 0 and 128, and what lies between where the picture is enlarged.
    assert posterized.min() == 0
    assert posterized.max() == 128


def test_small_grey_images_and_another_epoch(tmp_path):
    first = api.preview(None, "data=digits", "model=digits_cnn", output=tmp_path / "1.png", images=2)
    api.preview(None, "data=digits", "model=digits_cnn", output=tmp_path / "2.png", images=2, epoch=1)
    one, two = (_columns(tmp_path / f"{n}.png", len(first.columns), 2) for n in (1, 2))
    np.testing.assert_array_equal(one[:, 0], two[:, 0])
    assert not np.array_equal(one[:, -1], two[:, -1])


def test_the_command_prints_the_stages(tmp_path, capsys):
    words = ["preview", "data=digits", "model=digits_cnn", "--output", str(tmp_path / "p.png"), "--images", "1"]
    assert main(words) == 0
    assert "stages of augment.train:\n  1. warp: Resize" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == str(tmp_path / "p.png")


def test_what_is_wrong_is_said(class_folders, tmp_path):
    with pytest.raises(DataError, match=r"name a \.png or \.jpg file"):
        api.preview(None, f"data={class_folders}", output=tmp_path / "p.docx")
    with pytest.raises(ConfigError, match=r"did you mean 'Posterize'"):
        api.preview(None, f"data={class_folders}", "augment.train=[Posterise]")
