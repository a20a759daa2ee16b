"""Rules of `data.split`, list files and columns. The exact texts are those of tests/config/errors_expected.txt."""

import pytest

from vernier.config.loading import load_config
from vernier.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        (["data=x", "data.split.fold=2"], ["data.split.fold"]),
        (["data=x", "data.split.folds=5", "data.split.fold=5"], ["data.split.fold"]),
        (["data=x", "data.split.folds=5", "data.split.val=0.1"], ["data.split.folds"]),
        (["data=x", "data.split.folds=5", "data.split.file=s.csv"], ["data.split.folds"]),
        (["data.train=x", "data.val=y", "data.split.folds=5"], ["data.split.folds"]),
        (["data=x", "data.split.group=(.*_frame"], ["data.split.group"]),
        (["data=x", r"data.split.group=.*_frame\d+"], ["data.split.group"]),
        (["data=x.csv", "data.split.group=(.*)_", "data.columns.group=video"], ["data.split.group"]),
        (["data=x", "data.split.method=device_zoo", "data.split.test=0.1"], ["data.split.method"]),
        (["data=x", "data.split.method=device_zoo", "data.split.folds=3"], ["data.split.method"]),
        (["data=x", "data.split.method=device_zoo", "data.split.seed=4294967296"], ["data.split.seed"]),
        (["data=x.csv", "data.split.method=device_zoo", "data.columns.group=g"], ["data.split.method"]),
        (["data=x", "data.lists=[a.txt]"], ["data.lists"]),
        (["data.train=x", "data.lists=[a.txt]"], ["data.lists"]),
        (["data.lists=[]"], ["data.lists"]),
        (["data.lists=[a.txt,b.csv]"], ["data.lists[1]"]),
        (["data=x", "data.list_ratios=[1,2]"], ["data.list_ratios"]),
        (["data.lists=[a.txt,b.txt]", "data.list_ratios=[1]"], ["data.list_ratios"]),
        (["data.lists=[a.txt]", "data.list_ratios=[1]", "data.sampler=balanced"], ["data.list_ratios"]),
        (["data.lists=[a.txt]", "data.list_ratios=[1]", "data.imbalance=auto"], ["data.list_ratios"]),
        (["data=x.csv", "data.columns.label=path"], ["data.columns"]),
        (["data=x.csv", "data.columns.labels=[a,a]"], ["data.columns"]),
        (["data=x.csv", "data.columns.labels=[]"], ["data.columns.labels"]),
        (["data=x.csv", "data.columns.delimiter=;;"], ["data.columns.delimiter"]),
    ],
)
def test_what_does_not_go_together(settings, keys):
    with pytest.raises(ConfigError) as caught:
        load_config(None, settings)
    assert [problem.key for problem in caught.value.problems] == keys


@pytest.mark.parametrize(
    "settings",
    [
        ["data=x", "data.split.folds=5", "data.split.fold=4", "data.split.test=0.1", "data.val_split=none"],
        ["data=x", r"data.split.group=(.*)_frame\d+", "data.split.folds=2"],
        ["data.lists=[a.txt,b.txt]", "data.list_ratios=[3,1/2]", "data.val=val.txt"],
        ["data=x.csv", "data.columns.split=null", "data.columns.delimiter=;", "data.columns.labels=[label,path2]"],
        ["data=x.csv", "data.columns.delimiter=|"],
        ["data=x.csv", "data.columns.delimiter=tab"],
        ["data=x", "data.split.method=device_zoo", "data.split.val=0.15", "data.split.seed=123"],
    ],
)
def test_what_goes_together(settings):
    load_config(None, settings)
