"""Debian's Chromium without a window, led by the DevTools protocol through a pipe: no driver, no port, no package."""

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ANSWER_SECONDS = 60.0


class Browser:
    """One tab. `requests` holds the addresses that it asked for, `complaints` what it wrote to its console."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # It takes commands at 3 and answers at 4; the ends must not be in each other's way there.
        numbers = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, from_browser)]
        line = f'exec "$0" "$@" 3<&{numbers[0]} 4>&{numbers[1]}'
        flags = [
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--no-proxy-server",
            "--lang=zh-CN",
            f"--user-data-dir={profile}",
        ]
        self._process = subprocess.Popen(
            ["bash", "-c", line, CHROMIUM, *flags, "about:blank"],
            pass_fds=numbers,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HOME": str(profile), "LANGUAGE": "zh_CN"},
        )
        for end in (to_browser, from_browser, *numbers):
            os.close(end)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.downloads = profile / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        [page] = [t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        agent = self._call("Browser.getVersion")["userAgent"]
        self._call("Network.setUserAgentOverride", userAgent=agent, acceptLanguage="zh-CN")
        self._call("Emulation.setLocaleOverride", locale="zh-CN")
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def close(self) -> None:
        """End it with all its processes."""
        for end in (self._write, self._read):
            os.close(end)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def size(self, width: int, height: int) -> None:
        """Choose the size of the window."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, address: str) -> None:
        """Open an address, and wait until it is loaded."""
        answer = self._call("Page.navigate", url=address)
        assert "errorText" not in answer, f"{address}: {answer['errorText']}"
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def wait(self, expression: str, seconds: float = 30) -> Any:
        """Wait until an expression is true in the page, and return its value."""
        deadline = time.monotonic() + seconds
        while True:
            # While a page gives way to the next there is none to ask.
            try:
                value = self.value(expression)
            except RuntimeError as error:
                value = None
                last: object = error
            else:
                last = value
            # An element comes as an empty object.
            if value not in (None, False, ""):
                return value
            assert time.monotonic() < deadline, f"never true: {expression} ({last}) at {self.value('location.href')}"
            time.sleep(0.1)

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description", answer))
        return answer["result"].get("value")

    def go(self, expression: str) -> None:
        """Run what leads to another page, and wait for that."""
        self.value("window.__before = true")
        self.value(expression)
        self.wait("window.__before === undefined && document.readyState === 'complete'")

    def click(self, selector: str, *, leads_on: bool = True) -> None:
        """Click on the first element that a CSS selector finds."""
        self.wait(f"document.querySelector({json.dumps(selector)})")
        expression = f"document.querySelector({json.dumps(selector)}).click()"
        self.go(expression) if leads_on else self.value(expression)

    def text(self, selector: str = "body") -> str:
        """Return the text of the first element that a CSS selector finds."""
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a CSS selector finds."""
        found = self.value(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText.trim())")
        return list(found)

    def log_in(self, address: str, token: str) -> None:
        """Be whom a token of Airflow's API names, at an address."""
        host = urlsplit(address).hostname
        self._call("Network.setCookie", name="_token", value=token, domain=host, path="/", httpOnly=True)

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Take a picture of the window, or of the whole page."""
        file.parent.mkdir(parents=True, exist_ok=True)
        answer = self._call(
            "Page.captureScreenshot",
            format="png",
            captureBeyondViewport=whole,
            **({"clip": {**self._whole(), "scale": 1}} if whole else {}),
        )
        file.write_bytes(base64.b64decode(answer["data"]))

    def downloaded(self, seconds: float = 60) -> Path:
        """Wait for a download to end, and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done = [file for file in self.downloads.iterdir() if file.suffix != ".crdownload"]
            if done and not [file for file in self.downloads.iterdir() if file.suffix == ".crdownload"]:
                return done[0]
            self.value("1")
            time.sleep(0.2)
        raise AssertionError(f"nothing was downloaded in {seconds} s")

    def _whole(self) -> dict[str, float]:
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000)}

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Log.entryAdded":
            entry = parameters["entry"]
            self.complaints.append(f"{entry['level']} {entry.get('url', '')}: {entry['text']}")
        elif event.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(f"exception: {details.get('exception', {}).get('description', details['text'])}")

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert time.monotonic() < deadline, "the browser does not answer"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """Start a browser, and end it."""
    browser = Browser(profile)
    try:
        yield browser
    finally:
        browser.close()
