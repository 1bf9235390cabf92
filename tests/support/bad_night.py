"""A night on which departments fail in every way: down, hanging, and sending what cannot be read."""

import os
import re
import urllib.request
from pathlib import Path

from tests.support.notice_servers import Robot

from simulator.publish import Places
from simulator.serve import HTTP_PORT_FILE
from simulator.sources import SYSTEMS


def impatient(catalog: Path, department: str, attempts: int = 2) -> None:
    """Let a department's interfaces be waited for for seconds, so many times."""
    file = catalog / "departments" / f"{department}.yaml"
    text = file.read_text("utf-8")
    added = rf"\g<0>\1read_timeout_seconds: 5\n\1attempts: {attempts}\n"
    changed = re.sub(r"^( +)kind: http\n", added, text, flags=re.MULTILINE)
    assert changed != text
    file.write_text(changed, encoding="utf-8")


def control(places: Places, what: str, *departments: str) -> None:
    """Take departments' interfaces `down`, let them `hang`, or bring them `up`."""
    port = (places.folder / HTTP_PORT_FILE).read_text("ascii")
    for department in departments:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/-/{what}/{department}", method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200


def broken_file(places: Places, department: str) -> None:
    """Let the newest file of a department's drop be no file of its kind."""
    [system] = [system for system in SYSTEMS if system.department == department]
    # Beside the deliveries of all nights lie manifests, and what has nothing to do with them.
    deliveries = [
        file for file in places.drop(system).rglob("*") if re.search(r"_\d{4}-\d\d-\d\d\.(csv|xlsx)$", file.name)
    ]
    newest = max(deliveries, key=lambda file: file.name)
    times = newest.stat().st_atime, newest.stat().st_mtime
    newest.write_bytes(b"PK\x03\x04 no workbook" * 100)
    # A file that was changed just now is not taken before it has been left alone.
    os.utime(newest, times)


def messages(robot: Robot) -> list[str]:
    """Return the messages that something is out of order, or is over; lists and reports are announced as well."""
    texts = [body["markdown"]["content"] for _, body in robot.taken]
    return [text for text in texts if text.startswith("### 证库：")]
