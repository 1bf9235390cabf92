"""The shared tables of the catalogue: license types, districts with their aliases, standard fields, working days."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from zhengku.catalog.problem import Problem, did_you_mean, shown
from zhengku.configuration_model import IDENTIFIER_PATTERN

LICENSE_TYPES_FILE = "license_types.csv"
DISTRICTS_FILE = "districts.csv"
DISTRICT_ALIASES_FILE = "district_aliases.csv"
STANDARD_FIELDS_FILE = "standard_fields.csv"
NULL_WORDS_FILE = "null_words.csv"
WORKING_DAYS_FILE = "working_days.csv"

TABLES = (LICENSE_TYPES_FILE, DISTRICTS_FILE, DISTRICT_ALIASES_FILE, STANDARD_FIELDS_FILE, NULL_WORDS_FILE)
"""The tables that all departments share and that decide how a row is read."""

CALENDAR_START = date(2019, 1, 1)
"""First day of the calendar of working days: there are no older service cases to be rated."""


HALF_WIDTH = {0x3000: " ", **{wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}}
"""The full-width characters that `clean.half_width` replaces, by code point."""


def _parts(value: object) -> object:
    return [part.strip() for part in value.split("|")] if isinstance(value, str) else value


def _yes_no(value: object) -> object:
    return {"yes": True, "no": False}.get(value, value) if isinstance(value, str) else value


def _iso_day(value: object) -> object:
    # Without this check pydantic reads 20270101 as seconds since 1970.
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise PydanticCustomError("iso_day", "not year-month-day")
    return value


YesNo = Annotated[bool, BeforeValidator(_yes_no, json_schema_input_type=Literal["yes", "no"])]
Day = Annotated[date, BeforeValidator(_iso_day, json_schema_input_type=str)]
Key = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
FieldKind = Literal["identifier", "code", "name", "text", "date", "end_date", "timestamp", "district"]


class Row(BaseModel):
    """A row of a table. A blank cell gets the default; cells of fields without a default must be filled."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LicenseType(Row):
    """A license type (证照类型). Only key and name are required, so that any type of certificate can be collected.

    `license_type_code` (GB/T 36904: credit code of the defining authority and 3 digits) is None where no public source
    names it: never invent one. `code_basis` says how certain it is. `validity_years` counts years. A type with
    `any_type` gathers certificates of types outside the catalogue, whose names and codes vary. Certificate numbers
    that differ only by upper and lower case are two numbers in a `case_sensitive` type, one number in others.
    """

    license_type: Key
    seq: Annotated[int, Field(ge=1)] | None = None
    name_zh: Text
    name_en: Text | None = None
    license_type_code: Annotated[str, Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}[0-9]{3}$")] | None = None
    code_basis: Text | None = None
    defining_authority: Text | None = None
    department: Text | None = None
    holder_type: Literal["person", "organization", "both"] | None = None
    validity: Literal["fixed", "either", "permanent"] | None = None
    validity_years: Annotated[int, Field(ge=1, le=100)] | None = None
    extra_fields: Annotated[tuple[Text, ...], BeforeValidator(_parts, json_schema_input_type=str)] = ()
    multi_holder: YesNo | None = None
    case_sensitive: YesNo = False
    any_type: YesNo = False


class District(Row):
    """A district (区划) with a key of our own, because the development zones have no official county code."""

    district: Key
    name: Text
    parent: Key | None = None
    kind: Literal["city", "county", "development_zone"]


class DistrictAlias(Row):
    """A code or name of a district as departments deliver it, cleaned: half-width, without blanks around.

    `basis`: seen (in a public system or a delivery) or assumed (to be confirmed).
    """

    alias: Text
    district: Key
    basis: Literal["seen", "assumed"]


class StandardField(Row):
    """A standard field of a data set; `kind` says how it is cleaned, `personal` how it is masked."""

    dataset: Key
    field: Key
    name_zh: Text
    kind: FieldKind
    required: YesNo
    personal: Literal["no", "name", "holder", "identity"]
    standard: Text


class NullWord(Row):
    """A word that systems write where they have no value; case does not matter.

    A word that is a day (year-month-day; it need not exist) is recognised in date fields in every form of a date and
    with every time. `kinds`: the kinds of standard fields in which the word means "no value". `extension` among them
    are the extra fields of license types, where 无 may be a value: the holder has none.
    """

    word: Text
    kinds: Annotated[tuple[FieldKind | Literal["extension"], ...], BeforeValidator(_parts, json_schema_input_type=str)]


class WorkingDay(Row):
    """A day (Asia/Shanghai) that differs from the official calendar, or from Monday to Friday after its end.

    A row for December 31 of a year after the end of the official calendar also states that the rows of that year are
    complete: the other days of the year then count as known and not as assumed.
    """

    day: Day
    is_working: YesNo
    note: Text | None = None


RowT = TypeVar("RowT", bound=Row)


@dataclass
class Table(Generic[RowT]):
    """The correct rows of one CSV file, each with its line, and the problems of the others."""

    file: Path
    rows: list[tuple[int, RowT]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[RowT]:
        """Iterate over the correct rows."""
        return (row for _, row in self.rows)

    @property
    def is_complete(self) -> bool:
        """Whether every row could be read, so that a name that is not in the table does not exist."""
        return not any(problem.severity == "error" for problem in self.problems)

    def report(self, line: int | None, message: str, fix: str) -> None:
        """Add an error."""
        self.problems.append(Problem(self.file, line, message, fix))


@dataclass(frozen=True)
class Reference:
    """All shared tables, as far as they could be read, and the `problems` of the others.

    `problems` has none of `working_day_table`: a mistake in it must not stop the collection of a department.
    """

    license_type_table: Table[LicenseType]
    district_table: Table[District]
    alias_table: Table[DistrictAlias]
    field_table: Table[StandardField]
    null_word_table: Table[NullWord]
    working_day_table: Table[WorkingDay]

    @cached_property
    def license_types(self) -> dict[str, LicenseType]:
        """License types by key, in the order of the file."""
        return {row.license_type: row for row in self.license_type_table}

    @cached_property
    def districts(self) -> dict[str, District]:
        """Districts by key."""
        return {row.district: row for row in self.district_table}

    @cached_property
    def district_aliases(self) -> dict[str, str]:
        """Alias → district key."""
        return {row.alias: row.district for row in self.alias_table}

    @cached_property
    def standard_fields(self) -> dict[str, dict[str, StandardField]]:
        """Data set → field → standard field, in the order of the file."""
        datasets: dict[str, dict[str, StandardField]] = {}
        for row in self.field_table:
            datasets.setdefault(row.dataset, {})[row.field] = row
        return datasets

    @cached_property
    def null_words(self) -> dict[str, tuple[str, ...]]:
        """Kind of field (or `extension`) → the words that mean "no value" in it, in lower case."""
        words: dict[str, list[str]] = {}
        for row in self.null_word_table:
            for kind in row.kinds:
                words.setdefault(kind, []).append(row.word.lower())
        return {kind: tuple(listed) for kind, listed in words.items()}

    @property
    def problems(self) -> list[Problem]:
        """The problems of the tables that decide how a row is read."""
        tables: tuple[Table[Any], ...] = (
            self.license_type_table,
            self.district_table,
            self.alias_table,
            self.field_table,
            self.null_word_table,
        )
        return [problem for table in tables for problem in table.problems]


def read_reference(folder: Path) -> Reference:
    """Read the shared tables of a catalogue folder with all checks that need no department's file."""
    reference = Reference(
        license_type_table=read_table(folder / LICENSE_TYPES_FILE, LicenseType),
        district_table=read_table(folder / DISTRICTS_FILE, District),
        alias_table=read_table(folder / DISTRICT_ALIASES_FILE, DistrictAlias),
        field_table=read_table(folder / STANDARD_FIELDS_FILE, StandardField),
        null_word_table=read_table(folder / NULL_WORDS_FILE, NullWord),
        working_day_table=read_working_days(folder),
    )
    _check_license_types(reference.license_type_table)
    _check_districts(reference)
    _report_duplicates(reference.field_table, "field", lambda row: f"{row.dataset}.{row.field}")
    _report_duplicates(reference.null_word_table, "word", lambda row: row.word.lower())
    return reference


def read_working_days(folder: Path) -> Table[WorkingDay]:
    """Read the days that differ from the official calendar; mistakes are in the table's `problems`."""
    table = read_table(folder / WORKING_DAYS_FILE, WorkingDay)
    _report_duplicates(table, "day", lambda row: row.day.isoformat())
    for line, row in table.rows:
        if row.day < CALENDAR_START:
            table.report(line, f"day {row.day} is before {CALENDAR_START}, the calendar's first", "Remove the row.")
    return table


def read_table(file: Path, model: type[RowT]) -> Table[RowT]:
    """Read one table (UTF-8, header as in the model); wrong rows are in its `problems`, with their lines."""
    table: Table[RowT] = Table(file)
    try:
        source = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        table.report(None, f"cannot be read: {error.strerror}", "Restore the file from the repository.")
        return table
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        table.report(line, "the text is not UTF-8", 'Save it as "CSV UTF-8"; a spreadsheet program may have used GBK.')
        return table
    reader = csv.reader(io.StringIO(source, newline=""), strict=True)
    line = 1
    try:
        header = next(reader, [])
        if not _header_is_right(table, header, model):
            return table
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _add_row(table, line, header, cells, model)
            line = reader.line_num + 1
    except csv.Error as error:
        table.report(line, f"is not CSV: {error}", "Close every quote; write a quote inside quotes twice.")
    return table


def _header_is_right(table: Table[RowT], header: list[str], model: type[RowT]) -> bool:
    expected = list(model.model_fields)
    for name in header:
        if name not in expected:
            table.report(1, f"unknown column {shown(name)}", did_you_mean(name, expected))
    missing = [name for name in expected if name not in header]
    if missing:
        table.report(1, f"column {', '.join(missing)} is missing", f"The header is {','.join(expected)}.")
    if len(set(header)) < len(header):
        table.report(1, "a column is twice in the header", f"The header is {','.join(expected)}.")
    return len(table.problems) == 0


def _add_row(table: Table[RowT], line: int, header: list[str], cells: list[str], model: type[RowT]) -> None:
    if len(cells) != len(header):
        message = f"expected {len(header)} cells as in the header, got {len(cells)}"
        table.report(line, message, "Put texts with a comma into quotes; leave a blank cell between two commas.")
        return
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
    try:
        row = model.model_validate(values)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            column = str(error["loc"][0])
            table.report(line, *_message_and_fix(column, dict(error)))
        return
    table.rows.append((line, row))


def _message_and_fix(column: str, error: dict[str, Any]) -> tuple[str, str]:
    context = error.get("ctx", {})
    received = shown(error["input"])
    match error["type"]:
        case "missing":
            return f"{column} is blank", "Fill it in."
        case "literal_error":
            return f"{column}: expected {context['expected']}, got {received}", "Use one of these."
        case "bool_parsing" | "bool_type":
            return f"{column}: expected yes or no, got {received}", "Use one of these."
        case "string_pattern_mismatch" if column == "license_type_code":
            fix = "Leave it blank when no source names it."
            return f"{column}: expected 18 characters of a credit code and 3 digits, got {received}", fix
        case "string_pattern_mismatch":
            return f"{column}: expected small letters, digits and _, got {received}", "Use a key like business_license."
        case "iso_day" | "date_from_datetime_parsing" | "date_parsing":
            return f"{column}: expected a day as year-month-day, got {received}", "Write it like 2027-01-01."
        case "string_too_short":
            return f"{column} has a blank part", "Remove the bar that is too many."
        case _:
            return f"{column}: {error['msg']}, got {received}", "Correct the cell."


def _report_duplicates(table: Table[RowT], what: str, value: Callable[[RowT], object]) -> None:
    first: dict[object, int] = {}
    for line, row in table.rows:
        found = value(row)
        if found is None:
            continue
        if found in first:
            table.report(line, f"{what} {shown(found)} is repeated, first at line {first[found]}", "Keep one.")
        else:
            first[found] = line


def _check_license_types(table: Table[LicenseType]) -> None:
    _report_duplicates(table, "license_type", lambda row: row.license_type)
    _report_duplicates(table, "seq", lambda row: row.seq)
    _report_duplicates(table, "name_zh", lambda row: row.name_zh)
    _report_duplicates(table, "license_type_code", lambda row: row.license_type_code)
    for line, row in table.rows:
        if row.license_type_code and not row.code_basis:
            table.report(line, "license_type_code has no code_basis", "Say where the code was seen, or leave it blank.")
        if row.validity_years and row.validity == "permanent":
            table.report(line, "validity_years is given with validity permanent", "Leave one of them out.")
    single = [row for row in table if not row.any_type]
    unnamed = [row.license_type for row in single if row.license_type_code is None]
    if unnamed:
        message = f"{len(unnamed)} of {len(single)} license types have no license_type_code"
        fix = "Ask the defining authority; until then names are not checked against codes for these."
        table.problems.append(Problem(table.file, None, message, fix, "info"))


def _check_districts(reference: Reference) -> None:
    districts, aliases = reference.district_table, reference.alias_table
    _report_duplicates(districts, "district", lambda row: row.district)
    _report_duplicates(districts, "name", lambda row: row.name)
    _report_duplicates(aliases, "alias", lambda row: row.alias)
    for line, row in districts.rows:
        if row.parent and row.parent not in reference.districts:
            districts.report(
                line, f"parent {row.parent!r} is no district", did_you_mean(row.parent, reference.districts)
            )
        elif row.district in _ancestors(row, reference.districts):
            districts.report(line, f"district {row.district!r} is its own ancestor", "Correct the parents.")
        if row.name not in reference.district_aliases:
            message = f"name {row.name!r} is no alias, so rows that deliver it would count as outside the city"
            districts.report(line, message, f"Add it to {DISTRICT_ALIASES_FILE}.")
    for line, alias in aliases.rows:
        if alias.district not in reference.districts:
            fix = did_you_mean(alias.district, reference.districts)
            aliases.report(line, f"alias {alias.alias!r} leads to an unknown district {alias.district!r}", fix)
        cleaned = alias.alias.translate(HALF_WIDTH)
        if cleaned != alias.alias:
            # Values are cleaned before they are looked up.
            aliases.report(
                line, f"alias {alias.alias!r} is in full-width form and never matches", f"Write {cleaned!r}."
            )


def _ancestors(row: District, districts: dict[str, District]) -> Iterable[str]:
    found: list[str] = []
    parent = row.parent
    while parent and parent in districts and parent not in found:
        found.append(parent)
        parent = districts[parent].parent
    return found
