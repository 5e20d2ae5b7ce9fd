"""A headless Chromium on a pipe (the DevTools protocol), for tests that look at a page as a browser does.

``--remote-debugging-pipe`` reads commands from file descriptor 3 and answers on 4, each message ended by a
zero byte: no port, no web socket, nothing to install.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Self

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def find_chromium() -> str | None:
    """The browser's path, or None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next(filter(None, map(shutil.which, names)), None)


class Chromium:
    """One browser with one page; a context manager."""

    def __init__(self, *, width: int = 1180, height: int = 900, scale: float = 1, dark: bool = False) -> None:
        path = find_chromium()
        if path is None:
            raise FileNotFoundError("no Chromium is installed: apt-get install chromium")
        self._profile = tempfile.mkdtemp(prefix="tocsin-chromium-")
        ours, theirs = os.pipe(), os.pipe()  # commands to it, answers from it
        # Above the numbers that the child's ends are given.
        child_in, child_out = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (ours[0], theirs[1]))
        null = os.devnull
        self._pid = os.posix_spawn(
            path,
            ["chromium", *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, child_in, 3),
                (os.POSIX_SPAWN_DUP2, child_out, 4),
                (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, null, os.O_WRONLY, 0),
            ],
        )
        for fd in (ours[0], theirs[1], child_in, child_out):
            os.close(fd)
        self._out, self._in = ours[1], theirs[0]
        self._buffer = b""
        self._events: list[dict[str, Any]] = []
        self._number = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        self.colours(dark=dark)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            self._session = None
            self.call("Browser.close", timeout=5)
        os.close(self._out)
        os.close(self._in)
        for _ in range(100):
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                break
            time.sleep(0.05)
        else:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, *, timeout: float = 30, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        command: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + timeout
        while True:
            message = self._read(deadline)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._events.append(message)

    def wait_for(self, event: str, timeout: float = 90) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            for position, message in enumerate(self._events):
                if message.get("method") == event:
                    return self._events.pop(position)["params"]
            self._events.append(self._read(deadline))

    def events(self, name: str) -> list[dict[str, Any]]:
        """What was said of this kind so far and not yet waited for."""
        return [message["params"] for message in self._events if message.get("method") == name]

    def open(self, url: str) -> None:
        self._events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_until(self, expression: str, timeout: float = 10) -> None:
        """Wait in the page, frame by frame, until an expression is true there."""
        done = self.evaluate(
            f"new Promise(resolve => {{ const end = performance.now() + {timeout * 1000};"
            f" const look = () => ({expression}) ? resolve(true)"
            " : performance.now() > end ? resolve(false) : setTimeout(look, 15); look(); })"
        )
        if not done:
            raise TimeoutError(f"never true in the page: {expression}")

    def colours(self, *, dark: bool) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path | str, *, whole: bool = True) -> Path:
        """Save the page as PNG: all of it, or what the window shows."""
        image = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole=whole)
        )
        path = Path(path)
        path.write_bytes(base64.b64decode(image["data"]))
        return path

    def _clip(self, *, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._in], [], [], left)[0]:
                raise TimeoutError("Chromium did not answer in time")
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise EOFError("Chromium has gone away")
            self._buffer += chunk
        raw, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(raw)
