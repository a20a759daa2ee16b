"""Each finding, on a set that has just that."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from data.check_sets import checked, crop, encoded, found, write
from vernier.api import convert
from vernier.data.check.report_json import report_json
from vernier.data.check.report_text import report_text
from vernier.data.check.similar import ALIKE_SHARE
from vernier.data.convert.settings import ConvertSettings
from vernier.errors import DataError


@pytest.fixture
def good(tmp_path, photos):
    """train/ and test/ of two classes of 10 and 2 images, nothing wrong with them."""
    root = tmp_path / "set"
    for name, photo in photos.items():
        for number in range(12):
            write(root / ("test" if number > 9 else "train") / name / f"{number:02d}.jpg", crop(photo, 2 * number))
    return root


def severities(findings):
    return {name: finding.severity for name, finding in findings.items() if finding.severity != "PASS"}


def test_nothing_is_wrong_with_a_good_set(good):
    report, findings = checked(good)
    assert severities(findings) == {}
    assert report.status == "PASS"


def test_damaged_files_are_all_listed(good, photos):
    data = encoded(crop(photos["china"], 5))
    write(good / "train/china/cut.jpg", data[: len(data) // 2])
    write(good / "train/china/zero.jpg", b"")
    write(good / "train/china/text.jpg", b"<html>not found</html>")
    write(good / "train/china/photo.jpg", b"\0\0\0\x18ftypheic" + bytes(40))
    report, findings = checked(good)
    assert severities(findings) == {
        "opens": "FAIL",
        "unreadable": "FAIL",
        "truncated": "FAIL",
        "empty": "FAIL",
    }
    assert found(report, findings["truncated"]) == [["train/china/cut.jpg"]]
    assert found(report, findings["empty"]) == [["train/china/zero.jpg"]]
    assert found(report, findings["unreadable"]) == [["train/china/photo.jpg"], ["train/china/text.jpg"]]
    assert "HEIC" in findings["unreadable"].examples[0].note
    assert report.status == "FAIL"


def test_a_photo_cut_short_is_found_when_it_is_decoded_at_a_reduced_scale(good, photos):
    data = encoded(cv2.resize(photos["china"], (1280, 1280)), quality=90)
    write(good / "train/china/large.jpg", data[: len(data) * 9 // 10])
    assert severities(checked(good)[1]) == {"opens": "FAIL", "truncated": "FAIL"}


def test_files_that_are_not_read_are_named(good, photos):
    write(good / "train/china/a.heic", b"x")
    write(good / "train/loose.jpg", crop(photos["china"], 1))
    write(good / "train/china/labels.csv", b"x")
    write(good / "train/china/.hidden.jpg", b"x")
    report, findings = checked(good)
    assert severities(findings) == {"not_read": "WARN"}
    assert found(report, findings["not_read"]) == [["train/china/a.heic"], ["train/loose.jpg"]]
    assert "named .heic" in findings["not_read"].summary


def test_a_png_named_jpg(good, photos):
    write(good / "train/china/x.jpg", encoded(crop(photos["china"], 25), "PNG"))
    write(good / "train/china/y.JPEG", crop(photos["china"], 27))
    report, findings = checked(good)
    assert severities(findings) == {"extension": "WARN"}
    assert findings["extension"].examples[0].note == "is PNG"
    assert found(report, findings["extension"]) == [["train/china/x.jpg"]]


def test_a_copy_within_a_split(good):
    write(good / "train/china/copy.jpg", (good / "train/china/03.jpg").read_bytes())
    report, findings = checked(good)
    assert severities(findings) == {"duplicates": "WARN"}
    assert found(report, findings["duplicates"]) == [["train/china/03.jpg", "train/china/copy.jpg"]]
    assert findings["duplicates"].examples[0].note == "same file"


def test_equal_pixels_in_other_bytes(good, photos):
    pixels = crop(photos["china"], 25)
    write(good / "train/china/a.png", encoded(pixels, "PNG"))
    write(good / "train/china/b.bmp", encoded(pixels, "BMP"))
    _, findings = checked(good)
    assert severities(findings) == {"duplicates": "WARN"}
    assert findings["duplicates"].examples[0].note == "same pixels, other bytes"


def test_a_photo_encoded_and_resized_anew(good, photos):
    photo = crop(photos["china"], 25, 128)
    write(good / "train/china/a.jpg", encoded(photo, quality=95))
    write(good / "train/china/b.jpg", encoded(photo, quality=35))
    write(good / "train/china/c.png", encoded(cv2.resize(photo, (90, 90), interpolation=cv2.INTER_AREA), "PNG"))
    report, findings = checked(good)
    assert severities(findings) == {"near_duplicates": "WARN"}
    names = ["train/china/a.jpg", "train/china/b.jpg", "train/china/c.png"]
    assert found(report, findings["near_duplicates"]) == [names]
    assert severities(checked(good, near=0)[1]).keys() <= {"near_duplicates"}


def test_leaks(good, photos):
    write(good / "test/china/copy.jpg", (good / "train/china/03.jpg").read_bytes())
    write(good / "test/china/again.jpg", encoded(crop(photos["china"], 8), quality=40))
    report, findings = checked(good)
    assert severities(findings) == {"leaks": "FAIL", "near_leaks": "WARN"}
    assert found(report, findings["leaks"]) == [["test/china/copy.jpg", "train/china/03.jpg"]]
    assert found(report, findings["near_leaks"]) == [["test/china/again.jpg", "train/china/04.jpg"]]
    assert findings["leaks"].summary == "1 image in two splits: train and test (1)"


def test_one_image_with_two_labels(good, photos):
    write(good / "train/flower/copy.jpg", (good / "train/china/03.jpg").read_bytes())
    write(good / "train/flower/again.jpg", encoded(crop(photos["china"], 8), quality=40))
    _, findings = checked(good)
    assert severities(findings) == {
        "label_conflicts": "FAIL",
        "near_label_conflicts": "WARN",
        "duplicates": "WARN",
        "near_duplicates": "WARN",
    }


def test_several_labels_in_another_order_are_the_same(good, tmp_path):
    write(good / "train/china/copy.jpg", (good / "train/china/03.jpg").read_bytes())
    labels = {"train/china/03.jpg": "a|b", "train/china/copy.jpg": "b|a", "train/flower/03.jpg": "b"}
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"{k},{v}\n" for k, v in labels.items()))
    _, findings = checked(tmp_path / "list.csv", root=str(good))
    assert findings["label_conflicts"].severity == "PASS"
    assert findings["duplicates"].count == 1


def test_classes(good, photos):
    (good / "train/empty").mkdir()
    for number in range(20, 24):
        write(good / f"train/rare/{number}.jpg", crop(photos["flower"], number)[:, ::-1])
    report, findings = checked(good)
    assert severities(findings) == {"opens": "FAIL", "missing_classes": "WARN", "small_classes": "WARN"}
    assert "no images of 'empty'" in findings["opens"].summary
    assert sorted(found(report, findings["missing_classes"])) == [
        ["empty in test"],
        ["empty in train"],
        ["rare in test"],
    ]
    assert found(report, findings["small_classes"]) == [["rare"]]


def test_imbalance(tmp_path, photos):
    write(tmp_path / "set/rare/1.jpg", crop(photos["flower"], 0))
    for number in range(11):
        write(tmp_path / f"set/common/{number}.jpg", crop(photos["china"], 2 * number))
    _, findings = checked(tmp_path / "set")
    assert findings["class_balance"].severity == "WARN"
    assert findings["class_balance"].summary.endswith("ratio 11.0")
    assert "too few images to divide" in findings["opens"].summary


def test_a_single_class_and_no_images_are_reported(tmp_path, photos):
    write(tmp_path / "one/a/1.jpg", crop(photos["china"], 0))
    assert "only one class" in checked(tmp_path / "one")[1]["opens"].summary
    (tmp_path / "none/a").mkdir(parents=True)
    report, findings = checked(tmp_path / "none")
    assert "no images" in findings["opens"].summary
    assert report_json(report)["images"] == 0
    with pytest.raises(DataError, match="no class folders"):
        checked(tmp_path / "none/a")


def test_small_and_long_images(good, photos):
    write(good / "train/china/icon.png", encoded(photos["china"][300:320, 100:120], "PNG"))
    write(good / "train/china/long.jpg", photos["china"][300:400, :400])
    report, findings = checked(good)
    assert severities(findings) == {"small_images": "WARN", "aspect_ratios": "info"}
    assert found(report, findings["small_images"]) == [["train/china/icon.png"]]
    assert findings["aspect_ratios"].examples[0].note == "100x400"
    _, findings = checked(good, input_size=(98, 98))
    assert findings["small_images"].count == 25
    assert "up to 4.9 times" in findings["small_images"].summary
    _, findings = checked(good, input_size=(20, 20))
    assert findings["small_images"].severity == "PASS"


def test_images_that_show_little(good, photos):
    rng = np.random.default_rng(0)
    blank = np.clip(rng.normal(90, 1, (96, 96, 3)), 0, 255).astype(np.uint8)
    images = {
        "blank": blank,
        "dark": crop(photos["china"], 41) // 9,
        "bright": 255 - crop(photos["china"], 43) // 9,
        "grey": crop(photos["china"], 47).mean(axis=2, dtype=np.float32).astype(np.uint8),
    }
    for name, pixels in images.items():
        write(good / f"train/china/{name}.png", encoded(pixels, "PNG"))
    report, findings = checked(good)
    expected = {"blank": "WARN", "dark": "info", "bright": "info", "grey": "info"}
    assert expected.items() <= severities(findings).items()
    assert all([f"train/china/{name}.png"] in found(report, findings[name]) for name in images)
    assert findings["blank"].count == 1


def test_a_blurred_image_among_sharp_ones(tmp_path, photos):
    for number in range(20):
        write(tmp_path / f"set/{number % 2}/{number}.jpg", crop(photos["china"], 2 * number))
    write(tmp_path / "set/0/blurred.jpg", cv2.GaussianBlur(crop(photos["china"], 25), (0, 0), 8))
    report, findings = checked(tmp_path / "set")
    assert found(report, findings["blurred"])[0] == ["0/blurred.jpg"]


def test_channels_and_rotation(good, photos):
    image = Image.fromarray(crop(photos["china"], 41))
    image.convert("CMYK").save(good / "train/china/cmyk.jpg")
    image = Image.fromarray(crop(photos["china"], 43))
    image.putalpha(200)
    image.save(good / "train/china/alpha.png")
    sixteen = crop(photos["china"], 45)[:, :, 0].astype(np.uint16) * 257
    Image.fromarray(sixteen).save(good / "train/china/deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(crop(photos["china"], 47)).save(good / "train/china/turned.jpg", exif=exif)
    report, findings = checked(good)
    assert severities(findings) == {"channels": "info", "rotation": "info", "grey": "info"}
    assert findings["channels"].summary == "3 images with CMYK (1), more than 8 bits a channel (1), transparency (1)"
    assert found(report, findings["rotation"]) == [["train/china/turned.jpg"]]


def test_a_turned_copy_is_a_near_duplicate_of_the_upright_one(good, photos):
    pixels = crop(photos["china"], 25)
    exif = Image.Exif()
    exif[0x0112] = 3
    write(good / "train/china/a.jpg", encoded(pixels, quality=90))
    write(good / "train/china/b.jpg", encoded(pixels[::-1, ::-1], quality=90, exif=exif))
    assert checked(good)[1]["near_duplicates"].count == 1


def test_pictures_that_are_all_alike_raise_the_bar(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(120):
        stroke = np.zeros((28, 28), dtype=np.uint8)
        x = rng.uniform(13, 15)
        cv2.line(stroke, (round(x), 4), (round(x + rng.uniform(-3, 3)), 24), 255, 2)
        noisy = np.clip(stroke + rng.normal(0, 25, stroke.shape), 0, 255).astype(np.uint8)
        write(tmp_path / f"set/{number % 2}/{number}.png", encoded(noisy, "PNG"))
    report, _ = checked(tmp_path / "set")
    similar = report.evidence.similar
    assert similar.bar > 0.92
    assert len(similar.pairs) <= max(10, ALIKE_SHARE * 120)


def test_arrays_and_their_reports():
    report, findings = checked("digits")
    assert findings["grey"].summary == "all images are grey"
    assert findings["sizes"].summary == "all images are 8x8 pixels (height x width)"
    assert report_text(report).startswith("digits: 1797 images, 10 classes; not assigned 1438, test 359")


def test_a_split_file_says_what_leaks(good, tmp_path):
    write(good / "train/china/copy.jpg", (good / "train/china/03.jpg").read_bytes())
    names = sorted(path.relative_to(good).as_posix() for path in good.rglob("*.jpg"))
    rows = [f"{name},{name.split('/')[1]},{'val' if name[-5] in '37' else name.split('/')[0]}" for name in names]
    (tmp_path / "split.csv").write_text("path,label,split\n" + "\n".join(rows) + "\n")
    _, findings = checked(good, split={"file": str(tmp_path / "split.csv")})
    assert findings["leaks"].summary == "1 image in two splits: train and val (1)"


def test_the_json_keeps_its_keys(good):
    write(good / "test/china/copy.jpg", (good / "train/china/03.jpg").read_bytes())
    write(good / "train/china/a.heic", b"x")
    report, _ = checked(good)
    result = json.loads(json.dumps(report_json(report)))
    assert list(result) == [
        "status",
        "name",
        "root",
        "images",
        "readable",
        "class_counts",
        "sizes",
        "near_duplicates",
        "findings",
    ]
    assert result["class_counts"] == {"train": {"china": 10, "flower": 10}, "test": {"china": 3, "flower": 2}}
    names = [finding["check"] for finding in result["findings"]]
    assert " ".join(names) == (
        "opens unreadable truncated empty not_read extension leaks near_leaks label_conflicts near_label_conflicts "
        "duplicates near_duplicates missing_classes small_classes class_balance sizes small_images aspect_ratios "
        "blank dark bright blurred grey channels rotation"
    )
    leak = next(finding for finding in result["findings"] if finding["check"] == "leaks")
    assert list(leak) == ["check", "severity", "count", "summary", "remedy", "examples"]
    assert leak["examples"] == [
        {
            "images": [
                {"path": "test/china/copy.jpg", "label": "china", "split": "test"},
                {"path": "train/china/03.jpg", "label": "china", "split": "train"},
            ],
            "name": None,
            "note": "same file",
        }
    ]
    unread = next(finding for finding in result["findings"] if finding["check"] == "not_read")
    assert unread["examples"][0] == {
        "images": [],
        "name": "train/china/a.heic",
        "note": "files named .heic are not read",
    }


@pytest.mark.slow
def test_flowers_have_three_copies_and_one_of_them_two_labels(unpacked):
    report, findings = checked(unpacked("flowers"))
    assert [len(group) for group in found(report, findings["duplicates"])] == [2, 2, 2]
    assert found(report, findings["label_conflicts"]) == [
        ["train/roses/15922772266_1167a06620.jpg", "train/tulips/15922772266_1167a06620.jpg"]
    ]
    assert findings["near_leaks"].count + findings["near_duplicates"].count == 21
    assert report.status == "FAIL"


@pytest.mark.slow
def test_the_placeholder_among_the_ants_is_the_only_bright_image(unpacked):
    report, findings = checked(unpacked("hymenoptera"))
    assert found(report, findings["bright"]) == [["train/ants/imageNotFound.gif"]]


def test_damaged_records_do_not_stop_a_check(good, tmp_path):
    convert(str(good), tmp_path / "records", settings=ConvertSettings(format="tfrecord"))
    shard = tmp_path / "records" / "train_0.tfrecord"
    content = bytearray(shard.read_bytes())
    content[3000] ^= 1
    shard.write_bytes(content)
    report, findings = checked(tmp_path / "records")
    assert findings["opens"].severity == "FAIL"
    assert "record" in findings["opens"].summary
    assert "damaged in its shard (1)" in findings["not_read"].summary
    assert report.status == "FAIL"
