"""What follows the network: temperature, then softmax or sigmoid, as ONNX operators."""

import numpy as np

from vernier.deploy.export.graph_builder import GraphBuilder, Value
from vernier.models.task import TaskName


def add_probabilities(
    builder: GraphBuilder, logits: Value, task: TaskName, temperature: float | None, *, output: str
) -> None:
    """Add `Task.probabilities` of logits divided by the temperature.

    Args:
        builder: what nodes are added to.
        logits: float32 (N, num_outputs).
        task: what they mean.
        temperature: None for 1.
        output: name of the result, float32 (N, C).
    """
    calibrated = logits if temperature is None else logits / temperature
    if task == "multiclass":
        builder.apply("Softmax", [calibrated], np.float32, name=output, axis=1)
        return
    if task == "binary":
        pair = [calibrated.unary("Neg"), calibrated]
        calibrated = builder.apply("Concat", pair, np.float32, axis=1)
    builder.apply("Sigmoid", [calibrated], np.float32, name=output)
