"""A finished run that tests of deployment share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch on the digits, with test images; tests that write into it take a copy."""
    from vernier import api

    run = tmp_path_factory.mktemp("digits") / "run"
    words = ("data=digits", "model=digits_cnn", "train.epochs=1", "train.threads=1", "data.threads=1")
    api.train(None, *words, f"run.dir={run}")
    return run
