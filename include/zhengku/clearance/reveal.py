"""The telephone number of a listed service, shown unmasked to a person; each try is recorded, refused ones too."""

import logging
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from zhengku.clearance.list_rows import unmasked_row
from zhengku.clearance.list_versions import ListVersion
from zhengku.database import statement
from zhengku.errors import ZhengkuError
from zhengku.ledger import Connection

log = logging.getLogger(__name__)

Refusal = Literal["over_limit", "not_listed", "no_phone", "no_reason"]

SHORTEST_REASON = 2
"""Visible characters that a reason must have."""

_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that are drawn as a blank."""


class RevealRefused(ZhengkuError):
    """A telephone number is not shown; `refusal` is the recorded cause."""

    final = True

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


@dataclass(frozen=True)
class OverLimit:
    """A person who was refused telephone numbers above the limit, how often, and when last."""

    revealed_by: str
    tries: int
    last_at: datetime


def visible_characters(text: str) -> int:
    """Count the characters of a text that a reader sees: letters, numbers, punctuation and symbols.

    >>> visible_characters("回访"), visible_characters("\u200b \u0301\u3164\n")
    (2, 0)
    """
    return sum(
        unicodedata.category(character)[0] in "LNPS" and character not in _BLANK_LETTERS
        for character in unicodedata.normalize("NFKC", text)
    )


def reveal_phone(
    connection: Connection,
    list_version: ListVersion,
    record_key: str,
    districts: Collection[str] | None,
    revealed_by: str,
    reason: str,
    hourly_limit: int,
) -> str:
    """Return the telephone number of a row as it was listed, after recording (and committing) who sees it and why.

    Raises `RevealRefused`, after recording (and committing) the try and the cause: when `reason` has fewer than
    `SHORTEST_REASON` visible characters, when the list has no such row in `districts`, when the row has no number, or
    when the person saw `hourly_limit` numbers in the last hour. A blank `revealed_by` is refused and not recorded.
    """
    if not revealed_by.strip():
        raise RevealRefused("no_reason", "Expected who asks for the telephone number, got a blank. Give the login.")
    place = f"{list_version.kind} list of {list_version.day}, version {list_version.version}"
    row = unmasked_row(connection, list_version, record_key, districts)
    refusal: Refusal | None = None
    message = f"Expected at most {hourly_limit} telephone numbers for a person in an hour. Wait, or raise the limit."
    if visible_characters(reason) < SHORTEST_REASON:
        refusal = "no_reason"
        message = f"Expected a reason of {SHORTEST_REASON} or more visible characters. Say why the number is needed."
    elif row is None:
        refusal = "not_listed"
        message = f"Expected a row of the {place}, within the reader's districts; there is none of that key."
    elif row["phone"] is None:
        refusal = "no_phone"
        message = f"Expected a telephone number in a row of the {place}; the case has none."
    values = {
        "list_id": list_version.list_id,
        "record_key": record_key,
        "revealed_by": revealed_by.strip(),
        "reason": reason.strip(),
        "refusal": refusal,
        "hourly_limit": hourly_limit,
    }
    recorded = connection.execute(statement("clearance/lists.record_reveal"), values).fetchone()
    connection.commit()
    if row is None or recorded is None or not recorded[0]:
        refusal = refusal or "over_limit"
        log.warning("%s was refused a telephone number of the %s: %s", revealed_by, place, refusal)
        raise RevealRefused(refusal, message)
    return str(row["phone"])


def over_limit_since(connection: Connection, since: datetime) -> list[OverLimit]:
    """Return who was refused telephone numbers above the limit since a moment, the most tries first."""
    with connection.cursor(row_factory=class_row(OverLimit)) as cursor:
        return cursor.execute(statement("clearance/lists.over_limit"), {"since": since}).fetchall()
