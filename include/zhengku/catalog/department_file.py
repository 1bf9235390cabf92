"""Reading and checking a department's file: all mistakes are reported at once, with their lines."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from zhengku.catalog.codes import CODES
from zhengku.catalog.department import Department
from zhengku.catalog.problem import SECRET_FIX, Problem, Severity, did_you_mean, looks_secret, shown
from zhengku.catalog.reference import DISTRICTS_FILE, LICENSE_TYPES_FILE, LicenseType, Reference, StandardField
from zhengku.catalog.structure import dotted, structure_problems
from zhengku.catalog.yaml_file import Location, YamlFile, read_yaml

_DATE_KINDS = ("date", "end_date", "timestamp")
_NO_KEY_KINDS = (*_DATE_KINDS, "district")
_CERTIFICATE = "certificate"

# By transport: the keys that together say where a feed is read from.
_PLACES = {
    "file_drop": ("connection", "folder", "pattern"),
    "http": ("connection", "path"),
    "exchange_database": ("connection", "table"),
}


def read_department(path: Path, reference: Reference) -> tuple[Department | None, list[Problem]]:
    """Read and check one department's file against the shared tables.

    Returns the department, or None when a problem of severity error was found, and all problems by line.
    """
    source = read_yaml(path)
    if source.data is None:
        if not source.problems:
            source.problems.append(Problem(path, None, "the file is empty", "Copy another department's file."))
        return None, source.problems
    return _FileCheck(source, reference).run()


class _FileCheck:
    """The checks of one file. They read the plain data and not the models, so that one mistake hides no other."""

    def __init__(self, source: YamlFile, reference: Reference) -> None:
        self.source = source
        self.reference = reference
        self.problems = list(source.problems)
        self.secrets: set[Location] = set()

    def run(self) -> tuple[Department | None, list[Problem]]:
        self._check_secrets((), self.source.data)
        department = self._check_structure()
        self._check_department()
        for feed_id in self.source.mapping("feeds"):
            feed = ("feeds", feed_id)
            if self.source.mapping(*feed):
                _FeedCheck(self, feed).run()
        self.problems.sort(key=lambda problem: problem.line or 0)
        failed = any(problem.severity == "error" for problem in self.problems)
        return None if failed else department, self.problems

    def report(self, location: Location, message: str, fix: str, severity: Severity = "error") -> None:
        self.problems.append(Problem(self.source.path, self.source.line(location), message, fix, severity))

    def _check_secrets(self, location: Location, value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if looks_secret(key):
                    self.secrets.add((*location, key))
                    self.report((*location, key), "the key looks like an address or a secret", SECRET_FIX)
                self._check_secrets((*location, key), item)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                self._check_secrets((*location, position), item)
        elif isinstance(value, str) and looks_secret(value):
            self.secrets.add(location)
            self.report(location, f"{dotted(location)}: the value looks like an address or a secret", SECRET_FIX)

    def _check_structure(self) -> Department | None:
        try:
            return Department.model_validate(self.source.data)
        except ValidationError as errors:
            see = "See department.schema.json in the catalogue's folder."
            self.problems += structure_problems(self.source, Department, errors, self.secrets, see)
            return None

    def _check_department(self) -> None:
        source, path = self.source, self.source.path
        department = source.text("department")
        if department is not None and department != path.stem:
            message = f"department {shown(department)} is not the file's name"
            self.report(("department",), message, f"Write {path.stem!r}, or rename the file to {department}.yaml.")
        self._check_department_name()
        collected: dict[tuple[object, ...], str] = {}
        for feed_id in source.mapping("feeds"):
            transport = ("feeds", feed_id, "transport")
            keys = _PLACES.get(source.text(*transport, "kind") or "")
            if keys is None or not all(source.text(*transport, key) for key in keys if key != "folder"):
                continue
            # Two feeds may read different rows of one interface, by fixed parameters.
            fixed = sorted((key, str(value)) for key, value in source.mapping(*transport, "parameters").items())
            place = (*(source.text(*transport, key) for key in keys), *fixed)
            if place in collected:
                message = f"feed {shown(feed_id)} collects the same as feed {shown(collected[place])}"
                self.report((*transport, keys[-1]), message, f"Tell them apart by {' or '.join(keys[1:])}.")
            collected.setdefault(place, feed_id)

    def _check_department_name(self) -> None:
        key = "catalog_name" if self.source.text("catalog_name") else "name"
        name = self.source.text(key)
        known = {row.department for row in self.reference.license_type_table if row.department}
        types = {feed: self.source.text("feeds", feed, "license_type") for feed in self.source.mapping("feeds")}
        owners = {feed: self._department_of(license_type) for feed, license_type in types.items()}
        if name is None or not any(owners.values()):
            return
        if name not in known:
            message = f"{key} {shown(name)} is no department of {LICENSE_TYPES_FILE}"
            fix = f"Write the name in that file as catalog_name. {did_you_mean(name, known)}"
            self.report((key,), message, fix, "warning")
            return
        for feed, owner in owners.items():
            if owner and owner != name:
                message = f"license type {types[feed]!r} is one of {owner} in {LICENSE_TYPES_FILE}, not of {name}"
                fix = "Check the license type; if both issue it, leave it as it is."
                self.report(("feeds", feed, "license_type"), message, fix, "warning")

    def _department_of(self, license_type: str | None) -> str | None:
        row = self.reference.license_types.get(license_type or "")
        return row.department if row else None


class _FeedCheck:
    """The checks of one feed against the shared tables."""

    def __init__(self, file: _FileCheck, feed: Location) -> None:
        self.source = file.source
        self.reference = file.reference
        self.report = file.report
        self.feed = feed
        dataset = self.source.text(*feed, "dataset")
        datasets = self.reference.standard_fields
        if dataset is not None and datasets and dataset not in datasets:
            message = f"unknown dataset {shown(dataset)}"
            self.report((*feed, "dataset"), message, did_you_mean(dataset, datasets))
        self.dataset = dataset
        # When a row of the table is wrong, its field would be reported as unknown wherever a feed names it.
        is_complete = self.reference.field_table.is_complete
        self.standard: dict[str, StandardField] = datasets.get(dataset or "", {}) if is_complete else {}
        self.mapped = self.source.mapping(*feed, "fields")
        self.absent = {name: location for location, name in self.source.items(*feed, "absent")}

    def run(self) -> None:
        license_type = self._check_license_type()
        for key in ("key", "absent", "suites", "ignored_columns"):
            self._check_repeated((*self.feed, key))
        self._check_repeated((*self.feed, "transport", "row_id"))
        self._check_repeated((*self.feed, "transport", "format", "encodings"))
        if self.standard:
            self._check_field_names()
            self._check_every_field_is_mapped_or_absent()
            self._check_key_and_version()
            for name in self.mapped:
                if name in self.standard:
                    self._check_mapping(name, self.standard[name], license_type)
        self._check_window()
        self._check_extension(license_type)
        self._check_ignored_columns()
        self._check_absent_because()

    def _check_license_type(self) -> LicenseType | None:
        location = (*self.feed, "license_type")
        key = self.source.text(*location)
        if key is None:
            if self.dataset == _CERTIFICATE and self.source.at(*location) is None:
                message = f"key 'license_type' is missing in {dotted(self.feed)}, whose rows are certificates"
                self.report(self.feed, message, f"Add the key of the type in {LICENSE_TYPES_FILE}.")
            return None
        license_type = self.reference.license_types.get(key)
        if license_type is None and self.reference.license_type_table.is_complete:
            fix = (
                f"{did_you_mean(key, self.reference.license_types)} A new type is one more row of {LICENSE_TYPES_FILE}."
            )
            self.report(location, f"unknown license type {shown(key)}", fix)
        return license_type

    def _check_repeated(self, location: Location) -> None:
        seen: set[str] = set()
        for item_location, item in self.source.items(*location):
            if item in seen:
                self.report(item_location, f"{dotted(location)} names {shown(item)} twice", "Remove one.")
            seen.add(item)

    def _check_field_names(self) -> None:
        places = [((*self.feed, "fields", name), name) for name in self.mapped]
        places += [(location, name) for name, location in self.absent.items()]
        places += self.source.items(*self.feed, "key")
        for location, name in places:
            if name not in self.standard:
                chinese = next((field for field, row in self.standard.items() if row.name_zh == name), None)
                fix = f"Write {chinese!r}." if chinese else did_you_mean(name, self.standard)
                self.report(location, f"unknown standard field {shown(name)} of data set {self.dataset}", fix)

    def _check_every_field_is_mapped_or_absent(self) -> None:
        for name, location in self.absent.items():
            if name in self.mapped and name in self.standard:
                mapped_at = self.source.line((*self.feed, "fields", name))
                message = f"standard field {name!r} is absent and also mapped at line {mapped_at}"
                self.report(location, message, "Remove it from absent or from fields.")
        missing = [name for name in self.standard if name not in self.mapped and name not in self.absent]
        if missing and self.mapped:
            message = f"standard fields neither mapped nor absent in {dotted(self.feed)}: {', '.join(missing)}"
            self.report((*self.feed, "absent"), message, "Map them under fields, or list them under absent.")
        required = [name for name, row in self.standard.items() if row.required and name in self.absent]
        if required:
            message = f"feed {self.feed[-1]} lacks fields that the standard requires: {', '.join(required)}"
            self.report((*self.feed, "absent"), message, "Ask the department for them.", "info")

    def _check_key_and_version(self) -> None:
        key = self.source.items(*self.feed, "key")
        for location, name in key:
            if name in self.standard and name not in self.mapped:
                message = f"key field {name!r} does not come with the feed"
                self.report(location, message, "Map it under fields, or choose another key.")
            elif name in self.standard and self.standard[name].kind in _NO_KEY_KINDS:
                message = f"key field {name!r} is of kind {self.standard[name].kind}, which does not identify a row"
                self.report(location, message, "Choose a number or a code that the department gives each certificate.")
        if key and all(self.source.text(*self.feed, "fields", name, "constant") for _, name in key):
            message = "every key field is a constant, so all rows would be one certificate"
            self.report((*self.feed, "key"), message, "Add a field that comes from a column.")
        location = (*self.feed, "version")
        version = self.source.text(*location)
        if version in self.standard and not self.source.text(*self.feed, "fields", version, "column"):
            message = f"version {version!r} does not come from a column"
            self.report(location, message, "Map it under fields, or write version: delivery.")

    def _check_mapping(self, name: str, standard: StandardField, license_type: LicenseType | None) -> None:
        here = (*self.feed, "fields", name)
        mapping = self.source.mapping(*here)
        if "date_forms" in mapping:
            self._check_repeated((*here, "date_forms"))
            if standard.kind not in _DATE_KINDS:
                message = f"date_forms at {name!r}, which is of kind {standard.kind}"
                self.report((*here, "date_forms"), message, "Remove it; only dates and times have forms.")
        if mapping.get("date_only") is True:
            self._check_date_only(here, name, standard)
        if "codes" in mapping and standard.kind != "code":
            message = f"codes at {name!r}, which is of kind {standard.kind}"
            self.report((*here, "codes"), message, "Remove it; only fields of kind code are mapped code by code.")
        if "remove_prefix" in mapping and standard.kind not in ("code", "text"):
            message = f"remove_prefix at {name!r}, which is of kind {standard.kind}"
            self.report((*here, "remove_prefix"), message, "Remove it; only fields of kind code and text have one.")
        self._check_constant(here, name, standard)
        if (codes := CODES.get(self.dataset or "", {}).get(name)) is not None:
            self._check_codes(here, name, mapping, codes)
        if license_type is not None:
            self._check_against_type(here, name, license_type)

    def _check_date_only(self, here: Location, name: str, standard: StandardField) -> None:
        location = (*here, "date_only")
        if standard.kind != "timestamp":
            message = f"date_only at {name!r}, which is of kind {standard.kind}"
            self.report(location, message, "Remove it; only times may lack their time of day.")
        elif name == "source_updated_at":
            # It also is the watermark of a feed.
            message = "date_only at 'source_updated_at', which orders the versions of a record and needs a time of day"
            self.report(location, message, "Remove it.")
        elif "constant" in self.source.mapping(*here):
            self.report(location, f"date_only at {name!r}, which is a constant", "Remove it; write the time out.")

    def _check_constant(self, here: Location, name: str, standard: StandardField) -> None:
        location = (*here, "constant")
        constant = self.source.text(*location)
        if constant is None:
            return
        if standard.kind in _DATE_KINDS and not _is_iso_date(constant, with_time=standard.kind == "timestamp"):
            message = f"constant {shown(constant)} of {name!r}, which is of kind {standard.kind}, is no date"
            self.report(location, message, 'Write it as year-month-day: "2020-01-31".')
        known = {*self.reference.districts, *self.reference.district_aliases}
        tables_are_complete = self.reference.district_table.is_complete and self.reference.alias_table.is_complete
        if standard.kind == "district" and tables_are_complete and constant not in known:
            message = f"constant {shown(constant)} of {name!r} is no district of {DISTRICTS_FILE} and no alias of one"
            self.report(location, message, did_you_mean(constant, self.reference.districts))

    def _check_codes(self, here: Location, name: str, mapping: dict[str, object], known: Mapping[str, str]) -> None:
        if "column" in mapping and mapping.get("codes") is None:
            message = f"{name} has no codes, and the {name} codes of departments contradict each other"
            self.report(here, message, f"Add codes: the department's code → {', '.join(known)}.")
        ours = [((*here, "codes", code), target) for code, target in self.source.mapping(*here, "codes").items()]
        ours.append(((*here, "constant"), mapping.get("constant")))
        for location, target in ours:
            if isinstance(target, str) and target not in known:
                self.report(location, f"unknown {name} {shown(target)}", did_you_mean(target, known))

    def _check_against_type(self, here: Location, name: str, license_type: LicenseType) -> None:
        # Seen in practice: all certificates of a type were rejected upstream for one wrong character in its name.
        expected = {
            "license_type_name": license_type.name_zh,
            "license_type_code": license_type.license_type_code,
        }.get(name)
        constant = self.source.text(*here, "constant")
        if expected and constant is not None and constant != expected:
            message = f"{name} {shown(constant)} is not that of license type {license_type.license_type!r}"
            self.report((*here, "constant"), message, f"Write {expected!r} as in {LICENSE_TYPES_FILE}.")

    def _check_window(self) -> None:
        source, window, transport = self.source, (*self.feed, "window"), (*self.feed, "transport")
        kind = source.text(*window, "kind") or "new_files"
        by = source.text(*transport, "kind")
        if by is None:
            return
        here = window if source.mapping(*window) else self.feed
        if by == "file_drop" and kind != "new_files":
            self.report(here, f"window {kind} at a file drop, which has no windows", "Remove it: new files are taken.")
        if by != "file_drop" and kind == "new_files":
            message = f"window new_files at transport {by}, which has no files"
            self.report(here, message, "Write window: {kind: watermark, column: …}, or {kind: whole}.")
        if kind == "whole" and source.text(*self.feed, "deliveries") != "snapshots":
            message = "window whole without deliveries: snapshots, so that nobody would see what has disappeared"
            self.report(window, message, "Add deliveries: snapshots.")
        if kind == "watermark" and source.text(*self.feed, "deliveries") == "snapshots":
            message = "deliveries snapshots with a watermark window, which reads only what changed"
            self.report((*self.feed, "deliveries"), message, "Remove it, or write window: {kind: whole}.")
        if by == "http":
            paging = source.text(*transport, "paging", "kind")
            if kind == "watermark" and not source.text(*transport, "since_parameter"):
                message = "a watermark window without since_parameter: the interface would send everything each time"
                self.report(transport, message, "Name the parameter, or write window: {kind: whole}.")
            if paging == "time" and kind != "watermark":
                message = "paging by time without a watermark window"
                self.report((*transport, "paging"), message, "Write window: {kind: watermark, column: …}.")
        self._check_change_time(kind)

    def _check_change_time(self, kind: str) -> None:
        """Check that a row that is read a second time cannot replace a newer version: its own time must decide."""
        source = self.source
        if kind == "watermark" and source.text(*self.feed, "version") != "source_updated_at":
            message = "a watermark window with version delivery: a row of the overlap would replace a newer one"
            self.report(
                (*self.feed, "version") if source.text(*self.feed, "version") else self.feed,
                message,
                "Map source_updated_at to the window's column and write version: source_updated_at.",
            )
        column = source.text(*self.feed, "window", "column")
        updated = source.text(*self.feed, "fields", "source_updated_at", "column")
        if kind == "watermark" and column and updated and column != updated:
            message = f"the window uses column {shown(column)}, source_updated_at comes from {shown(updated)}"
            fix = "Leave it if both are times of change; otherwise use one column for both."
            self.report((*self.feed, "window", "column"), message, fix, "warning")

    def _check_extension(self, license_type: LicenseType | None) -> None:
        if license_type is None or not license_type.extra_fields:
            return
        for name in self.source.mapping(*self.feed, "extension"):
            if name not in license_type.extra_fields:
                message = (
                    f"extension field {shown(name)} is none of {license_type.license_type!r} in {LICENSE_TYPES_FILE}"
                )
                fix = f"{did_you_mean(name, license_type.extra_fields)} Or add it to extra_fields there."
                self.report((*self.feed, "extension", name), message, fix, "warning")

    def _check_ignored_columns(self) -> None:
        used: dict[str, str] = {}
        for part in ("fields", "extension"):
            for name in self.source.mapping(*self.feed, part):
                column = self.source.text(*self.feed, part, name, "column")
                if column is not None:
                    used.setdefault(column, f"{part}.{name}")
        for place in ("operation", "window"):
            column = self.source.text(*self.feed, place, "column")
            if column is not None:
                used.setdefault(column, f"the {place}")
        for _, column in self.source.items(*self.feed, "transport", "row_id"):
            used.setdefault(column, "row_id")
        # Spellings of a name that differ by width, blanks or case are one column.
        by_name = {_folded(column): (column, user) for column, user in reversed(used.items())}
        for location, column in self.source.items(*self.feed, "ignored_columns"):
            if _folded(column) in by_name:
                name, user = by_name[_folded(column)]
                also = "" if name == column else f" as {shown(name)}"
                message = f"column {shown(column)} is ignored and also used by {user}{also}"
                self.report(location, message, "Remove it from ignored_columns.")

    def _check_absent_because(self) -> None:
        for name in self.source.mapping(*self.feed, "absent_because"):
            if name not in self.absent:
                message = f"absent_because gives a reason for {shown(name)}, which is not absent"
                self.report((*self.feed, "absent_because", name), message, "Remove it, or list the field under absent.")


def _folded(column: str) -> str:
    return "".join(unicodedata.normalize("NFKC", column).split()).casefold()


def _is_iso_date(text: str, *, with_time: bool) -> bool:
    # Python parses more forms; PostgreSQL would reject some of them or read them as another day.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}" + (r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?" * with_time), text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
