"""All the ways to name a scenario, and what is said when there is none."""

import sys

import pytest

from vernier.errors import ConfigError
from vernier.scenario.finding import canonical_name, find_scenario

ONE = "class One(Scenario): pass"
TWO = "class Two(Scenario): pass"


def found(name):
    return canonical_name(find_scenario(name))


def message(name):
    with pytest.raises(ConfigError) as caught:
        find_scenario(name)
    (problem,) = caught.value.problems
    assert problem.key == "scenario.name"
    return problem.message


@pytest.mark.parametrize(
    "name",
    [
        "pkg.scenario:One",
        "pkg.scenario",
        "pkg",
        "pkg/scenario",
        "pkg/scenario.py",
        "./pkg/scenario.py:One",
        "pkg/",
        r"pkg\scenario.py",
        " pkg.scenario ",
    ],
)
@pytest.mark.parametrize("regular", [True, False])
def test_every_form_means_the_same(workplace, name, regular):
    workplace.write("pkg/scenario.py", ONE)
    if regular:
        (workplace.path / "pkg/__init__.py").write_text("")
    assert found(name) == "pkg.scenario:One"


def test_a_file_in_the_working_directory(workplace):
    workplace.write("lone.py", ONE)
    file = str(workplace.path / "lone.py")
    assert {found(name) for name in ("lone", "lone.py", "lone:One", file, f"{file}:One")} == {"lone:One"}


def test_only_classes_that_the_module_defines_and_shows_count(workplace):
    workplace.write("below.py", ONE)
    workplace.write(
        "above.py", "from below import One", "class _Base(One): pass", "class Above(_Base): pass", "B = Above"
    )
    assert found("above") == "above:Above"
    assert found("above:One") == "below:One"


def test_a_package_that_shows_its_scenario_is_the_module_scenario(workplace):
    workplace.write("shown/scenario.py", ONE)
    workplace.write("shown/__init__.py", "from shown.scenario import One")
    assert found("shown") == "shown.scenario:One"


def test_the_package_itself_may_define_it(workplace):
    workplace.write("own/__init__.py", ONE)
    workplace.write("own/scenario.py", TWO)
    assert found("own") == "own:One"


def test_several_are_listed(workplace):
    workplace.write("several.py", ONE, TWO)
    assert message("several") == "several defines several scenarios; name one of several:One, several:Two"
    assert found("several:Two") == "several:Two"


def test_none_is_an_error(workplace):
    workplace.write("none.py", "x = 1")
    workplace.write("empty/__init__.py", "")
    assert message("none") == "none defines no scenario; derive a class from vernier.scenario.Scenario there"
    assert "empty defines no scenario and has no module `scenario`" in message("empty")


def test_a_wrong_class_name_is_guessed(workplace):
    workplace.write("guess.py", ONE, "class Other: pass")
    assert message("guess:Onee") == "guess has no 'Onee'; did you mean 'One'?"
    assert message("guess:Different") == "guess has no 'Different'; it has One"
    assert message("guess:Other") == "guess:Other is not derived from vernier.scenario.Scenario"


def test_a_missing_module_is_guessed_from_its_neighbours(workplace):
    workplace.write("forest/__init__.py", "")
    workplace.write("forest/trees.py", ONE)
    assert "there is no Python module 'forest.treees'" in message("forest.treees")
    assert message("forest.treees").endswith("; did you mean 'forest.trees'?")
    assert message("forrest.trees").endswith("; did you mean 'forest'?")
    assert message("forest/treees.py").endswith("; did you mean 'forest/trees.py'?")
    assert message("forest/treees").endswith("; did you mean 'forest/trees.py'?")
    assert "there is no Python module 'forest.trees.deep'" in message("forest.trees.deep")


@pytest.mark.parametrize(
    "name", ["", ":", ":One", "..", "a b", "a-b", "1a", ".a", "a.", "a..b", "é\x00", "a/b:c", "10:20"]
)
def test_what_can_be_no_module_is_an_error(workplace, name):
    assert message(name)


def test_a_file_elsewhere_is_refused(workplace, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "far.py"
    other.write_text("x = 1")
    assert "is neither below the working directory" in message(str(other))


def test_a_file_on_pythons_path_is_found(workplace, tmp_path_factory, monkeypatch):
    directory = tmp_path_factory.mktemp("library")
    (directory / "on_path.py").write_text("from vernier.scenario import Scenario\nclass One(Scenario): pass\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(directory)])
    assert found(str(directory / "on_path.py")) == "on_path:One"
    del sys.modules["on_path"]


def test_a_file_that_another_module_hides_is_named(workplace):
    workplace.write("json.py", ONE)
    assert "json.py is imported as json, but another module has this name" in message("json.py")


def test_errors_in_the_module_keep_their_traceback_and_name_it(workplace):
    workplace.write("broken.py", "1 / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        find_scenario("broken")
    assert caught.value.__notes__ == ["This came up while the scenario's module broken was imported."]
    assert caught.traceback[-1].path.name == "broken.py"


def test_a_missing_import_of_the_module_is_no_missing_scenario(workplace):
    workplace.write("needs.py", "import there_is_no_such_package", ONE)
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_package") as caught:
        find_scenario("needs")
    assert "needs was imported" in caught.value.__notes__[0]
