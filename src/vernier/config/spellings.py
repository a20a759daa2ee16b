"""What optimizers and schedules are called elsewhere: UpStride, tfaip, Malpolon, the device zoo, Keras, torch."""

from collections.abc import Mapping

OTHER_SPELLINGS: Mapping[str, str] = {
    "sgdmomentum": "sgd",
    "sgdnesterov": "sgd",
    "adamamsgrad": "amsgrad",
    "adamoptimizer": "adam",
    "rectifiedadam": "radam",
    "ranger": "radam",
    "momentum": "sgd",
    "sgdw": "sgd",
    "exponentialdecay": "exponential",
    "exponentiallr": "exponential",
    "lrexponentialdecay": "exponential",
    "stepdecay": "step",
    "steplr": "step",
    "lrstepdecay": "step",
    "stepdecayschedule": "multi_step",
    "multisteplr": "multi_step",
    "explicitschedule": "explicit",
    "lrpiecewiseconstantdecay": "piecewise_constant",
    "polynomialdecay": "polynomial",
    "polynomiallr": "polynomial",
    "lrpolynomialdecay": "polynomial",
    "lrpolynomialdecayrestarts": "polynomial_restarts",
    "inversetimedecay": "inverse_time",
    "lrlineardecay": "linear",
    "linearlr": "linear",
    "cosinedecay": "cosine",
    "cosineannealing": "cosine",
    "cosineannealinglr": "cosine",
    "lrcosinedecay": "cosine",
    "lrwarmupcosinedecay": "cosine",
    "warmupcosinedecay": "exponential_cosine",
    "warmupconstantcosinedecay": "exponential_cosine",
    "cosineannealingwarmrestarts": "cosine_restarts",
    "lrcosinedecayrestarts": "cosine_restarts",
    "warmupdecay": "noam",
    "onecyclelr": "one_cycle",
    "reducelronplateau": "reduce_on_plateau",
    "lrreduceonplateau": "reduce_on_plateau",
    "crossentropyloss": "cross_entropy",
    "bcewithlogitsloss": "bce",
    "focalloss": "focal",
    "ce": "cross_entropy",
}
"""From a name as `plain` makes it to ours."""


def plain(name: str) -> str:
    """A name without case and separators."""
    return name.casefold().replace("_", "").replace("-", "")
