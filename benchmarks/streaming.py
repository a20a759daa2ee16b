"""Images a second of a training's loader: the same shards here, and streamed from a server on this machine.

python benchmarks/streaming.py SET [key=value ...]

SET is a directory that `vernier convert SOURCE SET --format webdataset` made. Each way is timed over a whole epoch
after a first one, nothing decoded is kept, and the model is left out: a slower network is not held up.
"""

import argparse
import http.server
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import torch

from vernier.config.loading import load_config
from vernier.training.log import logger
from vernier.training.parts import build_parts, open_dataset
from vernier.training.resolve import resolve
from vernier.training.runtime import make_fabric
from vernier.training.setup import build_setup


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def images_per_second(source: str, settings: list[str]) -> float:
    config = load_config(None, [f"data={source}", "data.store=off", "data.store_scale=1", *settings]).config
    dataset = open_dataset(config, None)
    config = resolve(config, dataset.source, dataset.train_store, "benchmark").config
    torch.set_num_threads(1)
    fabric = make_fabric(config.train)
    fabric.launch()
    loader = build_setup(build_parts(config, dataset, logger.info), fabric).loader
    for _ in loader.epoch(0):
        pass
    begin = time.perf_counter()
    images = sum(len(batch.images) for batch in loader.epoch(1))
    return images / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("settings", nargs="*")
    words = parser.parse_args()
    handler = partial(QuietHandler, directory=str(words.set.absolute()))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ways = {
        "here": (str(words.set), []),
        "streamed, kept on disk": (f"http://127.0.0.1:{server.server_port}", []),
        "streamed, kept in memory": (f"http://127.0.0.1:{server.server_port}", ["data.stream.cache=memory"]),
    }
    with tempfile.TemporaryDirectory() as directory:
        for name, (source, more) in ways.items():
            rate = images_per_second(source, [*more, f"data.store_dir={directory}", *words.settings])
            print(f"{name:26} {rate:8.0f} images/s")
            sys.stdout.flush()
    server.shutdown()


if __name__ == "__main__":
    main()
