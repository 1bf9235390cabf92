"""A regular expression that is asked in the quicker way finds what PostgreSQL itself finds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from zhengku.validate.patterns import matches
from zhengku.validate.suites import load_suites

SUITES = Path(__file__).parents[3] / "expectations"
PATTERNS = {
    "^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$": "91420700MA4KX0QR2B",
    "^9[1-3][0-9A-Z]{16}$": "91420700MA4KX0QR2B",
    "^[0-9A-Z]{18}[0-9]{3}[0-9A-Z]$": "91420700MA4KX0QR2B001X",
    "^[0-9]{4}[A-Z]{4}[0-9]{5}X$": "2026ABCD12345X",
    "^A{5}[0-9-]{0}[B-]{4}$": "AAAAAB-B-",
    "^[A-Z][0-9]{9}$": "A123456789",
    "^[0-9]{3}$": "123",
    "^B?J[0-9]{6}-[0-9]{4,8}$": "BJ420704-2026",
    "^[0-9A-Za-z]{15,}$": "a2345678901234567",
    "[0-9]{12}号?$": "(2026)420700123456号",
    "^[0-9]{5}|[A-Z]{5}$": "12345",
}
"""Pattern → a text that it matches."""
QUICKER = 6
"""So many of them have a fixed width and a class that is counted."""


@pytest.fixture(scope="module")
def connection(server_url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(server_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def near(text: str) -> list[str]:
    """Return the text, and what differs from it in one place."""
    places = range(len(text))
    return [
        text,
        "",
        text.lower(),
        text + text,
        *(text[:place] + text[place + 1 :] for place in places),
        *(text[:place] + other + text[place:] for place in places for other in "0A甲"),
        *(text[:place] + other + text[place + 1 :] for place in places for other in "09AZXIz-甲 \n"),
        *(text + other for other in ("\n", " ", "0", "A", "甲")),
    ]


def found(connection: sa.Connection, pattern: str, texts: list[str | None]) -> list[Any]:
    listed = sa.func.unnest(sa.bindparam("texts", texts, sa.ARRAY(sa.Text)))
    given = listed.table_valued(sa.column("text", sa.Text), with_ordinality="place").render_derived()
    asked = sa.select(matches(given.c.text, pattern), given.c.text.regexp_match(pattern)).order_by(given.c.place)
    return list(connection.execute(asked).fetchall())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_quicker_way_finds_the_same(connection: sa.Connection, pattern: str) -> None:
    texts = [*dict.fromkeys(text for right in PATTERNS.values() for text in near(right)), None]
    rows = found(connection, pattern, texts)
    assert {quick for quick, _ in rows} == {True, False, None}
    assert [quick for quick, _ in rows] == [plain for _, plain in rows]


def test_as_many_patterns_are_asked_quicker_as_can_be() -> None:
    asked = [str(matches(sa.column("text", sa.Text), pattern).compile()) for pattern in PATTERNS]
    assert sum("length" in condition for condition in asked) == QUICKER


def suite_patterns() -> list[str]:
    suites = load_suites(SUITES, [path.stem for path in sorted(SUITES.glob("*.json"))])
    asked = [rule.kwargs for suite in suites for rule in suite.rules]
    return sorted({kwargs[key] for kwargs in asked for key in ("regex", "pattern") if isinstance(kwargs.get(key), str)})


def test_every_pattern_of_the_suites_finds_the_same(connection: sa.Connection) -> None:
    patterns = suite_patterns()
    assert len(patterns) > QUICKER
    texts: list[str | None] = [
        *dict.fromkeys(
            text
            for width in (9, 10, 12, 15, 16, 17, 18, 22)
            for right in ("123456789012345678901234"[:width], "A" + "1" * (width - 1), "A1" * (width // 2))
            for text in near(right)
        )
    ]
    for pattern in patterns:
        rows = found(connection, pattern, texts)
        assert [quick for quick, _ in rows] == [plain for _, plain in rows], pattern
