"""The names of districts as lists, pages and workbooks show them."""

from collections.abc import Collection

from zhengku.catalog import Catalog

NO_DISTRICT_ZH = "本市以外或未填区划"
"""Shown where a row has no district of the city."""


def district_name(catalog: Catalog, district: str | None) -> str:
    """Return a district's name as it is shown; None, or "" as in a filter: the name for rows without one."""
    if not district:
        return NO_DISTRICT_ZH
    known = catalog.districts.get(district)
    return known.name if known else district


def district_parameter(districts: Collection[str] | None) -> list[str] | None:
    """Return a filter of districts as the parameter of a statement (None: all rows)."""
    return None if districts is None else sorted(districts)
