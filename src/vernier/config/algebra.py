"""`model.algebra`: numbers with several parts in place of real ones."""

from typing import Literal

from pydantic import model_validator

from vernier.config.base import FieldConflict, Section
from vernier.config.types import Text

ConversionPoint = Literal["beginning", "end_before_dense", "end_after_dense"]

_SPANS = (
    ("beginning", "end_before_dense"),
    ("beginning", "end_after_dense"),
    ("end_before_dense", "end_after_dense"),
)


class AlgebraConfig(Section):
    """The numbers that a network computes with, and where it changes from real ones and back."""

    name: Text = "quaternion"
    """real, complex, quaternion, `Cl(p,q,r)` for a whole Clifford algebra with p, q and r generators that square
    to 1, -1 and 0, or `Cl+(p,q,r)` for its even subalgebra."""
    input: Literal["basic", "learned", "joint", "grayscale"] = "basic"
    """How an image becomes numbers. basic: the image is the scalar part. learned: small networks make the other
    parts of it. joint: red, green and blue are the three imaginary parts of a quaternion; grayscale: the same with
    the grey value as the scalar part."""
    output: Literal["scalar", "norm", "concat", "mean", "max"] = "scalar"
    """What becomes of the parts at the end: the scalar part, the Euclidean norm, all of them side by side, their
    mean or their largest."""
    points: tuple[ConversionPoint, ...] = ("beginning", "end_after_dense")
    """Where numbers begin and where they end; the dense layer is the classifier."""
    batchnorm: Literal["blade", "whitening"] = "blade"
    """blade: every part of every channel is normalised by itself. whitening: the parts of a channel become
    uncorrelated with variance 1 (Trabelsi et al. 2018)."""

    @model_validator(mode="after")
    def _points_are_a_span(self) -> "AlgebraConfig":
        if self.points not in _SPANS:
            spans = ", ".join(f"[{', '.join(span)}]" for span in _SPANS)
            raise FieldConflict(("points",), f"must be one of {spans}; got [{', '.join(self.points)}]")
        return self

    @model_validator(mode="after")
    def _classifier_gives_one_number_a_class(self) -> "AlgebraConfig":
        if self.output == "concat" and self.points[-1] == "end_after_dense":
            raise FieldConflict(
                ("output", "points"),
                "concat gives several numbers for each class after the classifier; set "
                "model.algebra.points=[beginning,end_before_dense], or another output",
            )
        return self
