"""The command line's verbs as Python functions.

Each takes what its verb takes: a config file or mapping, then overrides such as `"optimizer.lr=0.01"`.

    from vernier import api
    end = api.train({"data": "photos", "train": {"epochs": 3}})
    print(end.result["best"]["val"]["accuracy"])
"""

from vernier.api.configs import ConfigLike, read_config
from vernier.api.data import check, check_labels, convert, preview
from vernier.api.deployment import (
    benchmark_model,
    calibrate,
    card,
    chain,
    export,
    footprint,
    predict,
    predict_stream,
    quantize,
)
from vernier.api.evaluation import compare, evaluate
from vernier.api.training import (
    QUICKSTART,
    benchmark_pipeline,
    benchmark_train,
    find_batch_size,
    find_learning_rate,
    plot_schedule,
    quickstart,
    resume,
    train,
    train_seeds,
)

__all__ = [
    "QUICKSTART",
    "ConfigLike",
    "benchmark_model",
    "benchmark_pipeline",
    "benchmark_train",
    "calibrate",
    "card",
    "chain",
    "check",
    "check_labels",
    "compare",
    "convert",
    "evaluate",
    "export",
    "find_batch_size",
    "find_learning_rate",
    "footprint",
    "plot_schedule",
    "predict",
    "predict_stream",
    "preview",
    "quantize",
    "quickstart",
    "read_config",
    "resume",
    "train",
    "train_seeds",
]
