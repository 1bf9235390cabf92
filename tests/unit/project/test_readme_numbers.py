"""The tables in both READMEs are what `make demo` prints on its first night, by the truth of the made-up city."""

import re
from collections import Counter
from pathlib import Path

import pytest

from local_stack.city import CARELESS
from local_stack.demo import ROWS, SEED
from simulator.city import City
from simulator.service_truth import Publisher, Row
from simulator.services import with_services
from zhengku.catalog import load_catalog

PROJECT = Path(__file__).resolve().parents[3]
FATES = {"new": "inserted", "gone": "deleted", "twice": "duplicate", "wrong": "quarantined"}
"""What the demo's table calls the fates of the rows of a first night."""


@pytest.fixture(scope="module")
def printed() -> set[tuple[str, ...]]:
    """Every line of the demo's tables, without blanks between the words; an empty cell is left out."""
    catalog = load_catalog(PROJECT / "include" / "catalog")
    [(night, collection)] = with_services(City(SEED, ROWS, nights=1, mishaps=False, careless=CARELESS))
    fates = {
        (delivery.system.department, delivery.system.feed): Counter(row.fate for row in delivery.rows)
        for delivery in night.deliveries
    }
    lines: set[tuple[str, ...]] = set()
    sums: dict[str, Counter[str]] = {"all": Counter()}
    for (department, feed), counted in fates.items():
        assert set(counted) <= set(FATES.values()), "the demo's table has another column: name it here"
        described = catalog.feed(department, feed)
        subject = catalog.license_type(described.license_type).name_zh if described.license_type else described.title
        lines.add(line(subject, counted))
        sums.setdefault(catalog.department(department).name, Counter()).update(counted)
        sums["all"].update(counted)
    lines |= {line(name, counted) for name, counted in sums.items()}
    stored = [record for delivery in night.deliveries for record in delivery.stored if delivery.system.license_type]
    types = {delivery.system.license_type for delivery in night.deliveries if delivery.system.license_type}
    lines.add(tuple(f"The license store holds {len(stored):,} certificates of {len(types)} types.".split()))
    lines.add(tuple(f"Cases that nobody has rated, {collection.kind} list of {collection.day}:".split()))
    rows = Publisher().publish(collection.day, collection.kind, collection.facts).first.rows
    for district in (None, *{row.district for row in rows}):
        name = catalog.districts[district].name if district else "all"
        lines.add(listed(name, [row for row in rows if district in (None, row.district)]))
    return lines


def listed(name: str, rows: list[Row]) -> tuple[str, ...]:
    sections, states = Counter(row.section for row in rows), Counter(row.state for row in rows)
    counts = (
        sections["unrated"], sections["default_rated"], states["new"], states["carried_over"], states["reopened"]
    )  # fmt: skip
    return (name, *(f"{count:,}" for count in counts))


def line(name: str, counted: Counter[str]) -> tuple[str, ...]:
    return (name, *(f"{number:,}" for number in (counted.total(), *map(counted.get, FATES.values())) if number))


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_tables_are_those_that_the_demo_prints(readme: str, printed: set[tuple[str, ...]]) -> None:
    text = (PROJECT / readme).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    [block] = [block for block in blocks if "twice wrong" in block]
    shown = [tuple(row.split()) for row in block.splitlines() if row.strip() and row.strip() != "…"]
    headings = [row for row in shown if row[0] in ("department,", "district")]
    assert len(headings) == 2
    numbers = [row for row in shown if row not in headings]
    assert len(numbers) > 10
    assert [row for row in numbers if row not in printed] == []
