"""ST's tool is stood in for by a script that writes reports such as it does."""

import json
import sys
from pathlib import Path

import pytest
from footprint_graphs import graph, node

from vernier.deploy.footprint.report import report_on
from vernier.deploy.footprint.st_tool import StReport, find_st_tool, run_st_tool
from vernier.deploy.footprint.subject import Subject

NEW = {"memory_footprint": {"weights": 1234, "activations": 567, "kernel_ram": 89}, "graphs": [{"activations": []}]}
OLD = {"model": "network", "rom_size": 1234, "ram_size": 567, "layers": [{"rom_size": 7}]}


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No tool of this machine is found."""
    monkeypatch.delenv("STEDGEAI_CORE_DIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def install(path, body):
    """A script of Python at a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport json, pathlib, sys, time\n{body}")
    path.chmod(0o755)
    return path


def writing(name, values):
    return f"""
words = sys.argv[1:]
value = lambda name: words[words.index(name) + 1]
assert words[0] == "generate" and value("--name") == "network"
assert pathlib.Path(value("--model")).stat().st_size > 0
folder = pathlib.Path(value("--output"))
folder.mkdir()
(folder / "words.json").write_text(json.dumps(words))
(folder / {name!r}).write_text({json.dumps(values)!r})
"""


def network():
    return graph([node("Relu", "input", "logits")], {"input": (1, 3, 4, 4)}, {"logits": (1, 3, 4, 4)})


def test_without_a_tool_there_is_none():
    assert find_st_tool() is None


@pytest.mark.parametrize("name", ["stedgeai", "stm32ai"])
def test_found_on_path(name, tmp_path):
    tool = install(tmp_path / "bin" / name, "")
    assert find_st_tool() == tool


def test_found_where_the_variable_points_first(tmp_path, monkeypatch):
    install(tmp_path / "bin" / "stedgeai", "")
    tool = install(tmp_path / "core" / "Utilities" / "linux" / "stedgeai", "")
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path / "core"))
    assert find_st_tool() == tool


@pytest.mark.parametrize(
    ("name", "file", "values"),
    [("stedgeai", "network_c_info.json", NEW), ("stm32ai", "network_report.json", OLD)],
)
def test_reports_of_both_generations_are_read(name, file, values, tmp_path):
    tool = install(tmp_path / "bin" / name, writing(file, values))
    assert run_st_tool(tool, network()) == StReport(tool, ram=567, flash=1234)


def test_only_the_newer_tool_is_told_a_target(tmp_path):
    seen = tmp_path / "seen"
    for name in ("stedgeai", "stm32ai"):
        tool = install(tmp_path / "bin" / name, f"pathlib.Path({str(seen)!r}).write_text(' '.join(sys.argv))")
        run_st_tool(tool, network())
        assert ("--target stm32h7" in seen.read_text()) == (name == "stedgeai")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("sys.exit('E010: layer is not supported')", "ended with status 1: E010: layer is not supported"),
        ("sys.exit(3)", "ended with status 3: it said nothing"),
        ("pass", "wrote no report with figures of memory"),
        (writing("network_c_info.json", {"memory_footprint": {"weights": "many"}}), "wrote no report with figures"),
        (writing("network_report.json", ["ram_size", True]), "wrote no report with figures"),
    ],
)
def test_a_tool_that_fails_fails_nothing_here(body, problem, tmp_path):
    tool = install(tmp_path / "bin" / "stedgeai", body)
    report = run_st_tool(tool, network())
    assert report.problem.startswith(problem)
    assert report.ram is None


def test_a_report_that_is_no_json_is_passed_over(tmp_path):
    body = writing("network_report.json", OLD) + "\n(folder / 'network_c_info.json').write_text('{')"
    tool = install(tmp_path / "bin" / "stedgeai", body)
    assert run_st_tool(tool, network()).flash == 1234


def test_a_tool_that_hangs_is_ended(tmp_path):
    tool = install(tmp_path / "bin" / "stedgeai", "time.sleep(60)")
    assert run_st_tool(tool, network(), seconds=0.5).problem == "was ended after 0.5 s"


def test_a_file_that_can_not_be_run_is_told(tmp_path):
    tool = tmp_path / "bin" / "stedgeai"
    tool.parent.mkdir()
    tool.write_text("no program")
    tool.chmod(0o755)
    assert "can't be run" in run_st_tool(tool, network()).problem


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    kept = tmp_path / "temporary"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    tool = install(tmp_path / "bin" / "stedgeai", writing("network_c_info.json", NEW))
    assert run_st_tool(tool, network()).problem is None
    assert not any(kept.iterdir())


def test_figures_stand_beside_ours_for_the_graph_as_it_is(tmp_path):
    tool = install(tmp_path / "bin" / "stedgeai", writing("network_c_info.json", NEW))
    report = report_on(Subject(network(), "relu"), precision=None, board=None, st_tool=Path(tool))
    assert report.footprint.ram_bytes == 48
    assert report.to_json()["st"] == {
        "tool": str(tool),
        "problem": None,
        "flash_bytes": 1234,
        "ram_bytes": 567,
        "our_flash_bytes": 0,
        "our_ram_bytes": 192,
    }
    assert "ST's tool on the graph as it is: flash 1.21 KiB (here 0.00 KiB); RAM 0.55 KiB (here 0.19 KiB)" in (
        report.to_text()
    )
