"""Pictures are rendered here."""

import pytest


@pytest.fixture(autouse=True)
def pictures_not_rendered() -> None:
    """In place of the fixture for all tests: here the pictures are what is looked at."""
