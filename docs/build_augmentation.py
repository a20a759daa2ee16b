"""Write docs/augmentation.md and its pictures anew: python docs/build_augmentation.py

The text of each operation comes from the schema, its pictures from the operation itself on a photo that scikit-learn
brings along.
"""

import argparse
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import Normalize, Operation, Rescale, Resize
from vernier.config.fields import kind_names, members
from vernier.config.operations import colour, custom, erasing, geometry, policies, tone
from vernier.config.reference import fields_table
from vernier.evaluation.contact_sheet import as_picture, contact_sheet

HERE = Path(__file__).parent
CELL, SHOWN = 112, 5
CHAPTERS = {
    "Geometry": (geometry.AnyGeometry, "Neighbours merge into one warp, whatever their number."),
    "Colour": (
        colour.AnyColour,
        "Neighbours merge into one matrix for each image, and nothing is clipped between them.",
    ),
    "Tone and filters": (tone.AnyTone, "Each is a pass of its own over the pixels."),
    "Erasing": (erasing.AnyErasing, "Each is a pass of its own."),
    "Policies": (policies.AnyPolicy, "Each is a pass of its own that draws several operations for every image."),
    "Functions of your own, and torchvision's": (custom.AnyCustom, "See the top of this page."),
}
NOT_SHOWN = (Normalize, Rescale)
STRONGER: Mapping[str, dict[str, Any]] = {
    "Resize": {"size": (96, 96)},
    "RandomResize": {"size": (48, 48)},
    "CentralCrop": {"fraction": 0.6},
    "CentralCropThenResize": {"size": (96, 96), "fraction": 0.6},
    "RandomCrop": {"size": (64, 64)},
    "RandomResizedCrop": {"size": (96, 96)},
    "ResizeThenRandomCrop": {"resize": (110, 110), "size": (96, 96)},
    "Pad": {"padding": 16},
    "RandomRotate": {"degrees": 30.0},
    "Translate": {"x": 0.3, "y": 0.3},
    "Zoom": {"scale": (0.6, 1.6)},
    "Shear": {"x": 25.0, "y": 10.0},
    "ColorJitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.6, "hue": 0.1},
    "Brightness": {"delta": 0.3},
    "Contrast": {"factor": 0.7},
    "Hue": {"delta": 0.3},
    "Posterize": {"bits": (1, 4)},
    "Gamma": {"gamma": (0.4, 2.5)},
    "Clip": {"low": 60.0, "high": 180.0},
    "Blur": {"size": (2, 9)},
    "GaussianBlur": {"sigma": (0.5, 4.0)},
    "GaussianNoise": {"std": (0.05, 0.2)},
    "JPEG": {"quality": (2, 15)},
    "Sharpness": {"factor": (2.0, 6.0)},
    "Cutout": {"length": 40},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text-only", action="store_true", help="leave the pictures as they are")
    options = parser.parse_args()
    if not options.text_only:
        for operation in operations():
            if not isinstance(operation, NOT_SHOWN):
                show(operation)
    (HERE / "augmentation.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page."""
    introduction = (HERE / "parts" / "augmentation.md").read_text(encoding="utf-8")
    return "\n".join([introduction.rstrip(), "", *chapters()])


def chapters() -> Iterator[str]:
    for title, (union, what) in CHAPTERS.items():
        yield from (f"## {title}", "", what, "")
        for kind in members(union):
            yield from entry(kind)
    yield "The photo is china.jpg of scikit-learn's samples, by danielbuechele, under CC BY 2.0."
    yield ""


def entry(kind: type[Operation]) -> Iterator[str]:
    names = " or ".join(f"`{name}`" for name in kind_names(kind))
    yield from (f"### {names}", "", inspect.cleandoc(kind.__doc__ or ""), "")
    fields = {name: field for name, field in kind.model_fields.items() if name not in ("name", "p_from")}
    yield from (*fields_table(fields), "")
    if picture(kind).is_file():
        yield from (f"![{kind.__name__}](pictures/{picture(kind).name})", "")


def picture(kind: type[Operation]) -> Path:
    return HERE / "pictures" / f"{kind.__name__}.jpg"


def operations() -> Iterator[Operation]:
    """One of each kind that can be made without more words, strong enough to be seen."""
    for union, _ in CHAPTERS.values():
        for kind in members(union):
            if not any(field.is_required() for field in kind.model_fields.values()):
                yield kind(**{"p": 1.0, **STRONGER.get(kind.__name__, {})})


def show(operation: Operation) -> None:
    """The photo, and what an operation makes of it by several draws."""
    photo = whole_photo()
    last = Resize(size=(CELL, CELL), mode="letterbox", border="constant", fill=255)
    plan = compile_plan(
        (operation, last), channels=3, border="constant", fill=0, interpolation="bilinear", seed=0, native_size=None
    )
    results = OpenCVBackend(plan, 0).batch([photo] * SHOWN, np.arange(SHOWN), 0).permute(0, 2, 3, 1).numpy()
    row = [as_picture(values, (0, 1, 2)) for values in (photo, *results)]
    kind = type(operation)
    picture(kind).parent.mkdir(exist_ok=True)
    contact_sheet(["", *[""] * SHOWN], [row], CELL).save(picture(kind), quality=80)


def whole_photo() -> np.ndarray:
    """112 x 84 pixels, uint8."""
    import cv2
    from sklearn.datasets import load_sample_image

    return cv2.resize(load_sample_image("china.jpg")[:, 30:600], (CELL, 84), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()
