"""The few lines of Python that a card shows."""

_PYTHON = """\
from vernier import api

result = api.predict(".", ["image.{ending}"]{trust})
for row in result.rows:
    print(row.path, row.prediction, row.confidence)"""

_ONNXRUNTIME = """\
import json, numpy, onnxruntime{imports}
session = onnxruntime.InferenceSession("model.onnx")
classes = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
image = {image}
print(dict(zip(classes, session.run(["probabilities"], {{"image": image[None]}})[0][0])))"""

_PILLOW = "\nfrom PIL import Image, ImageOps"
_IMAGES = {
    1: 'numpy.asarray(ImageOps.exif_transpose(Image.open("image.png")).convert("L"))[:, :, None]',
    3: 'numpy.asarray(ImageOps.exif_transpose(Image.open("image.jpg")).convert("RGB"))',
}
_ARRAY = 'numpy.load("image.npy")  # uint8 (H, W, channels)'
_ENDINGS = {1: "png", 3: "jpg"}


def python_snippet(trust: bool, channels: int) -> str:
    """Classify a file with Vernier; `trust` where the network is its author's own code."""
    return _PYTHON.format(ending=_ENDINGS.get(channels, "tif"), trust=", trust=True" if trust else "")


def onnxruntime_snippet(channels: int) -> str:
    """Classify a file with onnxruntime alone; images of other channels than grey and RGB come from NumPy."""
    pillow = channels in _IMAGES
    return _ONNXRUNTIME.format(imports=_PILLOW if pillow else "", image=_IMAGES.get(channels, _ARRAY))
