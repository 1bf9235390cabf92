"""The workbooks of a list: one for the city, one for each district, below the folder of reports."""

import logging
import shutil
from collections.abc import Collection
from pathlib import Path

from zhengku.catalog import Catalog
from zhengku.clearance import lists
from zhengku.clearance.lists import Connection, ListVersion
from zhengku.clearance.workbook import KIND_NAMES, write_workbook

log = logging.getLogger(__name__)


def place_name(catalog: Catalog, districts: Collection[str] | None) -> str:
    """Return the name of what a part of a list covers: the whole city (None), or some districts ("": none known)."""
    if districts is None:
        [city] = [district.name for district in catalog.districts.values() if district.parent is None]
        return city
    return "、".join(lists.district_name(catalog, key) for key in sorted(districts))


def workbook_name(catalog: Catalog, published: ListVersion, districts: Collection[str] | None) -> str:
    """Return the name under which a workbook is handed over."""
    kind = KIND_NAMES[published.kind]
    place = "全市" if districts is None else place_name(catalog, districts)
    return f"日清清单_{published.day}_{kind}_第{published.version}版_{place}.xlsx"


def workbook_file(report_folder: Path, published: ListVersion, districts: Collection[str] | None) -> Path | None:
    """Return where the workbook of the city (None) or of one district is kept; None for any other part of a list."""
    keys = ["city"] if districts is None else [key for key in districts if key]
    if len(keys) != 1 or (districts is not None and len(districts) != 1):
        return None
    folder = report_folder / "clearance" / f"{published.day}" / f"{published.kind}-v{published.version}"
    return folder / f"{keys[0]}.xlsx"


def write_part(
    connection: Connection,
    catalog: Catalog,
    published: ListVersion,
    districts: Collection[str] | None,
    path: Path,
) -> None:
    """Write the rows of a list in some districts (None: all) as a workbook.

    With the bad reviews as they were known when it was published, and the rates of its day as they are counted now.

    Raises what `write_workbook` raises.
    """
    day = published.day
    if districts is None:
        rates = lists.rates(connection, catalog, day, day, "city") + lists.rates(
            connection, catalog, day, day, "district"
        )
    else:
        rates = lists.rates(connection, catalog, day, day, "district", districts) + lists.rates(
            connection, catalog, day, day, "department", districts
        )
    write_workbook(
        path,
        published,
        f"{place_name(catalog, districts)}未评办件日清清单",
        lists.rows(connection, catalog, published, section="unrated", districts=districts),
        lists.rows(connection, catalog, published, section="default_rated", districts=districts),
        lists.bad_reviews(connection, catalog, day, districts, known_to=published),
        rates,
        lists.difference(connection, published, districts),
        {key: district.name for key, district in catalog.districts.items()},
        left=lists.left(connection, published, districts),
    )


def write_workbooks(
    connection: Connection, catalog: Catalog, published: ListVersion, report_folder: Path
) -> list[Path]:
    """Write the workbook of the city and that of each district; return their places, the city's first."""
    written: list[Path] = []
    for districts in (None, *([key] for key in catalog.districts)):
        path = workbook_file(report_folder, published, districts)
        assert path is not None
        write_part(connection, catalog, published, districts, path)
        written.append(path)
    log.info("%d workbooks below %s", len(written), written[0].parent)
    return written


def remove_folder(folder: Path) -> None:
    """Remove a folder with what is in it."""
    shutil.rmtree(folder, ignore_errors=True)
