"""Rules of `quantize`."""

import pytest

from vernier.config.loading import load_config
from vernier.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "key", "text"),
    [
        (["quantize.exclude=['stem(']"], "quantize.exclude", "'stem\\('.* is no regular expression"),
        (["quantize.input=int8", "quantize.first_layer_float=true"], "quantize.input", "first layer of integers"),
        (["quantize.budget=3ep"], "quantize.budget", "must be a time above 0, such as 90s or 10m; got 3ep"),
        (["quantize.budget=0s"], "quantize.budget", "must be a time above 0"),
    ],
)
def test_rules(settings, key, text):
    with pytest.raises(ConfigError, match=text) as caught:
        load_config(None, ["data=x", *settings])
    assert [problem.key for problem in caught.value.problems] == [key]


def test_what_is_allowed():
    settings = ["quantize.exclude=['features[.]0.*']", "quantize.input=uint8", "quantize.budget=2m"]
    assert load_config(None, ["data=x", *settings]).config.quantize.input == "uint8"
