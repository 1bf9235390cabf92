"""The telephone number of a listed service, shown unmasked to a person; each time is recorded."""

from collections.abc import Collection

from zhengku.clearance.list_rows import unmasked_row
from zhengku.clearance.list_versions import ListVersion
from zhengku.database import statement
from zhengku.errors import ZhengkuError
from zhengku.ledger import Connection


class RevealRefused(ZhengkuError):
    """A telephone number is not shown: who asks or why is not given, or the row is not on the list or has no number."""

    final = True


def reveal_phone(
    connection: Connection,
    list_version: ListVersion,
    record_key: str,
    districts: Collection[str] | None,
    revealed_by: str,
    reason: str,
) -> str:
    """Return the telephone number of a row as it was listed, after recording (and committing) who sees it and why.

    Raises `RevealRefused` when `revealed_by` or `reason` is blank, when the list has no such row in `districts`, or the
    row has no number; nothing is recorded then.
    """
    if not revealed_by.strip() or not reason.strip():
        raise RevealRefused("Expected who asks for the telephone number and why, got a blank. Say both.")
    row = unmasked_row(connection, list_version, record_key, districts)
    place = f"{list_version.kind} list of {list_version.day}, version {list_version.version}"
    if row is None:
        raise RevealRefused(f"Expected a row of the {place}, within the reader's districts; there is none of that key.")
    if row["phone"] is None:
        raise RevealRefused(f"Expected a telephone number in a row of the {place}; the case has none.")
    connection.execute(
        statement("clearance/lists.record_reveal"),
        {
            "list_id": list_version.list_id,
            "record_key": record_key,
            "revealed_by": revealed_by.strip(),
            "reason": reason.strip(),
        },
    )
    connection.commit()
    return str(row["phone"])
