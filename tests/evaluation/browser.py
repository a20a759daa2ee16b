"""A headless Chromium, driven through chromedriver's WebDriver interface."""

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_START_SECONDS = 20
# A proxy set in the environment is no way to reach a driver on this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing_programs() -> list[str]:
    """Which of the two programs are not installed."""
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


class Browser:
    """One window."""

    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, page: Path) -> None:
        _call(f"{self._session}/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script (a function's body) returns."""
        return _call(f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector: str) -> None:
        """A real click in the middle of the element, scrolled into view."""
        element = _call(f"{self._session}/element", {"using": "css selector", "value": selector})
        (identifier,) = element.values()
        _call(f"{self._session}/element/{identifier}/click", {})

    def press(self, key: str) -> None:
        """Press a key on the element that has the focus."""
        (identifier,) = _call(f"{self._session}/element/active", None).values()
        _call(f"{self._session}/element/{identifier}/value", {"text": key})

    def console(self) -> list[dict[str, Any]]:
        """What the browser has logged since the last call."""
        return _call(f"{self._session}/se/log", {"type": "browser"})

    def resize(self, width: int, height: int = 800) -> None:
        self._devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def emulate(self, scheme: str = "light", media: str = "screen") -> None:
        """Show the page as with that colour scheme on that medium."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", media=media, features=features)

    def screenshot(self, out: Path) -> None:
        """The whole page, however long."""
        shot = self._devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        out.write_bytes(base64.b64decode(shot["data"]))

    def _devtools(self, command: str, **parameters: Any) -> Any:
        return _call(f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start driver and browser with a fresh profile; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vernier-browser-") as profile, _driver() as address:
        options = {"binary": shutil.which("chromium"), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = _call(f"{address}/session", {"capabilities": {"alwaysMatch": capabilities}})
        session = f"{address}/session/{answer['sessionId']}"
        try:
            yield Browser(session)
        finally:
            _call(session, None, method="DELETE")


@contextlib.contextmanager
def _driver() -> Iterator[str]:
    # Port 0 lets the driver choose; it prints which one it took.
    process = subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield f"http://127.0.0.1:{_port(process)}"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _port(process: "subprocess.Popen[str]") -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if "successfully on port" in line:
            return int(line.rpartition("port")[2].strip(" .\n"))
        if not line:
            break
    raise RuntimeError("chromedriver did not start")


def _call(address: str, body: dict[str, Any] | None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    try:
        with _DIRECT.open(request, timeout=30) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(f"{address}: {error.read().decode()[:1000]}") from None
