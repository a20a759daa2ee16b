"""A server of files on this machine that can be as slow and unreliable as wanted, and tells what it was asked for."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Trouble:
    """What goes wrong.

    Attributes:
        drops: How many of the next transfers of shards end after `drop_after` bytes.
        failures: How many of the next requests are answered with `failure`.
        down: Whether every request is cut off.
        chunk, pause: Bytes at once, and seconds between them.
        ranges: Whether transfers can begin in the middle.
    """

    drops: int = 0
    drop_after: int = 1000
    failures: int = 0
    failure: int = 503
    down: bool = False
    chunk: int = 2**16
    pause: float = 0.0
    ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, name: str) -> bool:
        """Whether one more of these troubles is due."""
        with self.lock:
            left = getattr(self, name)
            setattr(self, name, max(0, left - 1))
            return left > 0


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments, trouble: Trouble, **more):
        self.trouble = trouble
        super().__init__(*arguments, **more)

    def do_GET(self):
        trouble, path = self.trouble, Path(self.translate_path(self.path))
        trouble.requests.append((path.name, self.headers["Range"]))
        if trouble.down:
            self.close_connection = True
            return
        if trouble.take("failures"):
            self.send_error(trouble.failure)
            return
        if not path.is_file():
            self.send_error(404)
            return
        with suppress(ConnectionError):
            self.send_part(path)

    def send_part(self, path):
        trouble, content, start = self.trouble, path.read_bytes(), 0
        if trouble.ranges and self.headers["Range"]:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        is_shard = path.suffix in (".tar", ".tfrecord")
        stop = start + trouble.drop_after if is_shard and trouble.take("drops") else len(content)
        for begin in range(start, min(stop, len(content)), trouble.chunk):
            self.wfile.write(content[begin : min(begin + trouble.chunk, stop)])
            time.sleep(trouble.pause)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that go away are no error."""


class ShardServer:
    """Serves a directory until it is closed; `restart` comes back at the same port."""

    def __init__(self, directory: Path):
        self.trouble, self._directory, self._port = Trouble(), directory, 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def shards_asked_for(self) -> list[str]:
        return [name for name, _ in self.trouble.requests if name.endswith((".tar", ".tfrecord"))]

    def start(self):
        handler = partial(Handler, trouble=self.trouble, directory=str(self._directory))
        self._server = Server(("127.0.0.1", self._port), handler)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
