import pytest

from vernier.config.duration import Duration
from vernier.config.schedule import CustomScheduleConfig
from vernier.errors import ConfigError, TrainingError
from vernier.optim.schedules import make_schedule

MODULE = """
def straight(progress, end=0.0):
    return 1 - (1 - end) * progress

def any_of(**given):
    return given["progress"] * given["slope"]

def without(step):
    return 1.0

def negative(progress):
    return 0.5 - progress

def text(progress):
    return "1"
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "own_schedules.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)


def schedule(name, **fields):
    config = CustomScheduleConfig(callable=f"own_schedules:{name}", **fields)
    return make_schedule(config, total_steps=20, steps_per_epoch=10)


def test_a_function_sees_progress_and_its_arguments():
    factor = schedule("straight", kwargs={"end": 0.5})
    assert [factor(step) for step in (0, 10, 20, 30)] == [1.0, 0.75, 0.5, 0.5]
    assert schedule("any_of", kwargs={"slope": 2})(10) == 1.0


def test_warmup_and_hold_come_first():
    factor = schedule("straight", warmup=Duration(4, "st"), hold=Duration(6, "st"))
    assert [factor(step) for step in (0, 2, 4, 10, 15, 20)] == [0, 0.5, 1, 1, 0.5, 0]


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("straight", {"ends": 1}, r"schedule\.kwargs\.ends: .*did you mean 'end'"),
        ("straight", {"progress": 1}, r"schedule\.kwargs\.progress: is given by Vernier"),
        ("straigt", {}, r"schedule\.callable: .*did you mean 'straight'"),
        ("without", {}, r"schedule\.callable: must take an argument progress \(0 to 1\)"),
        ("text", {}, r"schedule\.callable: must give a number, at least 0; .* gave '1' at progress 0"),
    ],
)
def test_what_is_wrong_with_it_is_said_before_the_first_step(name, kwargs, message):
    with pytest.raises(ConfigError, match=message):
        schedule(name, kwargs=kwargs)


def test_a_factor_below_zero_stops_the_training():
    factor = schedule("negative")
    with pytest.raises(TrainingError, match=r"own_schedules:negative gave -0\.25 at progress 0\.75"):
        factor(15)


@pytest.mark.parametrize(("name", "ours"), [("StepLR", "use schedule=step"), ("LambdaLR", "use one of constant")])
def test_torchs_schedulers_are_pointed_to_ours(name, ours):
    config = CustomScheduleConfig(callable=f"torch.optim.lr_scheduler.{name}")
    with pytest.raises(ConfigError, match=ours):
        make_schedule(config, total_steps=20, steps_per_epoch=10)
