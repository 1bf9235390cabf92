"""How a system writes a case, a result or an evaluation: tidily, untidily or wrongly; see `dirt` for certificates.

`write` and `write_untidily` do not change the meaning of the record; `BREAKS` are the ways to make a row that must be
quarantined, each with all critical rules that it fails. The rule ids are written here independently of the suites.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final

from simulator.dirt import NOTHING, TIME_FORM, WIDE, Written, as_stamp, untidy_text
from simulator.model import HttpPlace, SourceSystem, TablePlace
from simulator.service_records import (
    BAD,
    HIDDEN_NAME,
    LOST_NAME,
    NOWHERE,
    Evaluation,
    Record,
    ServiceCase,
    dialect_of,
    district_form,
)
from simulator.service_sources import KEYS, LAST_SECOND, TimeForm

TIMES: Final = frozenset(
    {"accepted_at", "finished_at", "evaluated_at", "called_back_at", "rectified_at", "produced_at"}
)
_CODES: Final = frozenset(
    {
        "case_number", "service_number", "service_item_code", "phone", "evaluation_number", "device",
        "evaluation_window", "result_number", "certificate_number",
    }
)  # fmt: skip
_NAMES: Final = frozenset(
    {
        "service_item_name",
        "applicant",
        "handling_department",
        "hall",
        "window",
        "handler",
        "certificate_name",
        "issuing_authority",
    }
)

_EXPECTED: Final[Mapping[str, tuple[str, ...]]] = {
    "service_case": (
        "case_kind", "service_item_code", "service_item_name", "applicant", "phone", "accepted_at",
        "handling_department", "hall", "handler",
    ),
    "case_result": ("issuing_authority",),
    "evaluation": ("is_real_name", "evaluation_channel"),
}  # fmt: skip
_NOT_BEFORE: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "service_case": (("finished_at", "accepted_at"),),
    "case_result": (),
    "evaluation": (("called_back_at", "evaluated_at"), ("rectified_at", "evaluated_at")),
}

_UNCLEAR_EVERY: Final = 23
"""One of so many rows of a system may be made unclear."""

UNDATED: Final = datetime(9000, 1, 1)
"""The version of a row whose time cannot be read: its mistakes are never out of date."""


def as_moment(at: datetime, form: TimeForm) -> str:
    """Return a time in a system's form."""
    match form:
        case "slash":
            return f"{at.year}/{at.month}/{at.day} {at.hour}:{at:%M:%S}"
        case "compact":
            return f"{at:%Y%m%d%H%M%S}"
        case "chinese":
            return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M:%S}"
        case _:
            return at.strftime(TIME_FORM)


def _as_day(at: datetime) -> str:
    """Write a day without its time: as a day, or as a moment in a database that has only moments."""
    return f"{at:%Y%m%d}" if at.day % 2 else f"{at:%Y%m%d}000000"


def write(system: SourceSystem, record: Record, changed_at: datetime) -> Written:
    """Write a record tidily, in its system's words."""
    dialect = dialect_of(record)
    written = Written({})
    for name in dialect.columns:
        if name == "source_updated_at":
            written.values[name] = as_stamp(system, changed_at)
            continue
        value = getattr(record, name)
        if name == "district":
            value = district_form(record)
        elif value is not None and name in TIMES:
            is_day = name in dialect.days_only and value.time() == LAST_SECOND
            value = _as_day(value) if is_day else as_moment(value, dialect.time_form)
        elif value is not None and name in dialect.codes:
            value = dialect.codes[name][value]
        written.values[name] = value
    # One system writes the province before the numbers of cases, but sometimes not before those that start with a
    # bureau's own letters.
    if dialect.case_prefix and (record.key[-1] in "02468" or not is_from_a_bureau(record)):
        written.values["case_number"] = f"{dialect.case_prefix}{written.values['case_number']}"
    return written


def is_from_a_bureau(record: Record) -> bool:
    """Return whether the number of the case is of a bureau's own system, and so has no prefix of the province."""
    return record.case_number.startswith("XN")


def write_untidily(written: Written, record: Record, chance: Random) -> None:
    """Make a time and two to four other values untidy; cleaning gives the same record."""
    dialect = dialect_of(record)
    values = written.values
    untidy = chance.sample(sorted(values), min(len(values), 2 + chance.randrange(3)))
    times = sorted(name for name in TIMES & values.keys() if values[name] is not None)
    if times and (time_name := chance.choice(times)) not in untidy:
        untidy.append(time_name)
    for name in untidy:
        value = values[name]
        if name in ("source_updated_at", "operation"):
            continue
        if value is None:
            values[name] = chance.choice(NOTHING)
        elif name in TIMES:
            values[name] = _untidy_moment(getattr(record, name), chance)
        elif isinstance(value, int):
            values[name] = f" {value}"
        elif isinstance(value, str):
            is_code = name in _CODES or name in dialect.codes
            values[name] = untidy_text(value, chance, is_code=is_code, is_name=name in _NAMES)


def make_unclear(written: Written, record: Record, number: int) -> frozenset[str]:
    """Write into some evaluations an unreadable time of a call-back or a rectification that did not happen.

    Return the rules that only warn and that the row fails then.
    """
    if number % _UNCLEAR_EVERY or not isinstance(record, Evaluation):
        return frozenset()
    names = [name for name in ("called_back_at", "rectified_at") if getattr(record, name) is None]
    for name in names:
        written.values[name] = "已处理"
    return frozenset(_rule(record, f"{name}.parseable") for name in names)


def _untidy_moment(at: datetime, chance: Random) -> str:
    form: TimeForm = chance.choice(("iso", "slash", "compact", "chinese"))
    text = as_moment(at, form)
    how = chance.randrange(3)
    if how == 0:
        return f" {text}　"
    return text.translate(WIDE) if how == 1 else text


@dataclass(frozen=True)
class Broken:
    """What a break did: the rules that the row fails, its key, and the version that it shows.

    A `torn` row is no record at all, and one that `removes` deletes. `version` is None where the row has its correct
    time; a `timeless` row has none, so that every reading of a table returns it. `reads` are the fields that are read
    differently, None where nothing can be read, and `warns` are further rules that fail, and only warn.
    """

    rules: tuple[str, ...]
    key: str | None
    torn: bool = False
    removes: bool = False
    version: datetime | None = None
    timeless: bool = False
    reads: Mapping[str, object] = field(default_factory=dict)
    warns: tuple[str, ...] = ()

    def keeps(self, record: Record) -> bool:
        """Return whether the row still has the record's key and its correct time."""
        return self.key == record.key and self.version is None


def warnings(record: Record, reads: Mapping[str, object] | None = None) -> frozenset[str]:
    """Return the rules that only warn and that a record fails, by its own fields, or else by `reads`.

    A value that exists but cannot be read is not missing: a field in `reads` never fails a rule of missing values.
    """
    reads = reads or {}
    values = {**vars(record), **reads}
    missing = [name for name in _EXPECTED[record.dataset] if values[name] is None and name not in reads]
    failed = {f"{name}.present" for name in missing}
    for name in ("applicant", "handling_department", "issuing_authority"):
        if values.get(name) in (HIDDEN_NAME, LOST_NAME):
            failed.add(f"{name}.undoubted")
    for name, other in _NOT_BEFORE[record.dataset]:
        at, earliest = values[name], values[other]
        if at is not None and earliest is not None and at < earliest:
            failed.add(f"{name}.not_before_{other}")
    if isinstance(record, ServiceCase):
        if record.district is None:
            failed.add("district.known")
        elif record.district == NOWHERE:
            failed.add("district.present")
        if record.phone is not None and len(record.phone) != len("19900000001"):
            failed.add("phone.form")
    elif isinstance(record, Evaluation) and values["level"] in BAD and record.reason is None:
        failed.add("reason.present_if_bad")
    return frozenset(_rule(record, rule) for rule in failed)


Break = Callable[[SourceSystem, Record, Written, Random], Broken | None]
"""Makes a row wrong; returns None, and leaves the row as it was, where the system cannot have this mistake."""


def _rule(record: Record, rule: str) -> str:
    return f"{record.dataset}.{rule}"


def _without(name: str, *rules: str, of: tuple[str, str] | None = None) -> Break:
    """Return a break that leaves a value out, with the rules that then fail; `of` is a field and its required value."""

    def broken(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
        if name not in written.values or (of is not None and getattr(record, of[0]) != of[1]):
            return None
        written.values[name] = chance.choice((None, *NOTHING))
        in_key = name in KEYS[record.dataset]
        failed = (*(("record_key.present",) if in_key else ()), *rules)
        return Broken(tuple(_rule(record, rule) for rule in failed), None if in_key else record.key, reads={name: None})

    return broken


def _with(name: str, wrong: str, rule: str, reads: datetime | None = None) -> Break:
    """Return a break that sets a value, no part of a key, to a wrong one; `reads` is the value that is read of it."""

    def broken(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
        if name not in written.values:
            return None
        written.values[name] = wrong
        return Broken((_rule(record, rule),), record.key, reads={name: reads})

    return broken


def _error_cell(name: str) -> Break:
    """Return a break that sets a text, no part of a key, to what a spreadsheet shows where a formula fails."""

    def broken(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
        if name not in written.values:
            return None
        written.values[name] = chance.choice(("#N/A", "#REF!", "########"))
        return Broken((_rule(record, "error_cells.none"),), record.key, reads={name: written.values[name]})

    return broken


def _promised_number(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    """Write for a number of the record's key that it will follow."""
    written.values[KEYS[record.dataset][0]] = chance.choice(("待办理", "正在制证", "暂未发证"))
    return Broken((_rule(record, "record_key.number"),), None)


def _no_default(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    if not isinstance(record, Evaluation):
        return None
    # Where the channel says it, a row without a channel does not say it.
    column = dialect_of(record).determined_by.get("is_default", "is_default")
    written.values[column] = chance.choice((None, *NOTHING))
    warns = () if column == "is_default" else (_rule(record, f"{column}.present"),)
    return Broken((_rule(record, "is_default.present"),), record.key, warns=warns)


def _unknown_operation(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    written.values["operation"] = "Q"
    return Broken((_rule(record, "operation.known"),), record.key)


def _shown_time(wrong: str, rule: str, version: datetime) -> Break:
    """Return a break of the time of change that an interface shows; a table has a column of real times."""

    def broken(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
        if isinstance(system.place, TablePlace):
            return None
        written.values["source_updated_at"] = wrong
        return Broken((_rule(record, rule),), record.key, version=version)

    return broken


def _delete_without_time(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    written.values["source_updated_at"] = None
    written.values["operation"] = dialect_of(record).operations["delete"]
    return Broken(
        (_rule(record, "source_updated_at.of_delete"),),
        record.key,
        removes=True,
        version=UNDATED,
        timeless=isinstance(system.place, TablePlace),
    )


def _nul(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    if not isinstance(system.place, HttpPlace):
        return None
    name = "applicant" if isinstance(record, ServiceCase) else KEYS[record.dataset][0]
    written.values[name] = f"{getattr(record, name)}\0"
    return Broken(("row.nul",), None, torn=True)


def _key_too_long(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    if not isinstance(system.place, HttpPlace):
        return None
    name = KEYS[record.dataset][0]
    long = f"{getattr(record, name)}{'9' * 201}"
    written.values[name] = long
    return Broken((_rule(record, "record_key.length"),), record.key.replace(getattr(record, name), long, 1))


BREAKS: Mapping[str, Sequence[Break]] = {
    "service_case": (
        _without("case_number", "case_number.present"),
        _with("finished_at", "2025-13-01 10:00:00", "finished_at.parseable"),
        _without("case_state", "case_state.present"),
        _without("finished_at", "finished_at.present_if_finished", of=("case_state", "finished")),
        _with("case_kind", "9", "codes.mapped"),
        _unknown_operation,
        _delete_without_time,
        _with("finished_at", "2098-07-01 10:00:00", "finished_at.not_future", datetime(2098, 7, 1, 10)),
        _without("service_number", "service_number.present"),
        _with("accepted_at", "二〇二五年九月", "accepted_at.parseable"),
        _with("case_state", "Z9", "codes.mapped"),
        _error_cell("applicant"),
        _shown_time("昨天", "source_updated_at.parseable", UNDATED),
        _nul,
        _with("accepted_at", "2098-07-01 10:00:00", "accepted_at.not_future", datetime(2098, 7, 1, 10)),
        _with("is_internal", "2", "codes.mapped"),
        _with("case_channel", "QT", "codes.mapped"),
        _shown_time("2098-01-01 00:00:00", "source_updated_at.not_future", datetime(2098, 1, 1)),
        _with("finished_at", "2025-09-22 25:61:00", "finished_at.parseable"),
        _key_too_long,
        _promised_number,
        _with("service_item_code", "1.14207E+30", "codes.exact"),
        _with("applicant", "锟斤拷锟斤拷", "applicant.readable"),
        _with("handling_department", "锟斤拷锟斤拷", "handling_department.readable"),
    ),
    "case_result": (
        _without("case_number", "case_number.present"),
        _without("result_type", "result_type.present"),
        _without("certificate_name", "certificate_name.present_if_certificate", of=("result_type", "certificate")),
        _with("produced_at", "2025-13-01 10:00:00", "produced_at.parseable"),
        _unknown_operation,
        _promised_number,
        _with("certificate_number", "4.20704E+17", "codes.exact"),
        _with("issuing_authority", "锟斤拷锟斤拷", "issuing_authority.readable"),
        _delete_without_time,
        _without("certificate_number", "certificate_number.present_if_certificate", of=("result_type", "certificate")),
        _without("produced_at", "produced_at.present"),
        _with("result_type", "9", "codes.mapped"),
        _error_cell("certificate_number"),
        _without("result_number", "result_number.present"),
        _shown_time("昨天", "source_updated_at.parseable", UNDATED),
        _nul,
        _with("produced_at", "2098-07-01 10:00:00", "produced_at.not_future", datetime(2098, 7, 1, 10)),
        _shown_time("2098-01-01 00:00:00", "source_updated_at.not_future", datetime(2098, 1, 1)),
        _key_too_long,
    ),
    "evaluation": (
        _without("evaluation_number"),
        _without("case_number", "case_number.present"),
        _without("level", "level.present"),
        _no_default,
        _without("is_effective", "is_effective.present"),
        _with("level", "9", "codes.mapped"),
        _without("evaluated_at", "evaluated_at.present"),
        _error_cell("case_number"),
        _unknown_operation,
        _with("evaluated_at", "2025-02-30 10:00:00", "evaluated_at.parseable"),
        _delete_without_time,
        _with("evaluated_at", "2098-07-01 10:00:00", "evaluated_at.not_future", datetime(2098, 7, 1, 10)),
        # Without a known channel, one system does not know whether the evaluation was its own.
        _with("evaluation_channel", "Z9", "codes.mapped"),
        _shown_time("昨天", "source_updated_at.parseable", UNDATED),
        _nul,
        _without("service_number", "service_number.present"),
        _with("is_real_name", "8", "codes.mapped"),
        _with("is_effective", "8", "codes.mapped"),
        _with("is_default", "8", "codes.mapped"),
        _with("case_number", f"XN{'9' * 199}", "case_number.length"),
        _with("service_number", "1" * 201, "service_number.length"),
        _shown_time("2098-01-01 00:00:00", "source_updated_at.not_future", datetime(2098, 1, 1)),
        _key_too_long,
        _promised_number,
        _with("evaluation_window", "1.2E+17", "codes.exact"),
    ),
}
"""Data set → every way in which a row is made wrong."""
