from vernier.track.csv_tracker import CSVTracker, read_rows


def fill(directory, epochs, steps_per_epoch):
    tracker = CSVTracker(directory, 0, 0)
    tracker.start({})
    for epoch in range(1, epochs + 1):
        for step in range((epoch - 1) * steps_per_epoch + 1, epoch * steps_per_epoch + 1):
            tracker.log_step(step, {"loss": 1 / step})
        tracker.log_epoch(epoch, epoch * steps_per_epoch, {"val_loss": 0.5})


def test_rows_after_the_checkpoint_are_cut(tmp_path):
    fill(tmp_path, epochs=3, steps_per_epoch=4)
    CSVTracker(tmp_path, epoch=1, step=6).start({})
    assert [row["epoch"] for row in read_rows(tmp_path / "metrics.csv")] == ["1"]
    assert [row["step"] for row in read_rows(tmp_path / "steps.csv")] == ["1", "2", "3", "4", "5", "6"]


def test_a_row_that_a_kill_left_unfinished_is_cut(tmp_path):
    fill(tmp_path, epochs=1, steps_per_epoch=3)
    with (tmp_path / "steps.csv").open("a") as file:
        file.write("4,0.")
    CSVTracker(tmp_path, epoch=1, step=3).start({})
    assert (tmp_path / "steps.csv").read_text().count("\n") == 4


def test_going_on_where_nothing_is_to_be_cut_changes_nothing(tmp_path):
    fill(tmp_path, epochs=2, steps_per_epoch=3)
    before = (tmp_path / "steps.csv").read_bytes()
    CSVTracker(tmp_path, epoch=2, step=6).start({})
    assert (tmp_path / "steps.csv").read_bytes() == before


def test_cut_to_the_very_beginning(tmp_path):
    fill(tmp_path, epochs=1, steps_per_epoch=2)
    tracker = CSVTracker(tmp_path, epoch=0, step=0)
    tracker.start({})
    tracker.log_step(1, {"loss": 3.0})
    assert read_rows(tmp_path / "steps.csv") == [{"step": "1", "loss": "3.0"}]
