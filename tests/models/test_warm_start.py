import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vernier.config.model import WarmStartConfig
from vernier.errors import ModelError
from vernier.models.warm_start import rename, select

NAMES = ("conv1.weight", "layer1.0.conv.weight", "layer1.0.norm.weight", "layer2.0.conv.weight", "fc.weight", "fc.bias")
ORIGIN = "weights.pth"
names = st.lists(st.from_regex(r"[ab](\.[ab01]){0,3}", fullmatch=True), min_size=1, max_size=8, unique=True)
patterns = st.sampled_from([r"a.*", r".*b", r"a\..*", r"[ab]", r"b(\..*)?", r".*\.0.*", r".*"])


def test_rules_apply_in_their_order_to_what_the_one_before_made():
    renamed = rename(NAMES, {"^": "net.", r"^net\.fc\.": "head.", r"layer(\d)\.0": r"stage\1"}, ORIGIN)
    assert list(renamed) == list(NAMES)
    assert list(renamed.values()) == [
        "net.conv1.weight", "net.stage1.conv.weight", "net.stage1.norm.weight", "net.stage2.conv.weight",
        "head.weight", "head.bias",
    ]  # fmt: skip


def test_a_pattern_matches_whole_names_and_exclude_wins():
    selection = select(WarmStartConfig(include=("layer.*", "conv1.*"), exclude=(".*norm.*",)), NAMES, ORIGIN)
    assert [name for name in NAMES if selection.takes(name)] == [NAMES[0], NAMES[1], NAMES[3]]
    assert not selection.takes("my.layer1.weight")
    assert all(select(WarmStartConfig(), NAMES, ORIGIN).takes(name) for name in NAMES)


@pytest.mark.parametrize("field", ["include", "exclude"])
def test_a_pattern_that_is_no_regular_expression(field):
    with pytest.raises(ModelError) as caught:
        select(WarmStartConfig(**{field: ("fc.*", "layer[")}), NAMES, ORIGIN)
    assert str(caught.value) == (
        f"model.warm_start.{field}[1]=layer[: not a regular expression: unterminated character set at position 5; "
        "write a backslash before a character that stands for itself"
    )


def test_a_rule_that_is_no_regular_expression_or_no_replacement():
    with pytest.raises(ModelError, match=r"model\.warm_start\.rename\[\*a\]: not a regular expression: nothing to"):
        rename(NAMES, {"*a": ""}, ORIGIN)
    for replacement in (r"\2", r"\g<x>"):
        with pytest.raises(ModelError) as caught:
            rename(NAMES, {"(fc)": replacement}, ORIGIN)
        assert f"model.warm_start.rename[(fc)]={replacement}: not a replacement: " in str(caught.value)
        assert r"\1 is the first group in parentheses of model.warm_start.rename[(fc)]" in str(caught.value)


@pytest.mark.parametrize("field", ["include", "exclude"])
def test_a_pattern_that_matches_nothing_names_the_closest(field):
    with pytest.raises(ModelError) as caught:
        select(WarmStartConfig(**{field: (r"layer9\..*",)}), NAMES, ORIGIN)
    assert str(caught.value) == (
        f"model.warm_start.{field}[0]=layer9\\..*: weights.pth: matches no name. Did you mean layer2, "
        "layer1? Names begin with conv1, layer1, layer2, fc"
    )


def test_a_pattern_for_a_part_of_a_name_gets_told_about_whole_names():
    with pytest.raises(ModelError, match=r"whole name; write \.\*norm\.\* for names that contain it"):
        select(WarmStartConfig(exclude=("norm",)), NAMES, ORIGIN)


def test_a_rule_that_finds_nothing_names_the_closest():
    with pytest.raises(ModelError) as caught:
        rename(NAMES, {"^conv2[.]": "stem."}, ORIGIN)
    assert str(caught.value).startswith("model.warm_start.rename[^conv2[.]]: weights.pth: found in no name. Did you")
    assert "mean conv1" in str(caught.value)


def test_names_must_stay_different():
    with pytest.raises(ModelError) as caught:
        rename(NAMES, {r"layer\d": "layer"}, ORIGIN)
    assert "layer1.0.conv.weight and layer2.0.conv.weight become 'layer.0.conv.weight'; make" in str(caught.value)
    with pytest.raises(ModelError, match=r"become 'x10' and 5 more"):
        rename([f"{letter}{number:02}" for letter in "ab" for number in range(1, 16)], {"^.": "x"}, ORIGIN)


@given(names, st.lists(patterns, max_size=2), st.lists(patterns, max_size=2))
def test_a_selection_is_the_names_that_some_include_and_no_exclude_matches(names, include, exclude):
    assume(all(any(re.fullmatch(pattern, name) for name in names) for pattern in (*include, *exclude)))
    selection = select(WarmStartConfig(include=tuple(include), exclude=tuple(exclude)), names, ORIGIN)
    for name in names:
        included = not include or any(re.fullmatch(pattern, name) for pattern in include)
        assert selection.takes(name) == (included and not any(re.fullmatch(pattern, name) for pattern in exclude))


@given(
    names, st.dictionaries(st.sampled_from(["^a", "b", r"\.0", "[ab]$"]), st.sampled_from(["", "c", ".d"]), max_size=3)
)
def test_renaming_is_one_to_one_or_an_error(names, rules):
    wanted = list(names)
    found = True
    for pattern, replacement in rules.items():
        found = found and any(re.search(pattern, name) for name in wanted)
        wanted = [re.sub(pattern, replacement, name) for name in wanted]
    if found and len(set(wanted)) == len(wanted):
        assert rename(names, rules, ORIGIN) == dict(zip(names, wanted, strict=True))
    else:
        with pytest.raises(ModelError):
            rename(names, rules, ORIGIN)
