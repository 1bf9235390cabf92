"""A catalogue with which nothing is out of order by the day or the machine of a test."""

from collections.abc import Collection
from pathlib import Path

from zhengku import clock
from zhengku.catalog.working_days import OFFICIAL_UNTIL

LISTS_AND_REPORTS = ("daily_clearance_cutoff", "validation_report")
"""The DAGs that publish by the clock: paused on purpose, where a test has days of its own."""


def calm(catalog: Path, paused: Collection[str] = LISTS_AND_REPORTS) -> None:
    """Know the working days of years to come, need no free disk and no backup, and tell at once what is over.

    The DAGs of `paused` are paused on purpose.
    """
    # A year is known by its last day: those since the official calendar's last.
    years = range(OFFICIAL_UNTIL.year + 1, clock.today().year + 3)
    with (catalog / "working_days.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{year}-12-31,yes,made up\n" for year in years)
    file_of_notices = catalog / "notices.yaml"
    changed = {
        "settle_minutes": "0",
        "disk_free_share": "0.00002",
        "disk_urgent_share": "0.00001",
        "watch_backups": "false",
        "may_be_paused": f"[{', '.join(paused)}]",
    }
    lines = file_of_notices.read_text("utf-8").splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert changed.keys() <= set(names)
    file_of_notices.write_text(
        "".join(
            f"{name}: {changed[name]}\n" if name in changed else f"{line}\n"
            for name, line in zip(names, lines, strict=True)
        ),
        encoding="utf-8",
    )
