"""How a case or an evaluation is written by its system, untidily or wrongly; see `dirt` for certificates.

`write` and `soil` leave the record as it is meant; `BREAKS` are the ways to make a row that must be quarantined, each
with all critical rules that it fails. Rule ids are the simulator's own account of what a right pipeline asks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from simulator.dirt import NOTHING, TIME_FORM, WIDE, Written, as_stamp, soiled_text
from simulator.model import HttpPlace, SourceSystem, TablePlace
from simulator.service_records import Evaluation, Record, ServiceCase, dialect_of, district_form
from simulator.service_sources import KEYS, TimeForm

TIMES: Final = frozenset({"accepted_at", "finished_at", "evaluated_at", "called_back_at", "rectified_at"})
_CODES: Final = frozenset(
    {
        "case_number", "service_number", "service_item_code", "phone", "evaluation_number", "device",
        "evaluation_window",
    }
)  # fmt: skip
_NAMES: Final = frozenset({"service_item_name", "applicant", "handling_department", "hall", "window", "handler"})

UNDATED: Final = datetime(9000, 1, 1)
"""Stands for the version of a row whose time nobody can tell: what is wrong with it is never out of date."""


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
            value = as_moment(value, dialect.time_form)
        elif value is not None and name in dialect.codes:
            value = dialect.codes[name][value]
        written.values[name] = value
    # One system writes the province in front of the numbers of cases, but not of those that begin with a bureau's own
    # letters, now and then.
    if dialect.case_prefix and (record.key[-1] in "02468" or not is_from_a_bureau(record)):
        written.values["case_number"] = f"{dialect.case_prefix}{written.values['case_number']}"
    return written


def is_from_a_bureau(record: Record) -> bool:
    """Tell whether the case's number is one of a bureau's own system, which no province's code begins."""
    return record.case_number.startswith("XN")


def soil(written: Written, record: Record, chance: Random) -> None:
    """Write a time and two to four other values untidily; cleaning gives the same record."""
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
            values[name] = _soiled_moment(getattr(record, name), chance)
        elif isinstance(value, int):
            values[name] = f" {value}"
        elif isinstance(value, str):
            is_code = name in _CODES or name in dialect.codes
            values[name] = soiled_text(value, chance, is_code=is_code, is_name=name in _NAMES)


def _soiled_moment(at: datetime, chance: Random) -> str:
    form: TimeForm = chance.choice(("iso", "slash", "compact", "chinese"))
    text = as_moment(at, form)
    how = chance.randrange(3)
    if how == 0:
        return f" {text}　"
    return text.translate(WIDE) if how == 1 else text


@dataclass(frozen=True)
class Broken:
    """What a break did: the rules that the row fails, its key, and the version that it shows.

    `torn` is a row that is no record at all, `removes` one that deletes. `version` is None where the row bears its time
    as it should; a `timeless` row bears none, so that every reading of a table brings it.
    """

    rules: tuple[str, ...]
    key: str | None
    torn: bool = False
    removes: bool = False
    version: datetime | None = None
    timeless: bool = False

    def keeps(self, record: Record) -> bool:
        """Tell whether the row is still one of the record's, and bears its time."""
        return self.key == record.key and self.version is None


Break = Callable[[SourceSystem, Record, Written, Random], Broken | None]
"""Makes a row wrong; None where the system has nothing to break in this way, and then leaves the row as it was."""


def _rule(record: Record, rule: str) -> str:
    return f"{record.dataset}.{rule}"


def _without(name: str, *rules: str) -> Break:
    """Return a break that leaves a value out, with the rules that then fail."""

    def broken(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
        if name not in written.values:
            return None
        written.values[name] = chance.choice((None, *NOTHING))
        in_key = name in KEYS[record.dataset]
        failed = (*(("record_key.present",) if in_key else ()), *rules)
        return Broken(tuple(_rule(record, rule) for rule in failed), None if in_key else record.key)

    return broken


def _with(name: str, wrong: str, rule: str) -> Break:
    """Return a break that sets a value, which is no part of a key, to a wrong one."""

    def broken(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
        if name not in written.values:
            return None
        written.values[name] = wrong
        return Broken((_rule(record, rule),), record.key)

    return broken


def _no_default(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    if not isinstance(record, Evaluation):
        return None
    # Where the channel tells it, nobody knows without the channel.
    column = dialect_of(record).told_by.get("is_default", "is_default")
    written.values[column] = chance.choice((None, *NOTHING))
    return Broken((_rule(record, "is_default.present"),), record.key)


def _no_finish(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    if not isinstance(record, ServiceCase) or record.case_state != "finished":
        return None
    written.values["finished_at"] = chance.choice((None, *NOTHING))
    return Broken((_rule(record, "finished_at.present_if_finished"),), record.key)


def _unknown_operation(system: SourceSystem, record: Record, written: Written, chance: Random) -> Broken | None:
    written.values["operation"] = "Q"
    return Broken((_rule(record, "operation.known"),), record.key)


def _shown_time(wrong: str, rule: str, version: datetime) -> Break:
    """Return a break of the time of change as an interface shows it; a table has a column of real times."""

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
    name = "applicant" if isinstance(record, ServiceCase) else "evaluation_number"
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
        _no_finish,
        _with("case_kind", "9", "codes.mapped"),
        _unknown_operation,
        _delete_without_time,
        _with("finished_at", "2098-07-01 10:00:00", "finished_at.not_future"),
        _without("service_number", "service_number.present"),
        _with("accepted_at", "二〇二五年九月", "accepted_at.parseable"),
        _with("case_state", "Z9", "codes.mapped"),
        _shown_time("昨天", "source_updated_at.parseable", UNDATED),
        _nul,
        _with("accepted_at", "2098-07-01 10:00:00", "accepted_at.not_future"),
        _with("is_internal", "2", "codes.mapped"),
        _with("case_channel", "QT", "codes.mapped"),
        _shown_time("2098-01-01 00:00:00", "source_updated_at.not_future", datetime(2098, 1, 1)),
        _with("finished_at", "2025-09-22 25:61:00", "finished_at.parseable"),
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
        _unknown_operation,
        _with("evaluated_at", "2025-02-30 10:00:00", "evaluated_at.parseable"),
        _delete_without_time,
        _with("evaluated_at", "2098-07-01 10:00:00", "evaluated_at.not_future"),
        # Without a known channel, one system does not know whether it was itself that evaluated.
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
    ),
}
"""Data set → every way in which a row is made wrong."""
