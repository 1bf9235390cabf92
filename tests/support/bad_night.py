"""A night on which departments fail in every way: down, hanging, and sending what cannot be read."""

import os
import re
import urllib.request
from collections.abc import Collection
from pathlib import Path

from tests.support.notice_servers import Robot

from simulator.publish import Places
from simulator.serve import HTTP_PORT_FILE
from simulator.sources import SYSTEMS
from zhengku import clock


def impatient(catalog: Path, department: str) -> None:
    """Let a department's interfaces be waited for for seconds."""
    file = catalog / "departments" / f"{department}.yaml"
    text = file.read_text("utf-8")
    changed = re.sub(r"^( +)kind: http\n", r"\g<0>\1read_timeout_seconds: 2\n\1attempts: 2\n", text, flags=re.M)
    assert changed != text
    file.write_text(changed, encoding="utf-8")


def know_working_days(catalog: Path) -> None:
    """Let the catalogue know the working days of years to come, whatever day it is."""
    this_year = clock.today().year
    with (catalog / "working_days.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{year}-12-31,yes,made up\n" for year in range(this_year, this_year + 3))


def settle_at_once(catalog: Path, others_paused: Collection[str]) -> None:
    """Let what is over be told without a wait; the DAGs in `others_paused` are paused on purpose."""
    file = catalog / "notices.yaml"
    text = file.read_text("utf-8")
    changed = text.replace("settle_minutes: 15", "settle_minutes: 0")
    changed = changed.replace("may_be_paused: []", f"may_be_paused: [{', '.join(others_paused)}]")
    assert changed.count("\n") == text.count("\n")
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
    files = [file for file in places.drop(system).rglob("*") if file.is_file()]
    newest = max(files, key=lambda file: file.stat().st_mtime)
    times = newest.stat().st_atime, newest.stat().st_mtime
    newest.write_bytes(b"PK\x03\x04 no workbook" * 100)
    # A file that was changed just now is not taken before it has been left alone.
    os.utime(newest, times)


def messages(robot: Robot) -> list[str]:
    """Return the messages that something is out of order, or is over; lists and reports are announced as well."""
    texts = [body["markdown"]["content"] for _, body in robot.taken]
    return [text for text in texts if text.startswith("### 证库：")]
