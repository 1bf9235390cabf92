"""The source of a feed that reads a table of an exchange database, and what of it landed."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.exchange_servers import ExchangeServer

from zhengku.catalog import Feed
from zhengku.catalog.department import Department
from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.landing import LandingArea
from zhengku.transports.exchange_database.source import ExchangeDatabaseSource
from zhengku.transports.source import Collected, Window


def feed_of(row_id: list[str] | None = None, *, page_rows: int = 100, **values: Any) -> Feed:
    transport = {
        "kind": "exchange_database",
        "connection": "front",
        "table": values.pop("table", "license"),
        "row_id": row_id or ["id"],
        "page_rows": page_rows,
    }
    if "time_format" in values:
        transport["time_format"] = values.pop("time_format")
    department = Department.model_validate(
        {
            "department": "housing",
            "name": "市住建局",
            "owner": "section",
            "schedule": "0 1 * * *",
            "feeds": {
                "permit": {
                    "title": "许可证",
                    "dataset": "certificate",
                    "license_type": "business_license",
                    "transport": transport,
                    "window": {"kind": "watermark", "column": "cd_time"},
                    "key": ["certificate_number"],
                    "fields": {"certificate_number": {"column": "number"}},
                    **values,
                }
            },
        }
    )
    return department.feeds["permit"]


def landed_values(line: bytes) -> list[Any]:
    """Read one row of the landed form, by PostgreSQL's manual and not by our reader."""
    if line.startswith(b"\\["):
        return list(json.loads(line[1:]))
    marks = {"t": "\t", "n": "\n", "r": "\r"}
    return [
        None if text == "\\N" else re.sub(r"\\(.)", lambda match: marks.get(match[1], match[1]), text)
        for text in line.decode().split("\t")
    ]


class Front:
    """A feed's source with a landing area; `read` gives the rows that landed."""

    def __init__(self, server: ExchangeServer, feed: Feed, folder: Path, address: str | None = None) -> None:
        self.feed = feed
        self.folder = folder
        self.collected: Collected
        self.source = ExchangeDatabaseSource(feed, feed.transport, address or server.address)  # type: ignore[arg-type]

    def read(self, window: Window | None = None, on_bytes: Any = None) -> list[dict[str, Any]]:
        landing = LandingArea(str(self.folder))
        [delivery] = self.source.deliveries(window or Window(start=at(2019), end=datetime.now(tz=CITY_TIME_ZONE)))
        self.collected = self.source.land(delivery, landing, "front/rows", on_bytes)
        first, *lines, last = landing.open("front/rows").read().splitlines()
        assert json.loads(last.removeprefix(b"\\")) == {"rows": len(lines)}
        assert self.collected.manifest is not None
        assert self.collected.manifest.rows == len(lines)
        columns = json.loads(first)["columns"]
        return [dict(zip(columns, landed_values(line), strict=True)) for line in lines]

    def ids(self, window: Window | None = None) -> list[str]:
        return sorted((row["id"] for row in self.read(window)), key=lambda value: (value is None, int(value or 0)))

    def left(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


def at(year: int, month: int = 1, day: int = 1, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=CITY_TIME_ZONE)
