"""Write a multilabel CSV over the class folders of CIFAR-10: what is in the picture flies, has wheels, is an animal ...

python examples/make_attributes_csv.py cifar10 attributes.csv
vernier train examples/multilabel_csv.yaml data=attributes.csv data.root=cifar10
"""

import argparse
import csv
from pathlib import Path

ATTRIBUTES = {
    "airplane": ("vehicle", "flies"),
    "automobile": ("vehicle", "wheels"),
    "bird": ("animal", "flies"),
    "cat": ("animal", "four_legs", "pet"),
    "deer": ("animal", "four_legs"),
    "dog": ("animal", "four_legs", "pet"),
    "frog": ("animal", "four_legs"),
    "horse": ("animal", "four_legs"),
    "ship": ("vehicle", "floats"),
    "truck": ("vehicle", "wheels"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="with train/<class>/* and test/<class>/*")
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    with options.output.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split"))
        for split in ("train", "test"):
            for name, attributes in ATTRIBUTES.items():
                for path in sorted((options.directory / split / name).iterdir()):
                    writer.writerow((path.relative_to(options.directory).as_posix(), "|".join(attributes), split))


if __name__ == "__main__":
    main()
