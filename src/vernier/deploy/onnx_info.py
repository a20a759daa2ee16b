"""What an exported model says of itself: the metadata of an ONNX file, a field a key, each value as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from vernier.augment.preprocess import Preprocessing
from vernier.config.export import Layout
from vernier.errors import ModelError
from vernier.models.task import Task, TaskName, make_task

SCHEMA = 1
"""Version of the metadata; raised when an older Vernier could misread it."""

Kind = Literal["image", "network"]
Outputs = Literal["logits", "probabilities"]

_SCHEMA_KEY = "vernier_schema"

IMAGE = "image"
"""The input of a model with its preprocessing inside: uint8 (N, H, W, C) or (N, C, H, W)."""
INPUT = "input"
"""The network's input, float32 (N, C, height, width): preprocessed."""
LOGITS = "logits"
"""The network's output, float32 (N, num_outputs), before the temperature; in models with preprocessing too."""
PROBABILITIES = "probabilities"
"""The first output of a model with preprocessing, float32 (N, C) as `Task.probabilities` gives them."""


@final
@dataclass(frozen=True)
class OnnxInfo:
    """What stands in the metadata.

    Attributes:
        kind: image takes uint8 images and gives probabilities; network takes preprocessed ones and gives logits.
        class_names: the classes in the order of the outputs (binary: negative, positive).
        task: multiclass, binary or multilabel.
        preprocessing: `Preprocessing.to_json()`.
        threshold: probability from which on a binary or multilabel label counts as predicted.
        temperature: what logits are divided by before probabilities; None for not calibrated.
        reject_threshold: confidence below which an image is `unknown`; None for never.
        layout: order of the image's axes, for kind image.
        model: name of the network.
        source_sha256: of the weights of the bundle that it was made of.
        quantization: how its integers came about; None in float.
        versions: packages that made it.
        outputs: probabilities where a network from elsewhere ends in a softmax or sigmoid of its own.
    """

    kind: Kind
    class_names: tuple[str, ...]
    task: TaskName
    preprocessing: dict[str, Any]
    threshold: float
    temperature: float | None
    reject_threshold: float | None
    layout: Layout
    model: str
    source_sha256: str
    quantization: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    outputs: Outputs = "logits"

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def make_task(self) -> Task:
        """What the outputs mean."""
        return make_task(self.task, self.class_names, threshold=self.threshold)

    def make_preprocessing(self) -> Preprocessing:
        """What the network's input is made by.

        Raises:
            ModelError: it makes no sense.
        """
        return Preprocessing.from_json(self.preprocessing)

    def to_metadata(self) -> dict[str, str]:
        """Texts by key, for `metadata_props`."""
        values = {_SCHEMA_KEY: SCHEMA, **asdict(self)}
        return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    @staticmethod
    def from_metadata(path: str, metadata: Mapping[str, str]) -> "OnnxInfo | None":
        """Read what `to_metadata` wrote; None where another program made the file.

        Args:
            path: the file, for messages.
            metadata: all texts by key; keys of other programs are left alone.

        Raises:
            ModelError: of a newer Vernier, or damaged.
        """
        if _SCHEMA_KEY not in metadata:
            return None
        if metadata[_SCHEMA_KEY] != str(SCHEMA):
            found = f"its metadata has schema {metadata[_SCHEMA_KEY]}, but this Vernier reads {SCHEMA}"
            raise ModelError(f"{path}: {found}; update Vernier")
        try:
            values = {key: json.loads(metadata[key]) for key in _FIELDS if key in metadata}
            return _ADAPTER.validate_python(values)
        except (ValueError, ValidationError) as error:
            raise ModelError(f"{path}: its metadata can't be read: {error}; export it again") from None


_FIELDS = tuple(OnnxInfo.__dataclass_fields__)
_ADAPTER = TypeAdapter(OnnxInfo)
