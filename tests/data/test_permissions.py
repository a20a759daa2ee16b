"""Directories and files that may not be read, also where the tests run as root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vernier.config.data import DataConfig
from vernier.data.sources import open_source
from vernier.data.store import open_store
from vernier.errors import DataError

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """As somebody who may not read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_photos(class_folders: Path) -> Iterator[Path]:
    """The class folders where anybody may look."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(shutil.copytree(class_folders, Path(directory) / "photos"))


def test_a_directory_without_read_permission_is_named(shared_photos):
    folder = shared_photos / "china"
    folder.chmod(0)
    with without_privileges(), pytest.raises(DataError, match="china"):
        open_source(DataConfig(source=str(shared_photos)))
    folder.chmod(0o755)


def test_files_without_read_permission_are_all_listed(shared_photos):
    hidden = [shared_photos / "china" / "china_02.jpg", shared_photos / "flower" / "flower_07.jpg"]
    for path in hidden:
        path.chmod(0)
    with without_privileges():
        data = DataConfig(source=str(shared_photos), store="memory")
        source = open_source(data)
        with pytest.raises(DataError, match="2 of 24") as caught:
            open_store(source.images, data, 1)
    assert all(path.name in str(caught.value) for path in hidden)
