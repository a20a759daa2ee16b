"""Draw docs/pictures/gradcam.jpg anew: python docs/build_explain.py RUN

RUN is a training on flowers (examples/flowers_finetune.yaml); the photo comes with scikit-learn.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_sample_image

from vernier.deploy.explain.overlays import open_explainer
from vernier.evaluation.contact_sheet import contact_sheet
from vernier.evaluation.metrics import probabilities_of

PICTURE = Path(__file__).parent / "pictures" / "gradcam.jpg"
CELL, SHOWN, QUALITY = 240, 3, 85


def main(run: Path) -> None:
    photo = load_sample_image("flower.jpg")
    windows = [photo, np.ascontiguousarray(photo[60:360, :340]), np.ascontiguousarray(photo[:, 270:])]
    classifier = open_explainer(run).classifier
    logits = classifier.logits(windows, range(len(windows)), batch_size=1, threads=0)
    shares = probabilities_of(logits, classifier.task)
    rows = [[_fit(window) for window in windows]]
    names = classifier.task.class_names
    for place in np.argsort(-shares.mean(axis=0))[:SHOWN]:
        explainer = open_explainer(run, names[place])
        rows.append([_fit(explainer.overlay(window)) for window in windows])
        print(names[place], shares[:, place])
    contact_sheet(["", "", ""], rows, CELL).save(PICTURE, quality=QUALITY)


def _fit(image: np.ndarray) -> np.ndarray:
    scale = CELL / max(image.shape[:2])
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
