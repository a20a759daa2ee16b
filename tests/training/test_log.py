import logging

import pytest

from vernier.errors import ConfigError
from vernier.training.log import logger, logging_to


@pytest.mark.parametrize(
    ("level", "expected"),
    [(None, ["info", "warning", "error"]), ("debug", ["debug", "info", "warning", "error"]), ("Error", ["error"])],
)
def test_the_environment_says_what_is_logged(tmp_path, monkeypatch, level, expected):
    monkeypatch.delenv("VERNIER_LOG_LEVEL", raising=False)
    if level is not None:
        monkeypatch.setenv("VERNIER_LOG_LEVEL", level)
    before = logger.level
    with logging_to(tmp_path / "train.log", quiet=True):
        for name in ("debug", "info", "warning", "error"):
            logger.log(getattr(logging, name.upper()), name)
    assert [line.split()[-1] for line in (tmp_path / "train.log").read_text().splitlines()] == expected
    assert logger.level == before


def test_an_unknown_level_is_an_error_with_the_list(monkeypatch):
    monkeypatch.setenv("VERNIER_LOG_LEVEL", "loud")
    with (
        pytest.raises(ConfigError, match=r"VERNIER_LOG_LEVEL: 'loud' is not .* DEBUG, INFO, WARNING, ERROR"),
        logging_to(None),
    ):
        pass
