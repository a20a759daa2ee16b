"""chain.json: what is kept, and what is done again."""

import json

import pytest

from vernier.deploy.chain.record import ChainRecord, Figures, StepRecord, fingerprint, read_record, write_record
from vernier.errors import RunError


def step(name, status=0, **figures):
    return StepRecord(name, f"print of {name}", 1.5, status, figures, {"note": name})


def test_a_record_reads_back_equal(tmp_path):
    record = ChainRecord("qe", (step("quantize", float=Figures(0.9, 10)), step("evaluate int8")))
    write_record(tmp_path / "chain.json", record)
    assert read_record(tmp_path / "chain.json", "qe") == record
    assert read_record(tmp_path / "chain.json", "qeb") == ChainRecord("qeb", record.steps)
    assert record.cut(1).steps == record.steps[:1]
    assert read_record(tmp_path / "none.json", "qe") == ChainRecord("qe")


def test_the_objects_hold_the_latest_figures():
    first = step("quantize", int8=Figures(0.8, 10, bytes=7), float=Figures(0.9, 10))
    second = step("benchmark int8", int8=Figures(latency_ms_p50=2.0))
    values = ChainRecord("qb", (first, second)).to_json()
    assert list(values)[2:4] == ["float", "int8"]
    assert values["int8"] == {
        **{"accuracy": 0.8, "n": 10, "bytes": 7, "latency_ms_p50": 2.0},
        **{"flash_bytes": None, "ram_bytes": None},
    }


def test_a_step_is_done_again_when_its_inputs_change_or_its_gate_failed():
    record = ChainRecord("qe", (step("quantize", status=1), step("evaluate int8")))
    assert not record.done(0, "print of quantize")
    assert record.done(1, "print of evaluate int8")
    assert not record.done(1, "another")
    assert not record.done(2, "any")


def test_what_rests_on_a_step_is_forgotten_with_it():
    record = ChainRecord("qeb", (step("quantize"), step("evaluate int8"), step("benchmark int8")))
    assert [done.name for done in record.with_step(0, step("quantize")).steps] == ["quantize"]


def test_the_order_of_keys_is_nothing():
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1}) != fingerprint({"a": 1, "b": [3]})


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 1, "chain": "q", "steps": [{}]}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "chain.json").write_text(text)
    with pytest.raises(RunError, match="remove it to do all steps again"):
        read_record(tmp_path / "chain.json", "q")


def test_the_file_is_json(tmp_path):
    write_record(tmp_path / "chain.json", ChainRecord("q", (step("quantize"),)))
    assert json.loads((tmp_path / "chain.json").read_text())["steps"][0]["seconds"] == 1.5
