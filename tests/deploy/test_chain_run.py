"""A chain goes on where it was left, and stops where a gate fails."""

from html.parser import HTMLParser

import pytest

from vernier.deploy.chain.order import read_chain
from vernier.deploy.chain.record import Figures, read_record
from vernier.deploy.chain.report import chain_text, write_chain_page
from vernier.deploy.chain.run import Action, Outcome, run_chain


class Workshop:
    """Does steps and remembers which; `weights` is what they depend on."""

    def __init__(self, directory):
        self.directory, self.done, self.weights, self.failing = directory, [], "w", None

    def act(self, step):
        self.done.append(step.name)
        file = self.directory / step.name
        file.write_text(self.weights)
        figures = {step.precision: Figures(accuracy=0.875, n=16)} if step.letter == "e" else {}
        return Outcome(int(step.name == self.failing), figures, {"text": "<all of it>"}, (file,))

    def run(self, letters):
        action = Action(lambda step: f"{step.name} of {self.weights}", self.act)
        self.done = []
        return run_chain(letters, read_chain(letters), self.directory / "chain.json", action, lambda line: None)


def test_every_step_in_order_and_nothing_twice(tmp_path):
    workshop = Workshop(tmp_path)
    record = workshop.run("eqe")
    assert workshop.done == ["evaluate float", "quantize", "evaluate int8"]
    assert set(record.figures()) == {"float", "int8"}
    assert workshop.run("eqe") == record
    assert workshop.done == []


def test_other_letters_keep_what_they_begin_with(tmp_path):
    workshop = Workshop(tmp_path)
    workshop.run("qe")
    assert [step.name for step in workshop.run("qeb").steps] == ["quantize", "evaluate int8", "benchmark int8"]
    assert workshop.done == ["benchmark int8"]
    assert len(workshop.run("q").steps) == len(read_record(tmp_path / "chain.json", "q").steps) == 1


def test_a_failed_gate_ends_the_chain_and_is_tried_again(tmp_path):
    workshop = Workshop(tmp_path)
    workshop.failing = "quantize"
    assert [step.status for step in workshop.run("eqeb").steps] == [0, 1]
    workshop.failing = None
    workshop.run("eqeb")
    assert workshop.done == ["quantize", "evaluate int8", "benchmark int8"]


def test_other_weights_or_a_lost_file_do_the_steps_again(tmp_path):
    workshop = Workshop(tmp_path)
    workshop.run("qb")
    (tmp_path / "benchmark int8").unlink()
    workshop.run("qb")
    assert workshop.done == ["benchmark int8"]
    workshop.weights = "v"
    workshop.run("qb")
    assert workshop.done == ["quantize", "benchmark int8"]


def test_what_was_done_is_there_after_an_interrupt(tmp_path):
    workshop = Workshop(tmp_path)

    def interrupted(step):
        if step.letter == "q":
            raise KeyboardInterrupt
        return workshop.act(step)

    action = Action(lambda step: f"{step.name} of w", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_chain("eqe", read_chain("eqe"), tmp_path / "chain.json", action, lambda line: None)
    assert [step.name for step in read_record(tmp_path / "chain.json", "eqe").steps] == ["evaluate float"]
    workshop.run("eqe")
    assert workshop.done == ["quantize", "evaluate int8"]


def test_the_page_and_the_text_show_models_and_steps(tmp_path):
    record = Workshop(tmp_path).run("eqe")
    write_chain_page(tmp_path / "chain.html", record, "a & b")
    html = (tmp_path / "chain.html").read_text()
    HTMLParser().feed(html)
    assert "a &amp; b" in html
    assert html.count("&lt;all of it&gt;") == 3
    assert "87.5" in html
    text = chain_text(record)
    assert "float (torch)" in text
    assert "evaluate int8" in text
