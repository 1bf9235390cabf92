"""The statement that cleans and types the rows of a batch, generated from the feed's mapping.

The functions are those of `sql/functions/clean.sql` and `clean_dates.sql`; a field's kind in `standard_fields.csv`
decides which of them clean its values. `zhengku.stage.layers` arranges the expressions in subqueries.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from zhengku.catalog import Catalog, Feed, FieldMapping
from zhengku.catalog.department import DEFAULT_DATE_FORMS, EPOCH_FORMS, DateForm
from zhengku.catalog.reference import StandardField
from zhengku.errors import CatalogError
from zhengku.stage.layers import Layers, Value
from zhengku.transports.source import EARLIEST

DATE_KINDS = ("date", "end_date", "timestamp")
"""Kinds whose text may be no date; such a field has an additional column `<field>_unparsed`."""

_END = "valid_to"

WITHOUT_END = "valid_without_end"
"""Column of certificates: true where the row says that the validity has no end; false where it gives an end or neither.
"""

_FAR_DAYS = (20991231, 99991231)
"""Days that systems write for a validity without end (yyyymmdd)."""

_SQL_TYPES = {"date": "date", "end_date": "date", "timestamp": "timestamptz"}

_CODES = ("code", "identifier")
"""Kinds of text that the functions for codes clean."""

_JOINING = ("case_number", "service_number", "evaluation_number", "result_number")
"""Fields by which cases, evaluations and results are joined with one another: they are stored as they are compared."""

_SEQUENCES = ("service_number", "result_number")
"""Key fields that count within a case, and may start with 0."""


def cleaning_query(
    feed: Feed,
    catalog: Catalog,
    delivered_columns: Sequence[str],
    landed_at: datetime,
    source: sql.Composable,
    seed: int = 0,
) -> sql.Composed:
    """Return the query that reads `source` (`row_no` and text columns `c1`, `c2`, … as delivered) as typed rows.

    Its columns: `row_no`, `record_key` (in the form in which codes are compared), `key_unusable` (the part of the key
    that is no usable value), the standard fields of the data set, `<field>_unparsed` for every date,
    `status_unmapped`, `codes_unmapped` (names of the other fields whose code the mapping does not know, comma
    separated), `error_cells` and `extension_error_cells` (names of standard and extension fields that hold the error of
    a spreadsheet's cell), `codes_distorted` (names of the fields whose code was turned into a rounded number or a truth
    value by software), `removes` (the row deletes its certificate), `operation_unmapped`, `district_delivered`,
    `extension` (jsonb), `version_at` (the row's own time of change, `EARLIEST` without one; or `landed_at`, as the feed
    says), `valid_without_end` (of certificates), `row_hash` (over all that is stored) and `received_hash` (starting
    from `seed`, over the mapped columns as received).
    Raises `CatalogError` when the delivery lacks a column that the mapping names.
    """
    missing = [column for column in feed.required_columns if column not in delivered_columns]
    if missing:
        raise CatalogError(f"Feed {feed.name}: the staged delivery lacks the mapped columns {', '.join(missing)}.")
    cleaned = _CleanedColumns(feed, catalog, Layers(delivered_columns))
    for field in catalog.standard_fields(feed.dataset).values():
        cleaned.add_field(field)
    cleaned.add_field_lists()
    cleaned.add_extension()
    cleaned.add_identity(landed_at)
    cleaned.add_hashes(seed)
    return cleaned.layers.select({**cleaned.fields, **cleaned.derived}, source)


class _CleanedColumns:
    """The columns of a cleaning query, collected step by step in the order in which `cleaning_query` calls.

    Each step reads columns of the steps before it.
    """

    def __init__(self, feed: Feed, catalog: Catalog, layers: Layers) -> None:
        self.feed = feed
        self.catalog = catalog
        self.layers = layers
        self.nothing = layers.add('null::text collate "C"')
        self.fields: dict[str, Value] = {}
        """The standard fields, in the data set's order."""
        self.derived: dict[str, Value] = {
            "status_unmapped": self.nothing,
            "codes_unmapped": self.nothing,
            "codes_distorted": self.nothing,
            "district_delivered": self.nothing,
            "error_cells": self.nothing,
            "extension_error_cells": self.nothing,
        }
        """All other columns."""
        self._extension: dict[str, Value] = {}
        self._texts: dict[str, Value] = {}
        """Fields that are stored as text, without mapped codes."""
        self._uncoded: dict[str, Value] = {}
        """Codes and parts of the key among them."""
        self._unmapped: list[Value] = []
        """The name of a field whose code the mapping does not know, else null; one value for each coded field."""
        self._endless = layers.add("false")
        """Whether the row's end of validity means that there is none."""
        kinds = {name: field.kind for name, field in catalog.standard_fields(feed.dataset).items()}
        self._is_plain = _plainness(layers, feed, kinds)

    def add_field(self, field: StandardField) -> None:
        """Add a standard field, from the feed's mapping for it; null without one."""
        sql_type = _SQL_TYPES.get(field.kind)
        if sql_type:
            self.derived[f"{field.field}_unparsed"] = self.nothing
        mapping = self.feed.fields.get(field.field)
        if mapping is None:
            self.fields[field.field] = self.layers.add(f"null::{sql_type}") if sql_type else self.nothing
        elif mapping.column is None:
            self._add_constant(field, mapping.constant)
        else:
            self._add_delivered(field, mapping, mapping.column)

    def _add_constant(self, field: StandardField, constant: str | None) -> None:
        sql_type = _SQL_TYPES.get(field.kind)
        literal = '{constant}::text collate "C"' if not sql_type else f"{{constant}}::{sql_type}"
        if field.kind == "end_date" and constant is not None and int(constant.replace("-", "")) in _FAR_DAYS:
            constant, self._endless = None, self.layers.add("true")
        if field.kind == "district" and constant is not None:
            constant = self.catalog.district_aliases.get(constant, constant)
        self.fields[field.field] = self.layers.add(literal, constant=constant)

    def _add_delivered(self, field: StandardField, mapping: FieldMapping, column: str) -> None:
        text = self._text_of_field(field, mapping, column)
        if field.kind in _SQL_TYPES:
            self._add_date(field, mapping, text)
        elif field.kind == "district":
            self._add_district(field, text)
        elif mapping.codes:
            self._add_coded(field, mapping.codes, text)
        else:
            self.fields[field.field] = self._texts[field.field] = text
            if field.kind in ("code", "identifier") or field.field in self.feed.key:
                self._uncoded[field.field] = text

    def _text_of_field(self, field: StandardField, mapping: FieldMapping, column: str) -> Value:
        """Return the cleaned text of a delivered column, without the prefix that the mapping removes."""
        text = _cleaned_text(
            self.layers,
            column,
            field.kind,
            _null_words_except_codes(self.catalog.null_words(self.feed, field.kind), mapping.codes),
            self._is_plain,
            case_sensitive=self.catalog.is_case_sensitive(self.feed, field.field),
        )
        if mapping.remove_prefix is not None:
            text = self.layers.add(
                "case when starts_with({0}, {prefix}) and {0} <> {prefix} then substr({0}, {begin}) else {0} end "
                'collate "C"',
                text,
                prefix=mapping.remove_prefix,
                begin=len(mapping.remove_prefix) + 1,
            )
        if field.field in _JOINING:
            text = self.layers.add('clean.comparison({0}) collate "C"', text)
        return text

    def _add_date(self, field: StandardField, mapping: FieldMapping, text: Value) -> None:
        dated = _date(self.layers, field.kind, mapping, text, self.catalog.null_days(self.feed, field.kind))
        self.fields[field.field], self.derived[f"{field.field}_unparsed"] = dated.value, dated.unparsed
        if dated.endless is not None:
            self._endless = dated.endless

    def _add_district(self, field: StandardField, text: Value) -> None:
        text = self.layers.add(
            'case when clean.is_whole_number({0}) then clean.whole_number({0}) else {0} end collate "C"', text
        )
        aliases = json.dumps(dict(self.catalog.district_aliases), ensure_ascii=False, sort_keys=True)
        # A code of 9 or 12 digits names a place inside a district: its first digits are looked up as well.
        self.fields[field.field] = self.layers.add(
            "coalesce({aliases}::jsonb ->> {0}, "
            "case when length({0}) between 9 and 12 and ltrim({0}, '0123456789') = '' then "
            'coalesce({aliases}::jsonb ->> left({0}, 9), {aliases}::jsonb ->> left({0}, 6)) end) collate "C"',
            text,
            aliases=aliases,
        )
        self.derived["district_delivered"] = text

    def _add_coded(self, field: StandardField, mapped_codes: Mapping[str, str], text: Value) -> None:
        codes = json.dumps(dict(mapped_codes), ensure_ascii=False, sort_keys=True)
        mapped = self.layers.add('({codes}::jsonb ->> {0}) collate "C"', text, codes=codes)
        self.fields[field.field] = mapped
        if field.field == "status":
            self.derived["status_unmapped"] = self.layers.add(
                'case when {1} is null then {0} end collate "C"', text, mapped
            )
        else:
            self._unmapped.append(
                self.layers.add(
                    "case when {1} is null and {0} is not null then {field}::text end",
                    text,
                    mapped,
                    field=field.field,
                )
            )

    def add_field_lists(self) -> None:
        """Add the names of the standard fields with an error cell, and of those with an unmapped code."""
        # Only text needs the check: an error cell is no date, no district and no code that a mapping knows.
        self.derived["error_cells"] = _fields_where(self.layers, "is_error_cell", self._texts, self.nothing)
        if self._unmapped:
            names = ", ".join(f"{{{i}}}" for i in range(len(self._unmapped)))
            self.derived["codes_unmapped"] = self.layers.add(
                f"nullif(concat_ws(',', {names}), '') collate \"C\"", *self._unmapped
            )

    def add_extension(self) -> None:
        """Add the extension fields as jsonb, and the names of those with an error cell."""
        null_words = self.catalog.null_words(self.feed, "extension")
        self._extension = {
            name: _cleaned_text(self.layers, mapping.column, "extension", null_words, self._is_plain)
            if mapping.column is not None
            else self.layers.add("{constant}::text", constant=mapping.constant)
            for name, mapping in self.feed.extension.items()
        }
        self.derived["extension"] = _jsonb(self.layers, self._extension)
        delivered = {
            name: self._extension[name] for name, mapping in self.feed.extension.items() if mapping.column is not None
        }
        self.derived["extension_error_cells"] = _fields_where(self.layers, "is_error_cell", delivered, self.nothing)

    def add_identity(self, landed_at: datetime) -> None:
        """Add which record the row is of, how new it is, and whether it deletes the record."""
        self.derived["codes_distorted"] = _fields_where(
            self.layers, _test_of_distortion(self.feed), self._uncoded, self.nothing
        )
        self.derived["record_key"], self.derived["key_unusable"] = _key(
            self.layers, self.feed, self.catalog, self.fields, self._uncoded
        )
        if self.feed.version == "source_updated_at":
            # A row without a time is delivered again every night: it must not be the newest version each time.
            self.derived["version_at"] = self.layers.add(
                "coalesce({0}, {undated}::timestamptz)", self.fields["source_updated_at"], undated=EARLIEST
            )
        else:
            self.derived["version_at"] = self.layers.add("{landed_at}::timestamptz", landed_at=landed_at)
        self.derived["removes"], self.derived["operation_unmapped"] = _operation(
            self.layers, self.feed, self.catalog, self.nothing, self._is_plain
        )

    def add_hashes(self, seed: int) -> None:
        """Add whether the validity has no end, the hash over what is stored, and that over what was received."""
        # The parts of the extension, with their names, hash in half the time of the jsonb value.
        hashed = [*self.fields.values(), *self._extension.values(), self.derived["district_delivered"]]
        if _END in self.fields:
            without_end = _without_end(self.layers, self.fields, self.derived, self._endless)
            self.derived[WITHOUT_END] = without_end
            # In the place of the end, so that rows with an end, or with nothing, keep the hash that they had before
            # this column was introduced.
            hashed[list(self.fields).index(_END)] = self.layers.add(
                "case when {1} then 'infinity'::date else {0} end", self.fields[_END], without_end
            )
        placeholders = ", ".join(f"{{{i}}}" for i in range(len(hashed)))
        self.derived["row_hash"] = self.layers.add(
            f"hash_record_extended(row({{names}}::text, {placeholders}), 0)",
            *hashed,
            names="|".join(self._extension),
        )
        # Sorted by name: another file may have the columns in another order.
        received = [self.layers.delivered(column) for column in sorted(self.feed.mapped_columns)]
        placeholders = ", ".join(f"{{{i}}}" for i in range(len(received)))
        self.derived["received_hash"] = self.layers.add(
            f"hash_record_extended(row({placeholders}), {{seed}}::bigint)", *received, seed=seed
        )


def _plainness(layers: Layers, feed: Feed, kinds: Mapping[str, str]) -> Value:
    """Return whether no text of the row, except codes, has an unusual character; `kinds` are those of the fields."""
    columns = {mapping.column for name, mapping in feed.fields.items() if kinds[name] not in _CODES}
    columns |= {mapping.column for mapping in feed.extension.values()}
    delivered = [layers.delivered(column) for column in sorted(column for column in columns if column is not None)]
    # One expression over all texts takes half the time of one expression for each.
    joined = " || ".join(f"coalesce({{{i}}}, '')" for i in range(len(delivered)))
    return layers.add(f"clean.is_plain({joined})" if delivered else "true", *delivered)


def _cleaned_text(
    layers: Layers,
    column: str,
    kind: str,
    null_words: Sequence[str],
    is_plain: Value,
    *,
    case_sensitive: bool = False,
) -> Value:
    """Clean one delivered column as text of a kind; NULL where it is blank or one of `null_words` (lower case)."""
    if kind in _CODES:
        function = "code_as_written" if case_sensitive else "code"
        cleaned = layers.add(f"clean.{function}({{0}})", layers.delivered(column))
    else:
        function = "trimmed" if kind in ("text", "extension") else "half_width"
        cleaned = layers.add(f"clean.{function}({{0}}, {{1}})", layers.delivered(column), is_plain)
    # Most values are longer than the longest null word, and need no comparison. With the collation "C", lower() changes
    # only ASCII letters; no null word needs more.
    return layers.add(
        'case when octet_length({0}) > {longest} or lower({0} collate "C") <> all({words}::text[]) then {0} end '
        'collate "C"',
        cleaned,
        longest=max(len(word.encode()) for word in null_words),
        words=list(null_words),
    )


def _null_words_except_codes(words: Sequence[str], codes: Mapping[str, object] | None) -> list[str]:
    """Return the null words that are none of the department's own codes."""
    own = {code.lower() for code in codes or ()}
    return [word for word in words if word not in own]


def _date_number(layers: Layers, text: Value, forms: Sequence[str]) -> Value:
    """Return the day of a text as a number (yyyymmdd), read in the first of `forms` that fits."""
    # One expression, so that a form is only tried when those before it did not fit. A time with a zone fits none: its
    # day is that of the moment in Asia/Shanghai.
    written = ", ".join(f"clean.date_{form}({{0}})" for form in forms)
    bare = written.replace("{0}", "clean.without_zone({0})")
    zoned = f"case when clean.has_zone({{0}}) then clean.city_day_number(coalesce({bare}), {{0}}) end"
    return layers.add(f"coalesce({written}, {zoned})", text)


def _moment(layers: Layers, text: Value, number: Value, forms: Sequence[str], *, is_date_only: bool = False) -> Value:
    """Return the moment of a text, whose day is `number`; where only days are sent, the end of the day."""
    of_serial = "clean.seconds_of_serial({0}), " if DateForm.SPREADSHEET_SERIAL in forms else ""
    seconds = layers.add(f"coalesce({of_serial}clean.seconds_of_day({{0}}))", text)
    bare = ", ".join(f"clean.date_{form}(clean.without_zone({{0}}))" for form in forms)
    moments = [
        # A time without a zone is in Asia/Shanghai, which the connection sets.
        "(clean.date_from_number({1})::timestamp + make_interval(secs => {2}))::timestamptz",
    ]
    if not set(forms).isdisjoint(EPOCH_FORMS):
        moments.insert(0, "clean.epoch_moment({0})")
    moment = f"coalesce({', '.join(moments)})"
    read = layers.add(
        # PostgreSQL has no day after 9999-12-31, and so no end of that day.
        "case when {1} < 99991231 then"
        f" case when clean.has_zone({{0}}) then clean.moment(coalesce({bare}), {{0}}) else {moment} end end",
        text,
        number,
        seconds,
    )
    # A text with 24:00 is the start of the next day and is not moved to that day's end.
    return layers.add("clean.end_of_bare_day({0}, {1})", read, seconds) if is_date_only else read


@dataclass(frozen=True)
class _Date:
    """A date or time, the text where it could not be read, and whether the text says that there is no end."""

    value: Value
    unparsed: Value
    endless: Value | None = None


def _date(layers: Layers, kind: str, mapping: FieldMapping, text: Value, null_days: Sequence[int]) -> _Date:
    """Read a text as the date or time of its kind; a day in `null_days` (yyyymmdd) is read as null."""
    forms = mapping.date_forms
    number = _date_number(layers, text, forms)
    arguments: list[Value] = [text, number]
    date = "clean.date_from_number({1})"
    if kind == "timestamp":
        arguments.append(_moment(layers, text, number, forms, is_date_only=mapping.date_only))
        date = "{2}"
    endless = None
    if kind == "end_date":
        # The far days mean "no end" in every form, also in one that the feed is not configured to write.
        every_form = tuple(dict.fromkeys((*forms, *DEFAULT_DATE_FORMS)))
        endless = layers.add(
            "coalesce(clean.is_without_end({0}) or {1} = any({far}::integer[]), false)",
            text,
            _date_number(layers, text, every_form),
            far=list(_FAR_DAYS),
        )
        arguments.append(endless)
        date = "case when not {2} then clean.date_from_number({1}) end"
    # Most dates are later than every null day, and need no search.
    value = layers.add(
        f"case when {{1}} > {{latest}} or {{1}} <> all({{days}}::integer[]) then {date} end",
        *arguments,
        latest=max(null_days, default=0),
        days=list(null_days),
    )
    has_end = "" if endless is None else " and not {3}"
    unparsed = layers.add(
        f"case when {{2}} is null and {{0}} is not null{has_end}"
        ' and not coalesce({1} = any({days}::integer[]), false) then {0} end collate "C"',
        text,
        number,
        value,
        *([] if endless is None else [endless]),
        days=list(null_days),
    )
    return _Date(value, unparsed, endless)


def _operation(layers: Layers, feed: Feed, catalog: Catalog, nothing: Value, is_plain: Value) -> tuple[Value, Value]:
    """Return whether the row deletes its certificate, and the operation that the mapping does not know, else null."""
    if feed.operation is None:
        return layers.add("false"), nothing
    words = _null_words_except_codes(catalog.null_words(feed, "code"), feed.operation.codes)
    text = _cleaned_text(layers, feed.operation.column, "code", words, is_plain)
    codes = json.dumps(dict(feed.operation.codes), ensure_ascii=False, sort_keys=True)
    operation = layers.add("{codes}::jsonb ->> {0}", text, codes=codes)
    return (
        layers.add("coalesce({0} = 'delete', false)", operation),
        layers.add("case when {1} is null then coalesce({0}, '') end collate \"C\"", text, operation),
    )


def _fields_where(layers: Layers, test: str, texts: Mapping[str, Value], nothing: Value) -> Value:
    """Return the names of the fields for whose text `clean.<test>` is true, comma separated; null if there is none."""
    if not texts:
        return nothing
    # The names are concatenated only in the few rows that have one.
    tests = [f"clean.{test}({{{i}}})" for i in range(len(texts))]
    named = (f"case when {one} then ({{names}}::text[])[{i}] end" for i, one in enumerate(tests, start=1))
    # Two fields may be mapped to one column.
    values = list(texts.values())
    different = [one for i, one in enumerate(tests) if values[i] not in values[:i]]
    return layers.add(
        f"case when {' or '.join(different)} then concat_ws(',', {', '.join(named)}) end collate \"C\"",
        *texts.values(),
        names=list(texts),
    )


def _test_of_distortion(feed: Feed) -> str:
    """Return the function of `clean` that detects codes that software changed."""
    return "is_distorted_cell" if feed.transport.is_spreadsheet else "is_distorted"


def _part_of_key(layers: Layers, feed: Feed, code: Value, *, is_uncoded: bool) -> Value:
    """Return a part of the key; null where software distorted it: two records could have got the same key."""
    if not is_uncoded or code.constant is not None:
        return layers.add('clean.comparison({0}) collate "C"', code)
    test = _test_of_distortion(feed)
    return layers.add(f'case when not clean.{test}({{0}}) then clean.comparison({{0}}) end collate "C"', code)


def _key(
    layers: Layers, feed: Feed, catalog: Catalog, values: Mapping[str, Value], uncoded: Mapping[str, Value]
) -> tuple[Value, Value]:
    """Return the record's key, and the part of it that is a phrase instead of a number, else null.

    A row with such a part has no key: two rows that both say "待办理" are not the same record. A row has no key either
    where a part that is stored as delivered (`uncoded`) is distorted.
    """
    fields = catalog.standard_fields(feed.dataset)
    parts = {field: _part_of_key(layers, feed, values[field], is_uncoded=field in uncoded) for field in feed.key}
    unusable = [
        layers.add('case when clean.is_no_number({0}) then {1} end collate "C"', part, values[field])
        for field, part in parts.items()
        if fields[field].kind in ("code", "identifier") and field not in _SEQUENCES
    ]
    joined = " || '|' || ".join(f"{{{i}}}" for i in range(len(parts)))
    if not unusable:
        return layers.add(f'{joined} collate "C"', *parts.values()), layers.add('null::text collate "C"')
    one = (
        unusable[0]
        if len(unusable) == 1
        else layers.add(
            "coalesce({})".format(", ".join(f"{{{i}}}" for i in range(len(unusable)))) + ' collate "C"', *unusable
        )
    )
    key = layers.add(f'case when {{{len(parts)}}} is null then {joined} end collate "C"', *parts.values(), one)
    return key, one


def _without_end(layers: Layers, fields: Mapping[str, Value], derived: Mapping[str, Value], endless: Value) -> Value:
    """Return whether the validity has no end: by the field of the end or, where that is empty, by a phrase."""
    validity = fields["validity"]
    if validity.constant is not None:
        return endless
    return layers.add(
        "{0} or ({1} is null and {2} is null and coalesce(clean.is_validity_without_end({3}), false))",
        endless,
        fields[_END],
        derived[f"{_END}_unparsed"],
        validity,
    )


def _jsonb(layers: Layers, values: Mapping[str, Value]) -> Value:
    """Return values by name as jsonb, without those that are null.

    `jsonb_object` reads two arrays of text in a third of the time of `jsonb_build_object`, which looks up the type of
    each argument in the catalog; and most rows have no null to leave out. The names are in the order of jsonb, shorter
    ones first, so that it need not sort them in every row.
    """
    names = sorted(values, key=lambda name: (len(name.encode()), name.encode()))
    listed = ", ".join(f"{{{i}}}" for i in range(len(values)))
    complete = f"jsonb_object({{names}}::text[], array[{listed}]::text[])"
    return layers.add(
        f"case when num_nulls({listed}) = 0 then {complete} else jsonb_strip_nulls({complete}) end"
        if values
        else complete,
        *(values[name] for name in names),
        names=names,
    )
