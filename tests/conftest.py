"""Shared fixtures: real images, and global state that is the same after every test as before it."""

import os

# Compute threads on shared cores wait for each other; tests that need several set them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    # Each process of the suite has processors of its own, so trainings that take all they see take no others'.
    number, count = int(os.environ["PYTEST_XDIST_WORKER"][2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[number::count] or processors)

import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# On a busy machine an example may take any time.
hypothesis.settings.register_profile("vernier", deadline=None)
hypothesis.settings.load_profile("vernier")


@pytest.fixture(autouse=True)
def global_state_restored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Environment, working directory, generators, thread counts and signal handlers outlive no test."""
    environment, directory = dict(os.environ), Path.cwd()
    os.environ["VERNIER_CACHE"] = str(tmp_path_factory.getbasetemp() / "vernier-cache")
    python_state, numpy_state = random.getstate(), np.random.get_state()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    torch_state = _torch_state()
    yield
    _restore_torch(torch_state)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    random.setstate(python_state)
    np.random.set_state(numpy_state)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)


def _torch_state() -> tuple | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return (
        torch.get_rng_state(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_default_dtype(),
    )


def _restore_torch(state: tuple | None) -> None:
    if state is None:
        return
    import torch

    rng, threads, deterministic, dtype = state
    torch.set_rng_state(rng)
    torch.set_num_threads(threads)
    if torch.are_deterministic_algorithms_enabled() != deterministic:
        torch.use_deterministic_algorithms(deterministic)
    torch.set_default_dtype(dtype)


@pytest.fixture(autouse=True)
def pictures_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings compose curves.png and confusion_matrix.png and write one pixel: rendering would be half their time.

    The tests of evaluation, whose subject the pictures are, and runs of session fixtures and other processes render.
    """
    from PIL import Image

    from vernier.atomic import write_atomically

    def save(_figure: object, out: Path, dpi: int) -> None:
        write_atomically(out, lambda file: Image.new("L", (1, 1)).save(file, format="png", dpi=(dpi, dpi)))

    monkeypatch.setattr("vernier.evaluation.plots._save", save)


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Two real photographs, uint8 (427, 640, 3), that scikit-learn brings along."""
    from sklearn.datasets import load_sample_image

    return {name: np.array(load_sample_image(f"{name}.jpg")) for name in ("china", "flower")}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of the larger real data sets, or a skip that says how to have them."""
    directory = os.environ.get("VERNIER_DATA")
    if not directory or not Path(directory).is_dir():
        pytest.skip("set VERNIER_DATA to the directory that holds flowers.tar, cifar10.tar, mnist/ and weights/")
    return Path(directory)


@pytest.fixture(scope="session")
def unpacked(shared_data: Path, tmp_path_factory: pytest.TempPathFactory):
    """A function that unpacks one of the archives of `shared_data` once and returns its directory."""
    import tarfile

    done: dict[str, Path] = {}

    def unpack(name: str) -> Path:
        if name not in done:
            target = tmp_path_factory.mktemp("unpacked")
            with tarfile.open(shared_data / f"{name}.tar") as archive:
                archive.extractall(target, filter="data")
            done[name] = target / name
        return done[name]

    return unpack


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch on the digits, with test images; tests that write into it take a copy."""
    from vernier import api

    run = tmp_path_factory.mktemp("digits") / "run"
    words = ("data=digits", "model=digits_cnn", "train.epochs=1", "train.threads=1", "data.threads=1")
    api.train(None, *words, f"run.dir={run}")
    return run


@pytest.fixture(scope="session")
def quantized_digits_run(digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`digits_run` with `export/best.onnx` and `export/best_int8.onnx`; tests that write into it take a copy."""
    import shutil

    from vernier import api

    run = shutil.copytree(digits_run, tmp_path_factory.mktemp("quantized-digits") / "run")
    api.quantize(run, "quantize.calibration=50")
    return run


@pytest.fixture
def class_folders(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    """Class folders `china/` and `flower/` of 12 small JPEG crops of real photographs each."""
    from PIL import Image

    root = tmp_path / "photos"
    for name, photo in photos.items():
        folder = root / name
        folder.mkdir(parents=True)
        for number in range(12):
            top, left = 20 * (number // 4), 40 * (number % 4)
            crop = photo[top : top + 160 + 4 * number, left : left + 200]
            Image.fromarray(crop).save(folder / f"{name}_{number:02d}.jpg", quality=90)
    return root


@pytest.fixture(autouse=True)
def forget_modules_of_the_test(tmp_path_factory):
    """Take modules that a test wrote and imported out again: another test may write one of the same name."""
    before = len(sys.modules)
    yield
    if len(sys.modules) == before:
        return
    written = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(written):
            del sys.modules[name]
