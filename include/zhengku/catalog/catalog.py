"""The complete catalogue: what is collected, from which department, and to which standard field each value belongs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zhengku.catalog.department import Department, Feed
from zhengku.catalog.department_file import read_department
from zhengku.catalog.problem import Problem, did_you_mean
from zhengku.catalog.reference import (
    LICENSE_TYPES_FILE,
    STANDARD_FIELDS_FILE,
    District,
    LicenseType,
    Reference,
    StandardField,
    read_reference,
)
from zhengku.errors import CatalogError

DEPARTMENTS_FOLDER = "departments"


@dataclass(frozen=True)
class Catalog:
    """The catalogue of one folder. A department's file is read at its first use: a mistake in it stops no other."""

    folder: Path
    reference: Reference
    _read: dict[str, Department] = field(default_factory=dict, repr=False, compare=False)

    @property
    def license_types(self) -> Mapping[str, LicenseType]:
        """License types by key, in the order of the file."""
        return self.reference.license_types

    @property
    def districts(self) -> Mapping[str, District]:
        """Districts by key."""
        return self.reference.districts

    @property
    def district_aliases(self) -> Mapping[str, str]:
        """Alias (a delivered code or name, cleaned) → district key."""
        return self.reference.district_aliases

    def null_words(self, feed: Feed, kind: str) -> tuple[str, ...]:
        """Return the words, in lower case and with the blank text, that mean "no value" in fields of a kind.

        `kind` is that of a standard field, or `extension`.
        """
        listed = [*self.reference.null_words.get(kind, ()), *(word.lower() for word in feed.null_words.add)]
        removed = {word.lower() for word in feed.null_words.take_away}
        return ("", *dict.fromkeys(word for word in listed if word not in removed))

    def null_days(self, feed: Feed, kind: str) -> tuple[int, ...]:
        """Return the words for "no value" that are days, as yyyymmdd; days that do not exist (00000000) too."""
        days = (word for word in self.null_words(feed, kind) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word))
        return tuple(int(day.replace("-", "")) for day in days)

    def is_case_sensitive(self, feed: Feed, field: str) -> bool:
        """Return whether upper and lower case make two values of a field: so in the numbers of some license types."""
        key = feed.license_type
        return field == "certificate_number" and key is not None and self.license_type(key).case_sensitive

    def standard_fields(self, dataset: str) -> Mapping[str, StandardField]:
        """Return the standard fields of a data set by name, in the order of the file.

        Raises `CatalogError` for an unknown data set.
        """
        datasets = self.reference.standard_fields
        if dataset not in datasets:
            raise CatalogError(f"No data set {dataset!r} in {STANDARD_FIELDS_FILE}. {_known_names(dataset, datasets)}")
        return datasets[dataset]

    @property
    def department_ids(self) -> tuple[str, ...]:
        """Ids of the departments that have a file, sorted."""
        return tuple(path.stem for path in department_files(self.folder))

    @property
    def departments(self) -> Mapping[str, Department]:
        """All departments by id; raises `CatalogError` when one of the files is wrong."""
        return {department_id: self.department(department_id) for department_id in self.department_ids}

    def department(self, department_id: str) -> Department:
        """Return one department; raises `CatalogError` when there is none of this id or its file is wrong."""
        if department_id not in self._read:
            if department_id not in self.department_ids:
                raise CatalogError(
                    f"No department {department_id!r}. {_known_names(department_id, self.department_ids)}"
                )
            path = self.folder / DEPARTMENTS_FOLDER / f"{department_id}.yaml"
            department, problems = read_department(path, self.reference)
            raise_first(problems)
            if department is not None:
                self._read[department_id] = department
        return self._read[department_id]

    def department_name(self, department_id: str) -> str:
        """Return the name of a department; its id when the department was removed or its file is wrong."""
        try:
            return self.department(department_id).name
        except CatalogError:
            return department_id

    def feed_title(self, department_id: str, feed_id: str) -> str:
        """Return the names of a department and its feed; ids where one was removed or the file is wrong."""
        try:
            title = self.feed(department_id, feed_id).title
        except CatalogError:
            title = feed_id
        return f"{self.department_name(department_id)} {title}"

    def feed(self, department_id: str, feed_id: str) -> Feed:
        """Return one feed; raises `CatalogError` when there is none of this id or the department's file is wrong."""
        feeds = self.department(department_id).feeds
        if feed_id not in feeds:
            raise CatalogError(f"No feed {feed_id!r} of department {department_id!r}. {_known_names(feed_id, feeds)}")
        return feeds[feed_id]

    def license_type(self, key: str) -> LicenseType:
        """Return one license type; raises `CatalogError` when there is none of this key."""
        if key not in self.license_types:
            raise CatalogError(
                f"No license type {key!r} in {LICENSE_TYPES_FILE}. {did_you_mean(key, self.license_types)}"
            )
        return self.license_types[key]

    def license_type_name(self, key: str) -> str:
        """Return the name of a license type; its key when the license type was removed."""
        return self.license_types[key].name_zh if key in self.license_types else key


def department_files(folder: Path) -> list[Path]:
    """Return the files of all departments of a catalogue folder, sorted by name."""
    return sorted((folder / DEPARTMENTS_FOLDER).glob("*.yaml"))


def load_catalog(folder: Path) -> Catalog:
    """Load a catalogue; raises `CatalogError` (file, line, fix) when one of its shared tables is wrong.

    Airflow calls it whenever it parses the DAGs, so it uses neither network nor database.
    """
    if not folder.is_dir():
        raise CatalogError(f"No catalogue: {folder} is no folder. Set ZHENGKU_CATALOG_DIR, or run in the checkout.")
    reference = read_reference(folder)
    raise_first(reference.problems)
    return Catalog(folder, reference)


def load_department(folder: Path, department_id: str) -> Department:
    """Load one department of a catalogue folder; raises `CatalogError` (file, line, fix)."""
    return load_catalog(folder).department(department_id)


def raise_first(problems: list[Problem]) -> None:
    """Raise `CatalogError` with the first error among the problems and the number of the others; do nothing without."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        more = f" ({len(errors) - 1} more: run `zhengku catalog check`)" if len(errors) > 1 else ""
        raise CatalogError(f"{errors[0]}{more}")


def _known_names(unknown: str, names: Mapping[str, object] | tuple[str, ...]) -> str:
    nearest = did_you_mean(unknown, names)
    listed = f" There is: {', '.join(names)}." if nearest.startswith("Did") else ""
    return f"{nearest}{listed}"
