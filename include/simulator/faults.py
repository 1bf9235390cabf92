"""The faults that an interface serves on purpose: drawn from a seed, counted, and never too many for a correct client.

A passing fault spoils one answer; the next request for the page succeeds. At most two follow each other for one page,
never the same one twice. A spoiling fault is an answer that looks right and is not, so that the whole window has to be
read again: after it, a feed serves none until enough correct pages were sent to end that reading and to read the window
anew.
"""

import random
import threading
from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Final

PASSING: Final = (
    "too_many_requests",
    "server_error",
    "unavailable",
    "slow_head",
    "slow_body",
    "slow_blocks",
    "cut_body",
    "cut_chunks",
    "invalid_json",
    "reset",
    "busy",
    "expired_token",
)
"""429 and 503 with Retry-After; 500; headers that trickle; a body that trickles; compressed blocks that trickle and
expand to nothing, in chunks with extensions and with trailers; a body shorter than announced, with a length and in
chunks; an answer that is no JSON; a connection reset; a business error inside HTTP 200; a token that has expired."""

SPOILING: Final = ("repeated_page", "shifted_page", "wrong_total")
"""The previous page once more; every row shifted by one; a wrong total."""

KINDS: Final = PASSING + SPOILING
MOST_IN_A_ROW: Final = 2


@dataclass
class _Page:
    in_a_row: int = 0
    last: str = ""


class Faults:
    """Decides which request gets which fault; several threads may call it at once.

    `rate` is the share of requests with a fault, from 0 to 1; `kinds` restricts the faults. The decision depends only
    on `seed` and on the request's number, except where the limits forbid a fault. Raises `ValueError` for a rate out of
    range or an unknown kind.
    """

    def __init__(self, rate: float = 0.0, seed: int = 1, kinds: Collection[str] = KINDS) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"Expected a rate of faults from 0 to 1, got {rate}.")
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise ValueError(f"Unknown kinds of faults: {', '.join(unknown)}. Expected some of {', '.join(KINDS)}.")
        self._rate = rate
        self._seed = seed
        self._kinds = tuple(kind for kind in KINDS if kind in kinds)
        self._lock = threading.Lock()
        self._requests = 0
        self._served: Counter[str] = Counter()
        self._pages: dict[Hashable, _Page] = {}
        self._right_pages_due: dict[str, int] = {}

    def draw(self, feed: str, page: Hashable, possible: Collection[str], window_pages: int) -> str | None:
        """Return the fault of this request, None for no fault, and count it.

        `possible` are the kinds that make sense for the request, `window_pages` is the most pages that its feed has.
        """
        with self._lock:
            self._requests += 1
            chance = random.Random(f"{self._seed}:{self._requests}")
            seen = self._pages.setdefault((feed, page), _Page())
            due = self._right_pages_due.get(feed, 0)
            kinds = [
                kind
                for kind in self._kinds
                if kind in possible and kind != seen.last and not (kind in SPOILING and due > 0)
            ]
            if chance.random() >= self._rate or not kinds or seen.in_a_row >= MOST_IN_A_ROW:
                seen.in_a_row, seen.last = 0, ""
                self._right_pages_due[feed] = max(0, due - 1)
                return None
            kind = chance.choice(kinds)
            seen.in_a_row += 1
            seen.last = kind
            if kind in SPOILING:
                # The rest of the spoilt reading, and the reading that must be correct.
                self._right_pages_due[feed] = 2 * window_pages + 1
            self._served[kind] += 1
            return kind

    def served(self) -> Mapping[str, int]:
        """Return how often each kind was served, all kinds included."""
        with self._lock:
            return {kind: self._served[kind] for kind in KINDS}

    @property
    def requests(self) -> int:
        """Requests that could have got a fault."""
        return self._requests
