from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from predict_models import preprocessing
from vernier.deploy.annotate import AnnotatedPictures, base_of, caption, check_apart, place_of, with_caption
from vernier.deploy.predictions import Prediction
from vernier.errors import RunError


def _prediction(path, *, rejected=False) -> Prediction:
    return Prediction(str(path), "daisy", np.float32(0.983), (), np.array([0.983], np.float32), rejected)


def _write(rows, directory, base) -> None:
    pictures = AnnotatedPictures(directory, base, preprocessing(), max_pixels=10**6, threads=2)
    pictures.write(rows)
    pictures.finish()


def test_pictures_are_the_images_below_a_line_of_text(class_folders, tmp_path):
    paths = sorted(class_folders.glob("*/*.jpg"))
    gone = _prediction(class_folders / "gone.jpg")
    _write([*map(_prediction, paths), gone], tmp_path / "out", base_of([class_folders]))
    written = sorted((tmp_path / "out").rglob("*"))
    assert [path.relative_to(tmp_path / "out") for path in written if path.is_file()] == [
        path.relative_to(class_folders) for path in paths
    ]
    image, picture = (
        np.asarray(Image.open(path)).astype(int) for path in (paths[0], tmp_path / "out/china/china_00.jpg")
    )
    line = len(picture) - len(image)
    assert 12 < line < 40
    assert np.abs(picture[line:, : image.shape[1]] - image).mean() < 3
    assert picture[:line].min() < 60
    assert picture[:line].max() > 240


def test_the_line_is_as_wide_as_its_text():
    image = np.full((8, 8, 3), 100, np.uint8)
    picture = with_caption(image, "a rather long name of a class 98.3 %")
    assert picture.shape[1] > 100
    assert (picture[-8:, :8] == image).all()
    assert (picture[-8:, 8:] == 255).all()


def test_what_is_written():
    assert caption(_prediction("a")).replace("\u00a0", " ") == "daisy 98.3 %"
    assert caption(_prediction("a", rejected=True)).replace("\u00a0", " ") == "unknown (daisy 98.3 %)"


def test_different_images_have_different_places(tmp_path, monkeypatch):
    names = ["a.npy", "a.npy.png", "a.png", "a.JPG", "a", "a.jpg", "b/a.jpg", "a.png.npy", "a.png.npy.png"]
    (tmp_path / "b").mkdir()
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    places = [place_of(name, tmp_path) for name in names]
    assert len(set(places)) == len(names)
    assert {str(place) for place in places} >= {"a.png", "a.JPG", "a.jpg", "b/a.jpg", "a.npy.png"}
    assert place_of(f"{tmp_path}/x/../b/a.jpg", tmp_path) == Path("b/a.jpg")


def test_names_begin_at_the_deepest_common_directory(class_folders, monkeypatch):
    monkeypatch.chdir(class_folders.parent)
    china = Path("photos/china")
    assert base_of([Path("photos")]) == class_folders
    assert base_of([china, Path("photos/flower/flower_00.jpg")]) == class_folders
    assert base_of([china / "china_00.jpg"]) == class_folders / "china"
    assert base_of([Path("photos/*/*.jpg")]) == class_folders
    assert base_of([Path("@list.txt")]) == base_of([Path("-")]) == Path("/")


def test_pictures_never_lie_among_the_images(class_folders):
    for place, images in [("", ""), ("pictures", ""), ("..", ""), ("china", "china/china_00.jpg")]:
        with pytest.raises(RunError, match="choose a directory apart"):
            check_apart(class_folders / place, [class_folders / images])
    check_apart(class_folders / "china-pictures", [class_folders / "china"])


def test_grey_files_and_png_keep_their_kind(tmp_path):
    Image.fromarray(np.full((40, 60), 90, np.uint8)).save(tmp_path / "grey.png")
    _write([_prediction(tmp_path / "grey.png")], tmp_path / "out", tmp_path)
    with Image.open(tmp_path / "out" / "grey.png") as picture:
        assert picture.format == "PNG"
        assert (np.asarray(picture)[-40:, :60] == 90).all()


def test_a_directory_that_can_not_be_written_is_an_error(class_folders, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RunError, match="not written"):
        _write([_prediction(class_folders / "china/china_00.jpg")], tmp_path / "out", class_folders)
