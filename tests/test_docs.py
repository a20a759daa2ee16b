"""What README and docs tell people to type works, and the generated reference is up to date."""

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from vernier import cli
from vernier.config.loading import config_from_mapping, read_config_file
from vernier.config.reference import reference_markdown

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SETUP = "pip install uv && uv run "


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def place(class_folders, tmp_path, monkeypatch):
    """A person's directory: photos/ and the examples."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def run(command: str) -> None:
    """One line of a shell block, in this process: a `vernier` command, its output sent to a file or not."""
    words, _, file = command.partition(" > ")
    program, *arguments = shlex.split(words, comments=True)
    assert program == "vernier", f"only vernier commands can be checked here: {command}"
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert cli.main(arguments) == 0, command
    if file:
        Path(file.strip()).write_text(out.getvalue())


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=lambda page: page.stem)
def test_every_shell_block_runs(page, place):
    for block in blocks(page, "yaml"):
        name = re.match(r"# (\S+\.yaml)\n", block)
        if name:
            (place / name[1]).write_text(block)
    for block in blocks(page, "python"):
        name = re.match(r"# (\S+\.py)\n", block)
        if name:
            (place / name[1]).write_text(block)
    for block in blocks(page, "sh"):
        for line in block.strip().splitlines():
            # The environment is set up already, and the suite does not run itself.
            command = line.removeprefix(SETUP)
            if command != "uv run pytest":
                run(command)


def test_ci_runs_the_readmes_test_command():
    assert "uv run pytest" in blocks(ROOT / "README.md", "sh")[1]
    assert "\nuv run pytest\n" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_yaml_block_is_a_config(page):
    for block in blocks(page, "yaml"):
        config_from_mapping(yaml.safe_load(block), checks=())


def test_python_blocks_run(place, capsys):
    for block in blocks(ROOT / "README.md", "python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "images" in capsys.readouterr().out


def test_the_config_reference_is_the_schemas():
    written = (ROOT / "docs" / "config-reference.md").read_text(encoding="utf-8")
    assert written == reference_markdown(), "run: python -m vernier.config.reference > docs/config-reference.md"


@pytest.mark.parametrize("recipe", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_are_configs_and_say_what_they_reach(recipe):
    config_from_mapping(read_config_file(recipe), checks=())
    header = "".join(line for line in recipe.read_text().splitlines(keepends=True) if line.startswith("#"))
    for word in ("command:", "hardware:", "time:", "accuracy:", "3 seeds"):
        assert word in header, f"{recipe.name} does not say {word}"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
