"""The column of a watermark window: how its values are read as times, and what times are compared with."""

import re
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError, SourceRefused
from zhengku.transports.exchange_database.row_readers import MYSQL_SESSION
from zhengku.transports.source import SourceFeed


class WindowColumn:
    """The window's column `name` of the type `kind`; texts are times in `time_format`.

    Raises `SourceRefused` for a type that holds no times; `shown` names the table in its message.
    """

    def __init__(self, name: str, kind: sa.types.TypeEngine[Any], time_format: str, shown: str) -> None:
        self._time_format = time_format
        if isinstance(kind, sa.DateTime):
            form = "zoned" if kind.timezone else "session" if isinstance(kind, mysql.TIMESTAMP) else "time"
        elif isinstance(kind, sa.Date):
            form = "date"
        elif isinstance(kind, sa.String):
            form = "text"
        else:
            raise SourceRefused(
                f"{shown}: the window's column {name} is of the type {type(kind).__name__}; expected a time, a date or "
                "text. Name another column, or ask the department for a view that casts it."
            )
        self._form: Final = form

    def compared(self, at: datetime) -> datetime | date | str:
        """Return a time in the form of the column, for comparisons in SQL; a naive time is in Asia/Shanghai."""
        at = at.astimezone(CITY_TIME_ZONE) if at.tzinfo else at.replace(tzinfo=CITY_TIME_ZONE)
        if self._form == "date":
            return at.date()
        if self._form == "text":
            return at.strftime(self._time_format)
        if self._form == "zoned":
            return at
        return at.astimezone(MYSQL_SESSION if self._form == "session" else CITY_TIME_ZONE).replace(tzinfo=None)

    def time_of(self, value: object) -> datetime | None:
        """Return a value of the column as a time in Asia/Shanghai; None where it is no time that Python can hold."""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
        try:
            if isinstance(value, str):
                text = value.strip()
                value = (
                    datetime.strptime(text, self._time_format) if self._form == "text" else datetime.fromisoformat(text)
                )
            if isinstance(value, datetime):
                zone = MYSQL_SESSION if self._form == "session" else CITY_TIME_ZONE
                return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(CITY_TIME_ZONE)
        except (ValueError, OverflowError):
            return None
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=CITY_TIME_ZONE)
        return None


def check_sorts(feed: SourceFeed, time_format: str) -> None:
    """Raise `ConfigurationError` when texts in this format do not sort as their times do."""
    directives = "".join(re.findall(r"%(.)", time_format))
    if not directives or not any(complete.startswith(directives) for complete in ("YmdHMSf", "YmdT", "FT")):
        raise ConfigurationError(
            f"{feed.name}: expected a time_format from the year down to the second, like %Y-%m-%d %H:%M:%S, got "
            f"{time_format!r}: other texts do not sort as times do."
        )
