"""The checksum of rows in any order, as `sql/functions/reconciliation.sql` and `sql/reconcile/source_*.sql` have it."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from zhengku.clock import CITY_TIME_ZONE
from zhengku.transports.source import EARLIEST


def checksum(rows: Iterable[tuple[str, datetime | None]]) -> int:
    """Return the sum over keys and version times of the first 60 bits of their md5.

    A naive time is in Asia/Shanghai; `EARLIEST` replaces an earlier or missing time.
    """
    total = 0
    for key, at in rows:
        moment = EARLIEST if at is None else at.astimezone(CITY_TIME_ZONE).replace(tzinfo=None) if at.tzinfo else at
        moment = max(moment, EARLIEST)
        text = f"{key}|{moment:%Y-%m-%d %H:%M:%S.%f}"
        total += int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:15], 16)
    return total
