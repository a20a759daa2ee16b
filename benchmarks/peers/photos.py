"""Class folders of photos: counting them and taking a part of them."""

from pathlib import Path

_SCORED = 8


def count(directory: Path) -> int:
    """Files in the class folders of a directory."""
    return sum(1 for path in directory.glob("*/*") if path.is_file())


def linked(flowers: Path, images: int | None, directory: Path) -> Path:
    """`train/` with about so many images, the same number of each class, and a few in `val/`, as links.

    Some tools write beside the images or score them unasked, so that all of them get a directory of their own.

    Args:
        flowers: Has `train/` and `val/`, each with one folder a class.
        images: Of all classes together; all when None.
        directory: Where the directory is made, unless it is there.
    """
    target = directory / f"flowers-{images or 'all'}"
    classes = sorted(path for path in (flowers / "train").iterdir() if path.is_dir())
    each = None if images is None else max(1, images // len(classes))
    for folder in classes:
        _link(sorted(folder.iterdir())[:each], target / "train" / folder.name)
    for folder in sorted(path for path in (flowers / "val").iterdir() if path.is_dir()):
        _link(sorted(folder.iterdir())[:_SCORED], target / "val" / folder.name)
    return target


def _link(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        link = folder / file.name
        if not link.is_symlink():
            link.symlink_to(file.resolve())
