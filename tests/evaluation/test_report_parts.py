import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vernier.evaluation.calibration import reliability
from vernier.evaluation.report.charts import BOTTOM, LEFT, RIGHT, TOP, curve_charts, reliability_chart, ticks
from vernier.evaluation.report.pictures import make_thumbnail
from vernier.evaluation.report.statistics import wilson_interval
from vernier.evaluation.report.tables import bins_table
from vernier.evaluation.run_tables import Curves
from vernier.evaluation.words import duration, metric_label, percent, quantity, several


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from([1, 3]))
def test_a_thumbnail_fits_and_is_as_large_as_it_says(height, width, channels):
    thumbnail = make_thumbnail(np.full((height, width, channels), 90, np.uint8))
    picture = opened(thumbnail.uri)
    assert picture.size == (thumbnail.width, thumbnail.height)
    assert max(picture.size) == min(192, max(height, width))
    assert thumbnail.pixelated == (max(height, width) <= 64)


def test_small_pictures_keep_their_pixels_and_photos_their_look(photos):
    small = photos["flower"][100:132, 200:220]
    np.testing.assert_array_equal(np.asarray(opened(make_thumbnail(small).uri)), small)
    grey = small[..., :1]
    np.testing.assert_array_equal(np.asarray(opened(make_thumbnail(grey).uri)), grey[..., 0])
    thumbnail = make_thumbnail(photos["china"])
    reference = Image.fromarray(photos["china"]).resize((192, 128), Image.Resampling.BOX)
    difference = np.abs(np.asarray(opened(thumbnail.uri), np.float64) - np.asarray(reference, np.float64))
    assert difference.mean() < 8


def test_the_bars_are_the_bins_that_hold_something():
    confidence = np.array([1.0, 0.9, 0.05, 0.0])
    result = reliability(confidence, np.array([True, False, False, False]), 10)
    chart = reliability_chart(result)
    assert [bar.title.replace("\u00a0", " ") for bar in chart.bars] == [
        "2 images, 2.5 % sure, 0.0 % right",
        "1 image, 90.0 % sure, 0.0 % right",
        "1 image, 100.0 % sure, 100.0 % right",
    ]
    assert [bar.height for bar in chart.bars] == [0, 0, BOTTOM - TOP]
    assert all(bar.y + bar.height == pytest.approx(BOTTOM) for bar in chart.bars)
    assert [row[0].text.replace("\u00a0", " ") for row in bins_table(result).rows] == [
        "0.0 % to 10.0 %",
        "80.0 % to 90.0 %",
        "90.0 % to 100.0 %",
    ]


def test_several_labels_have_exact_match_for_accuracy():
    columns = {"epoch": (1.0,), "lr": (0.1,), "train_accuracy": (0.5,), "val_exact_match": (0.4,)}
    (accuracy, _) = Curves(columns).panels()
    assert [(series.name, series.values) for series in accuracy.series] == [("train", (0.5,)), ("val", (0.4,))]


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(right_n):
    from scipy.stats import binomtest

    right, n = right_n
    expected = binomtest(right, n).proportion_ci(0.95, "wilson")
    assert wilson_interval(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_lie_inside_and_are_evenly_spaced(low, span):
    high = low + span
    values = ticks(low, high)
    slack = 1e-6 * max(abs(low), span)
    assert 2 <= len(values) <= 6
    assert low - slack <= values[0] < values[-1] <= high + slack
    np.testing.assert_allclose(np.diff(values), values[1] - values[0], rtol=1e-3, atol=slack)


VALUES = st.one_of(st.floats(-1e4, 1e4), st.just(float("nan")))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30))
def test_curves_stay_inside_their_axes(losses):
    train, val = zip(*losses, strict=True)
    epochs = tuple(float(epoch) for epoch in range(1, len(losses) + 1))
    charts = curve_charts(Curves({"epoch": epochs, "train_loss": train, "val_loss": val}), best_epoch=1)
    for chart in charts:
        for line in chart.lines:
            assert all(LEFT <= x <= RIGHT and TOP - 0.1 <= y <= BOTTOM + 0.1 for x, y in line.points)
        labels = sorted(line.label_y for line in chart.lines)
        assert all(TOP < label < BOTTOM for label in labels)
        assert len(labels) < 2 or labels[1] - labels[0] >= 13.8


def test_numbers_in_words():
    assert percent(0.96196).replace("\u00a0", " ") == "96.2 %"
    assert percent(0.8235, 10_000).replace("\u00a0", " ") == "82.35 %"
    assert percent(0.99999).replace("\u00a0", " ") == "99.9 %"
    assert percent(1.0).replace("\u00a0", " ") == "100.0 %"
    assert [several(1, "class"), several(2, "class"), several(1000, "epoch")] == [
        "1 class",
        "2 classes",
        "1,000 epochs",
    ]
    assert [duration(s).replace("\u00a0", " ") for s in (0.4, 41.2, 185, 7800)] == [
        "0 s",
        "41 s",
        "3 min 5 s",
        "2 h 10 min",
    ]
    assert [metric_label(name) for name in ("macro_f1", "top5_accuracy", "loss", "ece")] == [
        "Macro F1",
        "Top-5 accuracy",
        "Loss",
        "Expected calibration error",
    ]
    assert [quantity(5130), quantity(11_181_642).replace("\u00a0", " ")] == ["5,130", "11.2 million"]
