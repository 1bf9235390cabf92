"""The statement that cleans and types a batch, made from the feed's mapping.

The expressions are those of `sql/functions/clean.sql` and `clean_dates.sql`; which of them a field takes follows from
its kind in `standard_fields.csv`. They are laid in layers of subqueries, each value computed once: PostgreSQL inlines a
function only where its argument is a plain column.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from zhengku.catalog import Catalog, Feed, FieldMapping
from zhengku.catalog.department import DEFAULT_DATE_FORMS, EPOCH_FORMS, DateForm
from zhengku.errors import CatalogError
from zhengku.transports.source import EARLIEST

DATE_KINDS = ("date", "end_date", "timestamp")
"""Kinds whose text may be no date; such a field has a column `<field>_unparsed` beside it."""

_END = "valid_to"

WITHOUT_END = "valid_without_end"
"""Of a certificate: whether its validity was told to have no end; false where an end, or nothing, was told."""

_FAR_DAYS = (20991231, 99991231)
"""Days that systems write for a validity without end (yyyymmdd)."""

_SQL_TYPES = {"date": "date", "end_date": "date", "timestamp": "timestamptz"}


@dataclass(frozen=True)
class _Value:
    """A column of some layer: the layer that computes it, and its name; or what is the same in every row.

    That is written out wherever it is read: as a column it would cost every row a step in each layer.
    """

    layer: int
    name: str
    constant: sql.Composable | None = None

    @property
    def reference(self) -> sql.Composable:
        """What stands for the value in an expression."""
        return self.constant or sql.Identifier(self.name)


@dataclass(frozen=True)
class _Computed:
    value: _Value
    expression: sql.Composable
    reads: frozenset[str]
    """The names of the columns that it is made of."""


class _Layers:
    """Expressions by the layer that can compute them: one above the deepest of their arguments."""

    def __init__(self, source_columns: Sequence[str]) -> None:
        self._computed: dict[str, _Computed] = {}
        self._source = {column: _Value(0, f"c{number}") for number, column in enumerate(source_columns, start=1)}

    def delivered(self, column: str) -> _Value:
        return self._source[column]

    def add(self, template: str, *arguments: _Value, **literals: object) -> _Value:
        """Add `template`, in which `{0}`, `{1}` stand for arguments and `{name}` for literals."""
        expression = sql.SQL(template).format(
            *(argument.reference for argument in arguments),
            **{name: sql.Literal(value) for name, value in literals.items()},
        )
        read = [argument for argument in arguments if argument.constant is None]
        if not read:
            return _Value(0, "", sql.SQL("({})").format(expression))
        key = expression.as_string(None)
        if key not in self._computed:
            layer = 1 + max(argument.layer for argument in read)
            value = _Value(layer, f"v{len(self._computed) + 1}")
            self._computed[key] = _Computed(value, expression, frozenset(argument.name for argument in read))
        return self._computed[key].value

    def select(self, outputs: Mapping[str, _Value], source: sql.Composable) -> sql.Composed:
        """Return `select row_no, <outputs> from <layers over source>`."""
        by_layer: dict[int, list[_Computed]] = {}
        for computed in self._computed.values():
            by_layer.setdefault(computed.value.layer, []).append(computed)
        # What no layer above reads is left behind: each column costs every row a step in each layer.
        wanted = {value.name for value in outputs.values() if value.constant is None}
        selected: list[sql.Composable] = []
        for layer in sorted(by_layer, reverse=True):
            here = {one.value.name: one for one in by_layer[layer] if one.value.name in wanted}
            below = sorted(wanted - here.keys())
            made = [sql.SQL("{} as {}").format(one.expression, sql.Identifier(name)) for name, one in here.items()]
            selected.append(sql.SQL(", ").join([*map(sql.Identifier, below), *made]))
            wanted = {*below, *(name for one in here.values() for name in one.reads)}
        query: sql.Composable = sql.SQL("select * from {}").format(source)
        for number, columns in enumerate(reversed(selected), start=1):
            query = sql.SQL("select row_no, {columns}, clean.fence() as fence from ({below}) as layer_{number}").format(
                columns=columns, below=query, number=sql.SQL(str(number))
            )
        return sql.SQL("select row_no, {columns} from ({below}) as cleaned").format(
            columns=sql.SQL(", ").join(
                sql.SQL("{} as {}").format(value.reference, sql.Identifier(name)) for name, value in outputs.items()
            ),
            below=query,
        )


_CODES = ("code", "identifier")
"""Kinds of text that the functions for codes clean."""


def _plainness(layers: _Layers, feed: Feed, kinds: Mapping[str, str]) -> _Value:
    """Return whether no text of the row, codes apart, holds anything unusual; `kinds` are those of the fields."""
    columns = {mapping.column for name, mapping in feed.fields.items() if kinds[name] not in _CODES}
    columns |= {mapping.column for mapping in feed.extension.values()}
    delivered = [layers.delivered(column) for column in sorted(column for column in columns if column is not None)]
    # One expression looks through all of them in half the time that one for each takes.
    joined = " || ".join(f"coalesce({{{i}}}, '')" for i in range(len(delivered)))
    return layers.add(f"clean.is_plain({joined})" if delivered else "true", *delivered)


def _cleaned_text(
    layers: _Layers,
    column: str,
    kind: str,
    null_words: Sequence[str],
    is_plain: _Value,
    *,
    case_sensitive: bool = False,
) -> _Value:
    """Clean one delivered column as text of a kind; NULL where it is blank or one of `null_words` (lower case)."""
    if kind in _CODES:
        function = "code_as_written" if case_sensitive else "code"
        cleaned = layers.add(f"clean.{function}({{0}})", layers.delivered(column))
    else:
        function = "trimmed" if kind in ("text", "extension") else "half_width"
        cleaned = layers.add(f"clean.{function}({{0}}, {{1}})", layers.delivered(column), is_plain)
    # Most values are longer than the longest of the words. Under "C", lower() is a matter of bytes; no word needs more.
    return layers.add(
        'case when octet_length({0}) > {longest} or lower({0} collate "C") <> all({words}::text[]) then {0} end '
        'collate "C"',
        cleaned,
        longest=max(len(word.encode()) for word in null_words),
        words=list(null_words),
    )


def _words_but(words: Sequence[str], codes: Mapping[str, object] | None) -> list[str]:
    """Return the words for nothing that are none of the department's own codes."""
    own = {code.lower() for code in codes or ()}
    return [word for word in words if word not in own]


def _date_number(layers: _Layers, text: _Value, forms: Sequence[str]) -> _Value:
    # One expression, so that a form is only tried when those before it did not fit. A time with a zone fits none: it is
    # the city's day of that moment.
    written = ", ".join(f"clean.date_{form}({{0}})" for form in forms)
    bare = written.replace("{0}", "clean.without_zone({0})")
    zoned = f"case when clean.has_zone({{0}}) then clean.city_day_number(coalesce({bare}), {{0}}) end"
    return layers.add(f"coalesce({written}, {zoned})", text)


def _moment(
    layers: _Layers, text: _Value, number: _Value, forms: Sequence[str], *, is_date_only: bool = False
) -> _Value:
    of_serial = "clean.seconds_of_serial({0}), " if DateForm.SPREADSHEET_SERIAL in forms else ""
    seconds = layers.add(f"coalesce({of_serial}clean.seconds_of_day({{0}}))", text)
    bare = ", ".join(f"clean.date_{form}(clean.without_zone({{0}}))" for form in forms)
    moments = [
        # The department's clock is the city's: Asia/Shanghai, which the connection sets.
        "(clean.date_from_number({1})::timestamp + make_interval(secs => {2}))::timestamptz",
    ]
    if not set(forms).isdisjoint(EPOCH_FORMS):
        moments.insert(0, "clean.epoch_moment({0})")
    moment = f"coalesce({', '.join(moments)})"
    read = layers.add(
        # The day after the last one of the calendar has none.
        "case when {1} < 99991231 then"
        f" case when clean.has_zone({{0}}) then clean.moment(coalesce({bare}), {{0}}) else {moment} end end",
        text,
        number,
        seconds,
    )
    # Told as 24:00, the next day's begin is meant as it is.
    return layers.add("clean.end_of_bare_day({0}, {1})", read, seconds) if is_date_only else read


@dataclass(frozen=True)
class _Dated:
    """A date or time, the text where it could not be read, and whether the text says that there is no end."""

    value: _Value
    unparsed: _Value
    endless: _Value | None = None


def _typed(layers: _Layers, kind: str, mapping: FieldMapping, text: _Value, null_days: Sequence[int]) -> _Dated:
    forms = mapping.date_forms
    number = _date_number(layers, text, forms)
    told: list[_Value] = [text, number]
    date = "clean.date_from_number({1})"
    if kind == "timestamp":
        told.append(_moment(layers, text, number, forms, is_date_only=mapping.date_only))
        date = "{2}"
    endless = None
    if kind == "end_date":
        # The far days mean "no end" in every form, also in one that the feed does not say it writes.
        every_form = tuple(dict.fromkeys((*forms, *DEFAULT_DATE_FORMS)))
        endless = layers.add(
            "coalesce(clean.is_without_end({0}) or {1} = any({far}::integer[]), false)",
            text,
            _date_number(layers, text, every_form),
            far=list(_FAR_DAYS),
        )
        told.append(endless)
        date = "case when not {2} then clean.date_from_number({1}) end"
    # Most dates are later than every day that stands for none, which spares them the search.
    value = layers.add(
        f"case when {{1}} > {{latest}} or {{1}} <> all({{days}}::integer[]) then {date} end",
        *told,
        latest=max(null_days, default=0),
        days=list(null_days),
    )
    meant = "" if endless is None else " and not {3}"
    unparsed = layers.add(
        f"case when {{2}} is null and {{0}} is not null{meant}"
        ' and not coalesce({1} = any({days}::integer[]), false) then {0} end collate "C"',
        text,
        number,
        value,
        *([] if endless is None else [endless]),
        days=list(null_days),
    )
    return _Dated(value, unparsed, endless)


def _operation(
    layers: _Layers, feed: Feed, catalog: Catalog, nothing: _Value, is_plain: _Value
) -> tuple[_Value, _Value]:
    """Return whether the row deletes its certificate and, beside it, the operation that the mapping does not know."""
    if feed.operation is None:
        return layers.add("false"), nothing
    words = _words_but(catalog.null_words(feed, "code"), feed.operation.codes)
    text = _cleaned_text(layers, feed.operation.column, "code", words, is_plain)
    codes = json.dumps(dict(feed.operation.codes), ensure_ascii=False, sort_keys=True)
    operation = layers.add("{codes}::jsonb ->> {0}", text, codes=codes)
    return (
        layers.add("coalesce({0} = 'delete', false)", operation),
        layers.add("case when {1} is null then coalesce({0}, '') end collate \"C\"", text, operation),
    )


def _fields_where(layers: _Layers, test: str, texts: Mapping[str, _Value], nothing: _Value) -> _Value:
    """Return the names of the fields, of these, that `clean.<test>` is true of, comma separated; null without one."""
    if not texts:
        return nothing
    # The names are put together for the few rows that have one.
    tests = [f"clean.{test}({{{i}}})" for i in range(len(texts))]
    named = (f"case when {one} then ({{names}}::text[])[{i}] end" for i, one in enumerate(tests, start=1))
    # Two fields may have one column.
    values = list(texts.values())
    different = [one for i, one in enumerate(tests) if values[i] not in values[:i]]
    return layers.add(
        f"case when {' or '.join(different)} then concat_ws(',', {', '.join(named)}) end collate \"C\"",
        *texts.values(),
        names=list(texts),
    )


def _test_of_distortion(feed: Feed) -> str:
    """Return the function of `clean` that tells what software has made of a code."""
    return "is_distorted_cell" if feed.transport.is_spreadsheet else "is_distorted"


def _part_of_key(layers: _Layers, feed: Feed, code: _Value, *, is_uncoded: bool) -> _Value:
    """Return a part of the key; null where it is not what the department has: two records may have become one."""
    if not is_uncoded or code.constant is not None:
        return layers.add('clean.comparison({0}) collate "C"', code)
    test = _test_of_distortion(feed)
    return layers.add(f'case when not clean.{test}({{0}}) then clean.comparison({{0}}) end collate "C"', code)


_JOINING = ("case_number", "service_number", "evaluation_number", "result_number")
"""Fields by which cases, evaluations and results are joined with one another: they are stored as they are compared."""

_SEQUENCES = ("service_number", "result_number")
"""Key fields that count within a case, and may begin with 0."""


def _key(
    layers: _Layers, feed: Feed, catalog: Catalog, values: Mapping[str, _Value], uncoded: Mapping[str, _Value]
) -> tuple[_Value, _Value]:
    """Return the record's key and, where a part of it is no number, what stands there in its place.

    Such a row has no key: of two that say "待办理", the one is not the other come again. Nor has one of which a part,
    of those that come as they are (`uncoded`), is distorted.
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


def _without_end(
    layers: _Layers, outputs: Mapping[str, _Value], beside: Mapping[str, _Value], endless: _Value
) -> _Value:
    """Return whether the validity is told to have no end: by the end itself or, where that is empty, in words."""
    validity = outputs["validity"]
    if validity.constant is not None:
        return endless
    return layers.add(
        "{0} or ({1} is null and {2} is null and coalesce(clean.is_validity_without_end({3}), false))",
        endless,
        outputs[_END],
        beside[f"{_END}_unparsed"],
        validity,
    )


def _extension(layers: _Layers, values: Mapping[str, _Value]) -> _Value:
    """Return the fields as jsonb, without those that are null.

    `jsonb_object` reads two arrays of text in a third of the time that `jsonb_build_object`, which asks the catalog for
    the type of each argument, takes; and most rows have no null to leave out. Names come as jsonb orders them, shorter
    ones first, so that it need not sort them in every row.
    """
    names = sorted(values, key=lambda name: (len(name.encode()), name.encode()))
    listed = ", ".join(f"{{{i}}}" for i in range(len(values)))
    whole = f"jsonb_object({{names}}::text[], array[{listed}]::text[])"
    return layers.add(
        f"case when num_nulls({listed}) = 0 then {whole} else jsonb_strip_nulls({whole}) end" if values else whole,
        *(values[name] for name in names),
        names=names,
    )


def cleaning_query(
    feed: Feed,
    catalog: Catalog,
    delivered_columns: Sequence[str],
    landed_at: datetime,
    source: sql.Composable,
    seed: int = 0,
) -> sql.Composed:
    """Return the query that reads `source` (`row_no` and text columns `c1`, `c2`, … as delivered) as typed rows.

    Its columns: `row_no`, `record_key` (in the form in which codes are compared), `key_unusable` (what stands for a key
    and is none), the standard fields of the data set, `<field>_unparsed` for every date,
    `status_unmapped`, `codes_unmapped` (names of the other fields whose code the mapping does not know, comma
    separated), `error_cells` and `extension_error_cells` (names of standard and extension fields that hold the error of
    a spreadsheet's cell), `codes_distorted` (names of the fields whose code software has made a rounded number or a
    truth value of), `removes` (the row deletes its certificate), `operation_unmapped`, `district_delivered`,
    `extension` (jsonb), `version_at` (the row's own time of change, `EARLIEST` without one; or `landed_at`, as the feed
    says), `valid_without_end` (of certificates), `row_hash` (over all that is stored) and `received_hash` (from `seed`
    on, over the mapped columns as they came).
    Raises `CatalogError` when the delivery lacks a column that the mapping names.
    """
    missing = [column for column in feed.required_columns if column not in delivered_columns]
    if missing:
        raise CatalogError(f"Feed {feed.name}: the staged delivery lacks the mapped columns {', '.join(missing)}.")
    layers = _Layers(delivered_columns)
    nothing = layers.add('null::text collate "C"')
    outputs: dict[str, _Value] = {}
    beside: dict[str, _Value] = {
        "status_unmapped": nothing,
        "codes_unmapped": nothing,
        "codes_distorted": nothing,
        "district_delivered": nothing,
        "error_cells": nothing,
        "extension_error_cells": nothing,
    }
    texts: dict[str, _Value] = {}
    unmapped: list[_Value] = []
    uncoded: dict[str, _Value] = {}
    endless = layers.add("false")
    fields = catalog.standard_fields(feed.dataset)
    is_plain = _plainness(layers, feed, {name: field.kind for name, field in fields.items()})
    for field in fields.values():
        mapping = feed.fields.get(field.field)
        sql_type = _SQL_TYPES.get(field.kind)
        if sql_type:
            beside[f"{field.field}_unparsed"] = nothing
        if mapping is None:
            outputs[field.field] = layers.add(f"null::{sql_type}") if sql_type else nothing
            continue
        if mapping.column is None:
            literal = '{constant}::text collate "C"' if not sql_type else f"{{constant}}::{sql_type}"
            constant = mapping.constant
            if field.kind == "end_date" and constant is not None and int(constant.replace("-", "")) in _FAR_DAYS:
                constant, endless = None, layers.add("true")
            if field.kind == "district" and constant is not None:
                constant = catalog.district_aliases.get(constant, constant)
            outputs[field.field] = layers.add(literal, constant=constant)
            continue
        text = _cleaned_text(
            layers,
            mapping.column,
            field.kind,
            _words_but(catalog.null_words(feed, field.kind), mapping.codes),
            is_plain,
            case_sensitive=catalog.is_case_sensitive(feed, field.field),
        )
        if mapping.remove_prefix is not None:
            text = layers.add(
                "case when starts_with({0}, {prefix}) and {0} <> {prefix} then substr({0}, {begin}) else {0} end "
                'collate "C"',
                text,
                prefix=mapping.remove_prefix,
                begin=len(mapping.remove_prefix) + 1,
            )
        if field.field in _JOINING:
            text = layers.add('clean.comparison({0}) collate "C"', text)
        if sql_type:
            dated = _typed(layers, field.kind, mapping, text, catalog.null_days(feed, field.kind))
            outputs[field.field], beside[f"{field.field}_unparsed"] = dated.value, dated.unparsed
            if dated.endless is not None:
                endless = dated.endless
        elif field.kind == "district":
            text = layers.add(
                'case when clean.is_whole_number({0}) then clean.whole_number({0}) else {0} end collate "C"', text
            )
            aliases = json.dumps(dict(catalog.district_aliases), ensure_ascii=False, sort_keys=True)
            # A code of 9 or 12 digits names a place inside a district: its first digits are looked up as well.
            outputs[field.field] = layers.add(
                "coalesce({aliases}::jsonb ->> {0}, "
                "case when length({0}) between 9 and 12 and ltrim({0}, '0123456789') = '' then "
                'coalesce({aliases}::jsonb ->> left({0}, 9), {aliases}::jsonb ->> left({0}, 6)) end) collate "C"',
                text,
                aliases=aliases,
            )
            beside["district_delivered"] = text
        elif mapping.codes:
            codes = json.dumps(dict(mapping.codes), ensure_ascii=False, sort_keys=True)
            mapped = layers.add('({codes}::jsonb ->> {0}) collate "C"', text, codes=codes)
            outputs[field.field] = mapped
            if field.field == "status":
                beside["status_unmapped"] = layers.add('case when {1} is null then {0} end collate "C"', text, mapped)
            else:
                unmapped.append(
                    layers.add(
                        "case when {1} is null and {0} is not null then {field}::text end",
                        text,
                        mapped,
                        field=field.field,
                    )
                )
        else:
            outputs[field.field] = texts[field.field] = text
            if field.kind in ("code", "identifier") or field.field in feed.key:
                uncoded[field.field] = text
    # What is no text needs no such look: an error is no date, no district and no code that a mapping knows.
    beside["error_cells"] = _fields_where(layers, "is_error_cell", texts, nothing)
    if unmapped:
        names = ", ".join(f"{{{i}}}" for i in range(len(unmapped)))
        beside["codes_unmapped"] = layers.add(f"nullif(concat_ws(',', {names}), '') collate \"C\"", *unmapped)
    extension_words = catalog.null_words(feed, "extension")
    extension = {
        name: _cleaned_text(layers, mapping.column, "extension", extension_words, is_plain)
        if mapping.column is not None
        else layers.add("{constant}::text", constant=mapping.constant)
        for name, mapping in feed.extension.items()
    }
    beside["extension"] = _extension(layers, extension)
    delivered = {name: extension[name] for name, mapping in feed.extension.items() if mapping.column is not None}
    beside["extension_error_cells"] = _fields_where(layers, "is_error_cell", delivered, nothing)
    beside["codes_distorted"] = _fields_where(layers, _test_of_distortion(feed), uncoded, nothing)
    beside["record_key"], beside["key_unusable"] = _key(layers, feed, catalog, outputs, uncoded)
    if feed.version == "source_updated_at":
        # What bears no time comes again every night: it must not be the newest word each time.
        beside["version_at"] = layers.add(
            "coalesce({0}, {undated}::timestamptz)", outputs["source_updated_at"], undated=EARLIEST
        )
    else:
        beside["version_at"] = layers.add("{landed_at}::timestamptz", landed_at=landed_at)
    beside["removes"], beside["operation_unmapped"] = _operation(layers, feed, catalog, nothing, is_plain)
    # The parts of the extension, with their names, hash in half the time of the whole.
    hashed = [*outputs.values(), *extension.values(), beside["district_delivered"]]
    if _END in outputs:
        beside[WITHOUT_END] = _without_end(layers, outputs, beside, endless)
        # In the place of the end, so that only the hash of what is told to have none is another one than without this.
        hashed[list(outputs).index(_END)] = layers.add(
            "case when {1} then 'infinity'::date else {0} end", outputs[_END], beside[WITHOUT_END]
        )
    beside["row_hash"] = layers.add(
        "hash_record_extended(row({{names}}::text, {}), 0)".format(", ".join(f"{{{i}}}" for i in range(len(hashed)))),
        *hashed,
        names="|".join(extension),
    )
    # By name: another file may have them in another order.
    received = [layers.delivered(column) for column in sorted(feed.mapped_columns)]
    beside["received_hash"] = layers.add(
        "hash_record_extended(row({}), {{seed}}::bigint)".format(", ".join(f"{{{i}}}" for i in range(len(received)))),
        *received,
        seed=seed,
    )
    return layers.select({**outputs, **beside}, source)
