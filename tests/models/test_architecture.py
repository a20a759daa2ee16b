import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.errors import ModelError
from vernier.models.architecture import Architecture

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
architectures = st.builds(
    Architecture,
    provider=st.sampled_from(["zoo", "timm", "torchvision", "python"]),
    name=st.text(max_size=10),
    kwargs=st.dictionaries(st.text(max_size=5), json_values, max_size=3),
    num_outputs=st.integers(1, 1000),
    channels=st.integers(1, 4),
    input_size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    dropout=st.none() | st.floats(0, 0.99),
)


@given(architectures)
def test_json_gives_it_back(architecture):
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"provider": "hub"}, "provider"),
        ({"num_outputs": "many"}, "num_outputs"),
        ({"input_size": [8]}, "input_size"),
        ({"extra": 1}, "extra"),
    ],
)
def test_other_values_are_refused_by_name(changes, message):
    values = Architecture("zoo", "digits_cnn", {}, 10, 1, (8, 8)).to_json()
    with pytest.raises(ModelError, match=message):
        Architecture.from_json({**values, **changes})
