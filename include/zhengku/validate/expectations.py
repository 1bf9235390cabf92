"""Our own expectations, in addition to those of Great Expectations: conditions in SQL, named like the built-in ones.

A new rule is an entry of `expectations/<suite>.json`; `zhengku rules page` then writes `docs/rules.zh-CN.md` again.
Only when no existing expectation fits, other files change: this module (the expectation), `zhengku.validate.guidance`
(its words for departments) and, for a condition that needs a function in the database, `sql/functions/rules.sql`.

An expectation is a pair of classes. The metric says in SQL which rows are as expected. The expectation declares the
arguments of a suite's entry and names the metric:

>>> class ColumnValuesEndWith(ColumnMapMetricProvider):
...     condition_metric_name = "column_values.end_with"
...     condition_value_keys = ("ending",)
...
...     @column_condition_partial(engine=SqlAlchemyExecutionEngine)
...     def _sqlalchemy(cls, column: sa.ColumnElement[str], ending: str, **_: Any) -> Condition:
...         return column.endswith(ending)
>>> class ExpectColumnValuesToEndWith(ColumnMapExpectation):
...     ending: str
...
...     map_metric = "column_values.end_with"
...     success_keys = ("ending", "mostly")

The type of an entry is the name of the expectation in snake case. Building it checks its arguments:

>>> from pathlib import Path
>>> from zhengku.validate.run import build
>>> from zhengku.validate.suites import Rule, Suite
>>> entry = {
...     "type": "expect_column_values_to_end_with",
...     "kwargs": {"column": "certificate_number", "ending": "号"},
...     "severity": "warning",
...     "meta": {
...         "rule_id": "example.certificate_number.ending",
...         "reason_zh": "证照编号未以“号”结尾",
...         "standard": "示例",
...         "example": "鄂州字〔2026〕1",
...         "right_example": "鄂州字〔2026〕1号",
...         "fields": ["certificate_number"],
...     },
... }
>>> suite = Suite(name="example", path=Path("example.json"), rules=(Rule.model_validate(entry),))
>>> expectation = build(suite, suite.rules[0], parameters={})
>>> expectation.column, expectation.ending
('certificate_number', '号')

Null values are left out, as everywhere in Great Expectations. An expectation that must find nulls extends
`ExpectColumnValuesToNotBeNull` and its metric sets `filter_column_isnull = False`: `ColumnMapExpectation` takes more
failing rows than non-null values for an error of its own.

A rule for some rows has the argument `only_where`, and a comparison of two columns is an expectation of one of them:
Great Expectations reads the table again for every `row_condition` and every expectation of a pair of columns.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.expect_column_values_to_not_be_null import ExpectColumnValuesToNotBeNull
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)

from zhengku.clock import CITY_TIME_ZONE
from zhengku.validate.patterns import matches

Condition = sa.ColumnElement[bool]
OnlyWhere = dict[str, str] | None
"""Column → value: the rows that a rule checks."""


def _from_bytes(function: Any, *arguments: sa.ColumnElement[Any]) -> Condition:
    """Call a function of the schema `rules` on bytes that are computed once per row.

    The planner inlines the function because it sees plain columns; `offset 0` keeps the subquery from being flattened.
    A query with such a subquery runs in one process: where bytes are cheap to compute, pass them directly.
    """
    computed = sa.select(*(value.label(f"computed_{place}") for place, value in enumerate(arguments)))
    rows = computed.offset(sa.literal_column("0")).subquery("computed")
    result: Condition = sa.select(function(*rows.columns)).scalar_subquery()
    return result


def _bytes_of(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.clean.bytes_of(text)


def _field(column: sa.ColumnElement[Any], field: str) -> sa.ColumnElement[str]:
    """One extension field as text; null where the row lacks it."""
    return column.op("->>", return_type=sa.Text())(sa.literal(field, sa.Text()))


def _day(value: date | str) -> date:
    """Read a day, which Great Expectations passes as it is written in the suite."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def _where(only_where: OnlyWhere, condition: Condition) -> Condition:
    """Restrict the condition to rows whose columns have these values; all others are as expected."""
    if not only_where:
        return condition
    applies = sa.and_(*(sa.column(name) == sa.literal(value) for name, value in only_where.items()))
    return sa.case((applies, condition), else_=sa.true())


class ColumnValuesAreCreditCodes(ColumnMapMetricProvider):
    """Unified social credit codes with a valid check character."""

    condition_metric_name = "column_values.are_credit_codes"
    condition_value_keys = ("only_where", "unless_equal_to", "unless_where")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        column: sa.ColumnElement[str],
        only_where: OnlyWhere = None,
        unless_equal_to: str | None = None,
        unless_where: OnlyWhere = None,
        **_: Any,
    ) -> Condition:
        condition: Condition = sa.func.rules.is_credit_code(_bytes_of(column))
        if unless_equal_to is not None:
            elsewhere = [sa.column(name) == sa.literal(value) for name, value in (unless_where or {}).items()]
            condition = sa.case((sa.and_(column == sa.column(unless_equal_to), *elsewhere), sa.true()), else_=condition)
        return _where(only_where, condition)


class ExpectColumnValuesToBeCreditCode(ColumnMapExpectation):
    """Expect unified social credit codes (GB 32100-2015).

    A code that equals the column `unless_equal_to`, in rows where the columns of `unless_where` have these values, is
    checked only by the rule for that column, so that one wrong code is reported once.
    """

    only_where: OnlyWhere = None
    unless_equal_to: str | None = None
    unless_where: OnlyWhere = None

    map_metric = "column_values.are_credit_codes"
    success_keys = ("only_where", "unless_equal_to", "unless_where", "mostly")


class ColumnValuesAreIdentityNumbers(ColumnMapMetricProvider):
    """Resident identity numbers of people born on or before a day."""

    condition_metric_name = "column_values.are_identity_numbers"
    condition_value_keys = ("on_day", "only_where")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        column: sa.ColumnElement[str],
        on_day: date,
        only_where: OnlyWhere = None,
        **_: Any,
    ) -> Condition:
        return _where(only_where, sa.func.rules.is_identity_number(_bytes_of(column), sa.literal(_day(on_day))))


class ExpectColumnValuesToBeIdentityNumber(ColumnMapExpectation):
    """Expect resident identity numbers (GB 11643-1999) of people born on or before `on_day`."""

    on_day: date
    only_where: OnlyWhere = None

    map_metric = "column_values.are_identity_numbers"
    success_keys = ("on_day", "only_where", "mostly")


class ColumnValuesMatchRegex(ColumnMapMetricProvider):
    """Text that a regular expression of PostgreSQL matches; replaces the slower condition of Great Expectations."""

    condition_metric_name = "column_values.match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], regex: str, **_: Any) -> Condition:
        return matches(column, regex)


class ColumnValuesMatchPattern(ColumnMapMetricProvider):
    """Text that a regular expression of PostgreSQL matches."""

    condition_metric_name = "column_values.match_pattern"
    condition_value_keys = ("pattern", "only_where")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        column: sa.ColumnElement[str],
        pattern: str,
        only_where: OnlyWhere = None,
        **_: Any,
    ) -> Condition:
        return _where(only_where, matches(column, pattern))


class ExpectColumnValuesToMatchPatternWhere(ColumnMapExpectation):
    """Expect text that the regular expression matches, in the rows that `only_where` selects."""

    pattern: str
    only_where: OnlyWhere = None

    map_metric = "column_values.match_pattern"
    success_keys = ("pattern", "only_where", "mostly")


class ColumnValuesEqualColumn(ColumnMapMetricProvider):
    """Values equal to those of another column, where that has one."""

    condition_metric_name = "column_values.equal_column"
    condition_value_keys = ("other_column", "only_where")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        column: sa.ColumnElement[Any],
        other_column: str,
        only_where: OnlyWhere = None,
        **_: Any,
    ) -> Condition:
        other: sa.ColumnClause[Any] = sa.column(other_column)
        return _where(only_where, sa.or_(other.is_(None), column == other))


class ExpectColumnValuesToEqualColumn(ColumnMapExpectation):
    """Expect the value of `other_column`, unless that is null."""

    other_column: str
    only_where: OnlyWhere = None

    map_metric = "column_values.equal_column"
    success_keys = ("other_column", "only_where", "mostly")


class ColumnValuesNotBeforeColumn(ColumnMapMetricProvider):
    """Dates not before those of another column, where that has one."""

    condition_metric_name = "column_values.not_before_column"
    condition_value_keys = ("other_column",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[Any], other_column: str, **_: Any) -> Condition:
        other: sa.ColumnClause[Any] = sa.column(other_column)
        return sa.or_(other.is_(None), column >= other)


class ExpectColumnDatesNotBeforeColumn(ColumnMapExpectation):
    """Expect dates on or after that of `other_column`, unless that is null."""

    other_column: str

    map_metric = "column_values.not_before_column"
    success_keys = ("other_column", "mostly")


class ColumnTextLengthBetween(ColumnMapMetricProvider):
    """Text of some number of characters."""

    condition_metric_name = "column_values.text_length_between"
    condition_value_keys = ("least", "greatest")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], least: int, greatest: int, **_: Any) -> Condition:
        return sa.func.length(column).between(least, greatest)


class ExpectColumnTextLengthToBeBetween(ColumnMapExpectation):
    """Expect text of `least` to `greatest` characters (the built-in one reads the table again)."""

    least: int
    greatest: int

    map_metric = "column_values.text_length_between"
    success_keys = ("least", "greatest", "mostly")


class ColumnValuesAtMostBySize(ColumnMapMetricProvider):
    """Numbers not above a bound that depends on a size in another column."""

    condition_metric_name = "column_values.at_most_by_size"
    condition_value_keys = ("size_column", "greatest")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls, column: sa.ColumnElement[Any], size_column: str, greatest: dict[str, float], **_: Any
    ) -> Condition:
        size: sa.ColumnClause[int] = sa.column(size_column)
        steps = sorted(((int(least), bound) for least, bound in greatest.items()), reverse=True)
        return sa.case(*((size >= least, column <= bound) for least, bound in steps), else_=sa.true())


class ExpectColumnValuesAtMostBySize(ColumnMapExpectation):
    """Expect numbers of at most the bound of the largest size in `greatest` that `size_column` reaches.

    `greatest` has size → bound; where the size reaches none, any number is right.
    """

    size_column: str
    greatest: dict[str, float]

    map_metric = "column_values.at_most_by_size"
    success_keys = ("size_column", "greatest", "mostly")


class ColumnValuesAreCertificateIdentifiers(ColumnMapMetricProvider):
    """Certificate identifiers with a valid check character."""

    condition_metric_name = "column_values.are_certificate_identifiers"

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], **_: Any) -> Condition:
        return _from_bytes(
            sa.func.rules.is_certificate_identifier, _bytes_of(column), sa.func.rules.identifier_check_input(column)
        )


class ExpectColumnValuesToBeCertificateIdentifier(ColumnMapExpectation):
    """Expect certificate identifiers (GB/T 36904-2018)."""

    map_metric = "column_values.are_certificate_identifiers"


class ColumnDatesBetween(ColumnMapMetricProvider):
    """Dates from one day to another, both included."""

    condition_metric_name = "column_values.dates_between"
    condition_value_keys = ("earliest", "latest")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        column: sa.ColumnElement[date],
        earliest: date | None,
        latest: date | None,
        **_: Any,
    ) -> Condition:
        bounds: list[Condition] = []
        if earliest is not None:
            bounds.append(column >= sa.literal(_day(earliest)))
        if latest is not None:
            bounds.append(column <= sa.literal(_day(latest)))
        return sa.and_(sa.true(), *bounds)


class ExpectColumnDatesToBeBetween(ColumnMapExpectation):
    """Expect dates from `earliest` to `latest`, both included; a bound may be left out."""

    earliest: date | None = None
    latest: date | None = None

    map_metric = "column_values.dates_between"
    success_keys = ("earliest", "latest", "mostly")


class ColumnTimesNotAfterDay(ColumnMapMetricProvider):
    """Points in time before the end of a day in Asia/Shanghai."""

    condition_metric_name = "column_values.times_not_after_day"
    condition_value_keys = ("latest", "days_later")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        column: sa.ColumnElement[Any],
        latest: date,
        days_later: int,
        **_: Any,
    ) -> Condition:
        # The time zone is explicit, so that the result does not depend on the session's time zone.
        midnight = sa.cast(sa.literal(_day(latest) + timedelta(days=days_later + 1)), sa.TIMESTAMP(timezone=False))
        return column < sa.func.timezone(sa.literal(CITY_TIME_ZONE.key), midnight)


class ExpectColumnTimesNotAfterDay(ColumnMapExpectation):
    """Expect points in time not after the day that is `days_later` days after `latest` (days in Asia/Shanghai)."""

    latest: date
    days_later: int = 0

    map_metric = "column_values.times_not_after_day"
    success_keys = ("latest", "days_later", "mostly")


class ColumnValuesDelivered(ColumnMapMetricProvider):
    """Values that were delivered, whether they could be used or not."""

    condition_metric_name = "column_values.delivered"
    condition_value_keys = ("unusable_columns",)
    filter_column_isnull = False

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[Any], unusable_columns: Sequence[str], **_: Any) -> Condition:
        return sa.or_(column.is_not(None), *(_delivered_unusable(column, name) for name in unusable_columns))


def _delivered_unusable(column: sa.ColumnElement[Any], unusable: str) -> sa.ColumnElement[bool]:
    """Return whether a column with unusable values shows that this column was delivered."""
    delivered: sa.ColumnClause[Any] = sa.column(unusable)
    if unusable != "codes_unmapped":
        return delivered.is_not(None)
    # The column lists field names, comma separated: an unmapped code of another field does not count.
    names = sa.func.concat(",", delivered, ",")
    return sa.func.strpos(names, f",{column.name},") > 0


class ExpectColumnValuesToBeDelivered(ExpectColumnValuesToNotBeNull):
    """Expect a value in the column or, where it could not be used, in one of `unusable_columns`.

    So a delivered text that is no date fails only the rule about its form, and not also this one about its presence. In
    `codes_unmapped`, which lists field names, only the column's own name counts.
    """

    unusable_columns: list[str]

    map_metric = "column_values.delivered"
    success_keys = ("unusable_columns", "mostly")


class ColumnValuesRecognized(ColumnMapMetricProvider):
    """Delivered values that one of our reference tables has."""

    condition_metric_name = "column_values.recognized"
    condition_value_keys = ("found_column",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[Any], found_column: str, **_: Any) -> Condition:
        return sa.column(found_column).is_not(None)


class ExpectColumnValuesToBeRecognized(ColumnMapExpectation):
    """Expect a value in `found_column`, found in a reference table, wherever the column has a delivered value."""

    found_column: str

    map_metric = "column_values.recognized"
    success_keys = ("found_column", "mostly")


class ColumnExtensionFieldPresent(ColumnMapMetricProvider):
    """Extension fields that hold text."""

    condition_metric_name = "column_values.extension_field_present"
    condition_value_keys = ("field",)
    filter_column_isnull = False

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[Any], field: str, **_: Any) -> Condition:
        return sa.func.coalesce(_field(column, field), sa.literal_column("''")) != sa.literal_column("''")


class ExpectExtensionFieldToBePresent(ExpectColumnValuesToNotBeNull):
    """Expect that `field` of a JSON column of extension fields holds text."""

    field: str

    map_metric = "column_values.extension_field_present"
    success_keys = ("field", "mostly")


class ColumnExtensionFieldMatchesPattern(ColumnMapMetricProvider):
    """Extension fields that a regular expression of PostgreSQL matches."""

    condition_metric_name = "column_values.extension_field_matches_pattern"
    condition_value_keys = ("field", "pattern")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[Any], field: str, pattern: str, **_: Any) -> Condition:
        return sa.func.coalesce(matches(_field(column, field), pattern), sa.true())


class ExpectExtensionFieldToMatchPattern(ColumnMapExpectation):
    """Expect that the regular expression matches `field` of a JSON column, in rows that have the field."""

    field: str
    pattern: str

    map_metric = "column_values.extension_field_matches_pattern"
    success_keys = ("field", "pattern", "mostly")


class ColumnExtensionFieldEqualsColumn(ColumnMapMetricProvider):
    """Extension fields equal to a column, where both have a value."""

    condition_metric_name = "column_values.extension_field_equals_column"
    condition_value_keys = ("field", "other_column")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[Any], field: str, other_column: str, **_: Any) -> Condition:
        return sa.func.coalesce(_field(column, field) == sa.column(other_column), sa.true())


class ExpectExtensionFieldToEqualColumn(ColumnMapExpectation):
    """Expect that `field` of a JSON column has the value of `other_column`, in rows that have both."""

    field: str
    other_column: str

    map_metric = "column_values.extension_field_equals_column"
    success_keys = ("field", "other_column", "mostly")


class ColumnExtensionFieldIsCreditCode(ColumnMapMetricProvider):
    """Extension fields that are unified social credit codes."""

    condition_metric_name = "column_values.extension_field_is_credit_code"
    condition_value_keys = ("field",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[Any], field: str, **_: Any) -> Condition:
        text = _field(column, field)
        return sa.or_(text.is_(None), _from_bytes(sa.func.rules.is_credit_code, _bytes_of(text)))


class ExpectExtensionFieldToBeCreditCode(ColumnMapExpectation):
    """Expect that `field` of a JSON column is a unified social credit code (GB 32100-2015), in rows that have it."""

    field: str

    map_metric = "column_values.extension_field_is_credit_code"
    success_keys = ("field", "mostly")


class ColumnValuesStartWithColumn(ColumnMapMetricProvider):
    """Text that starts with the value of another column, where that has one."""

    condition_metric_name = "column_values.start_with_column"
    condition_value_keys = ("other_column", "only_where")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls, column: sa.ColumnElement[str], other_column: str, only_where: OnlyWhere = None, **_: Any
    ) -> Condition:
        starts = sa.func.starts_with(column, sa.column(other_column))
        return _where(only_where, sa.func.coalesce(starts, sa.true()))


class ExpectColumnValuesToStartWithColumn(ColumnMapExpectation):
    """Expect text that starts with the value of `other_column`, unless that is null."""

    other_column: str
    only_where: OnlyWhere = None

    map_metric = "column_values.start_with_column"
    success_keys = ("other_column", "only_where", "mostly")


class ColumnDatesNotLongAfterColumn(ColumnMapMetricProvider):
    """Dates at most some time after those of another column, where that has one."""

    condition_metric_name = "column_values.dates_not_long_after_column"
    condition_value_keys = ("other_column", "years", "days")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls, column: sa.ColumnElement[date], other_column: str, years: int = 0, days: int = 0, **_: Any
    ) -> Condition:
        other: sa.ColumnClause[date] = sa.column(other_column, sa.Date())
        # make_interval(years, months, weeks, days): by the calendar, so that leap years need no tolerance.
        latest = other + sa.func.make_interval(years, 0, 0, days)
        return sa.or_(other.is_(None), column <= latest)


class ExpectColumnDatesNotLongAfterColumn(ColumnMapExpectation):
    """Expect dates at most `years` and `days` after that of `other_column`, unless that is null."""

    other_column: str
    years: int = 0
    days: int = 0

    map_metric = "column_values.dates_not_long_after_column"
    success_keys = ("other_column", "years", "days", "mostly")


class ColumnValuesAreFoodLicenseNumbers(ColumnMapMetricProvider):
    """Numbers of food licenses with a valid check digit."""

    condition_metric_name = "column_values.are_food_license_numbers"
    condition_value_keys = ("letters",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], letters: str, **_: Any) -> Condition:
        return sa.and_(
            sa.func.starts_with(column, sa.literal(letters)), sa.func.rules.is_food_license_number(_bytes_of(column))
        )


class ExpectColumnValuesToBeFoodLicenseNumber(ColumnMapExpectation):
    """Expect `letters` (JY: business, SC: production) and 14 digits, the last a check digit (GB/T 17710 MOD 11,10)."""

    letters: str

    map_metric = "column_values.are_food_license_numbers"
    success_keys = ("letters", "mostly")


class ColumnRecordsHaveOneHolder(ColumnMapMetricProvider):
    """Records that are in the delivery once, or with one holder."""

    condition_metric_name = "column_values.records_have_one_holder"
    condition_value_keys = ("how",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], how: str, **_: Any) -> Condition:
        shared = sa.table("shared_row", sa.column("row_no"), sa.column("how"))
        return sa.column("row_no").not_in(sa.select(shared.c.row_no).where(shared.c.how == sa.literal(how)))


class ExpectRecordsToHaveOneHolder(ColumnMapExpectation):
    """Expect that the rows of a key that fail no critical rule name one holder.

    `how`: `other_holder` for rows of several holders, `other_name` for those of one whose name or code differs. The
    staging table `shared_row` lists them; it is written after the other rules have been checked.
    """

    how: str

    map_metric = "column_values.records_have_one_holder"
    success_keys = ("how", "mostly")


class ColumnNamesAreReadable(ColumnMapMetricProvider):
    """Readable names."""

    condition_metric_name = "column_values.names_are_readable"

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], **_: Any) -> Condition:
        return sa.func.rules.is_readable_name(column)


class ExpectColumnNamesToBeReadable(ColumnMapExpectation):
    """Expect names without replacement, control or private-use characters, and none that a wrong encoding made."""

    map_metric = "column_values.names_are_readable"


class ColumnNamesAreUndoubted(ColumnMapMetricProvider):
    """Names without hidden or lost characters."""

    condition_metric_name = "column_values.names_are_undoubted"

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], **_: Any) -> Condition:
        return sa.func.rules.is_undoubted_name(column)


class ExpectColumnNamesToBeUndoubted(ColumnMapExpectation):
    """Expect names of which no character was hidden or lost; unreadable names fail another rule."""

    map_metric = "column_values.names_are_undoubted"


class ColumnValuesNotMadeUp(ColumnMapMetricProvider):
    """Codes that are not obviously made up."""

    condition_metric_name = "column_values.not_made_up"

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: sa.ColumnElement[str], **_: Any) -> Condition:
        return sa.not_(sa.func.rules.is_made_up(column))


class ExpectColumnValuesNotToBeMadeUp(ColumnMapExpectation):
    """Expect codes that are not obviously made up: not one repeated character, nor digits counted up or down."""

    map_metric = "column_values.not_made_up"


class ColumnExtensionFieldAgreesWithIdentityNumber(ColumnMapMetricProvider):
    """Extension fields with the sex or birthday that the holder's resident identity number has."""

    condition_metric_name = "column_values.extension_field_agrees_with_identity_number"
    condition_value_keys = ("field", "about", "only_where")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls, column: sa.ColumnElement[Any], field: str, about: str, only_where: OnlyWhere = None, **_: Any
    ) -> Condition:
        agrees = {"sex": sa.func.rules.agrees_on_sex, "birthday": sa.func.rules.agrees_on_birthday}[about]
        text = _field(column, field)
        code: sa.ColumnClause[str] = sa.column("holder_code")
        return _where(
            only_where, sa.case((text.is_(None), sa.true()), else_=sa.func.coalesce(agrees(code, text), sa.true()))
        )


class ExpectExtensionFieldToAgreeWithIdentityNumber(ColumnMapExpectation):
    """Expect that `field` of a JSON column has the holder's sex or birthday (`about`) as the identity number has it.

    Text that cannot be read as either is left to other rules.
    """

    field: str
    about: Literal["sex", "birthday"]
    only_where: OnlyWhere = None

    map_metric = "column_values.extension_field_agrees_with_identity_number"
    success_keys = ("field", "about", "only_where", "mostly")
