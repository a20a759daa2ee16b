"""docs/augmentation.md is what its builder makes, and every picture in it is there."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("build_augmentation", DOCS / "build_augmentation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(builder):
    page = (DOCS / "augmentation.md").read_text(encoding="utf-8")
    assert page == builder.page(), "run python docs/build_augmentation.py"


def test_every_operation_that_can_be_shown_has_a_picture(builder):
    page = (DOCS / "augmentation.md").read_text(encoding="utf-8")
    shown = {Path(path).stem for path in re.findall(r"\]\((pictures/\S+)\)", page)}
    wanted = {type(each).__name__ for each in builder.operations() if not isinstance(each, builder.NOT_SHOWN)}
    assert shown == wanted


def test_every_picture_is_on_a_page():
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    assert set(re.findall(r"\(pictures/(\S+)\)", pages)) == {path.name for path in (DOCS / "pictures").iterdir()}
