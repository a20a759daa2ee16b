"""Chains: which orders make sense, and what is said of the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.deploy.chain.order import read_chain
from vernier.errors import RunError


@pytest.mark.parametrize(
    "letters", ["t", "e", "q", "b", "te", "tqe", "tqeb", "tbqeb", "eqe", "eqeb", "qb", "tebqeb", "beq"]
)
def test_orders_that_make_sense(letters):
    assert "".join(step.letter for step in read_chain(letters)) == letters


def test_the_old_spelling_is_the_same():
    assert read_chain("chain_tqeb") == read_chain("tqeb")


def test_steps_after_q_see_the_model_of_8_bits():
    names = [step.name for step in read_chain("tbqeb")]
    assert names == ["train", "benchmark float", "quantize", "evaluate int8", "benchmark int8"]


@pytest.mark.parametrize(
    ("letters", "said"),
    [
        ("", "names no step"),
        ("qt", r"t \(train\) comes first"),
        ("tt", r"t \(train\) comes first"),
        ("tqq", "can't be quantized again"),
        ("eeq", r"e \(evaluate\) twice on the same float model"),
        ("qebb", r"b \(benchmark\) twice on the same int8 model"),
        ("tqd", "d .deploy to a board. is not offered"),
        ("txe", "'x' is no step"),
        ("TQE", "'T' is no step"),
    ],
)
def test_orders_that_make_none(letters, said):
    with pytest.raises(RunError, match=said) as caught:
        read_chain(letters)
    assert "such as tqe, tqeb" in str(caught.value)


@given(st.text("teqb", min_size=1, max_size=7))
def test_whatever_is_accepted_trains_first_and_measures_nothing_twice(letters):
    try:
        steps = read_chain(letters)
    except RunError:
        return
    assert "t" not in [step.letter for step in steps[1:]]
    assert len(set(steps)) == len(steps)
