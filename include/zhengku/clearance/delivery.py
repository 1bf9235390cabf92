"""The workbooks of a list: one for the city, one for each district, below the folder of reports."""

import logging
import shutil
from collections.abc import Collection
from pathlib import Path

from zhengku.catalog import Catalog
from zhengku.clearance.districts import district_name
from zhengku.clearance.evaluations import bad_reviews
from zhengku.clearance.list_rows import changed_services, left_services, listed_rows
from zhengku.clearance.list_versions import ListVersion
from zhengku.clearance.rates import group_rates
from zhengku.clearance.workbook import KIND_NAMES, write_workbook
from zhengku.ledger import Connection
from zhengku.report.published_files import record_published

log = logging.getLogger(__name__)


def place_name(catalog: Catalog, districts: Collection[str] | None) -> str:
    """Return the name of the area of a part of a list: the city (None), or some districts ("": rows without one)."""
    if districts is None:
        [city] = [district.name for district in catalog.districts.values() if district.parent is None]
        return city
    return "、".join(district_name(catalog, key) for key in sorted(districts))


def workbook_name(catalog: Catalog, published: ListVersion, districts: Collection[str] | None) -> str:
    """Return the file name under which a person downloads a workbook."""
    kind = KIND_NAMES[published.kind]
    place = "全市" if districts is None else place_name(catalog, districts)
    return f"日清清单_{published.day}_{kind}_第{published.version}版_{place}.xlsx"


def workbook_file(report_folder: Path, published: ListVersion, districts: Collection[str] | None) -> Path | None:
    """Return the path of the stored workbook of the city (None) or of one district; None for other parts of a list."""
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

    Bad reviews are those known when it was published; the rates of its day are those counted last.

    Raises what `write_workbook` raises.
    """
    day = published.day
    if districts is None:
        rates = group_rates(connection, catalog, day, day, "city") + group_rates(
            connection, catalog, day, day, "district"
        )
    else:
        rates = group_rates(connection, catalog, day, day, "district", districts) + group_rates(
            connection, catalog, day, day, "department", districts
        )
    write_workbook(
        path,
        published,
        f"{place_name(catalog, districts)}未评办件日清清单",
        listed_rows(connection, catalog, published, section="unrated", districts=districts),
        listed_rows(connection, catalog, published, section="default_rated", districts=districts),
        bad_reviews(connection, catalog, day, districts, known_to=published),
        rates,
        changed_services(connection, published, districts),
        {key: district.name for key, district in catalog.districts.items()},
        left=left_services(connection, published, districts),
    )


def write_workbooks(
    connection: Connection, catalog: Catalog, published: ListVersion, report_folder: Path
) -> list[Path]:
    """Write the workbook of the city and that of each district, and record their digests.

    Return their paths, the city's first.
    """
    written: list[Path] = []
    for districts in (None, *([key] for key in catalog.districts)):
        path = workbook_file(report_folder, published, districts)
        assert path is not None
        write_part(connection, catalog, published, districts, path)
        record_published(connection, report_folder, path)
        written.append(path)
    log.info("%d workbooks below %s", len(written), written[0].parent)
    return written


def remove_folder(folder: Path) -> None:
    """Remove a folder with all its files."""
    shutil.rmtree(folder, ignore_errors=True)
