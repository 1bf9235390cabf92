"""Nights in which a made-up department corrects some wrong rows, ignores others, and corrects some wrongly.

The department sends its business-license register as CSV, either what is new or all of it each night. It corrects
rows rightly or wrongly, or wrongly twice, deletes, ignores, and corrects some rows without having been asked. The
section (大数据科) returns open records on every second working day, waives some for days or for good, and closes some.
One day a rule is changed, and all unsolved rows are redriven. `problem_truth` decides the expected records.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import cycle
from random import Random
from typing import Final, Literal

from simulator.business_licenses import COLUMNS, credit_code
from simulator.problem_truth import EARLIEST, Event, Problem, Row, Stored, Truth
from simulator.working_days import is_working_day

Deliveries = Literal["increments", "snapshots"]

REDRIVEN_ON: Final = 20
"""The night on whose day the rule is changed."""

EARLIEST_SINCE_CHANGE: Final = date(1920, 1, 1)
"""The first day of issue that the rule allows from then on."""

SEED: Final = 9
"""With this seed, thirty nights have all `KINDS` of lives."""

_FIRST_DAY: Final = date(2025, 9, 3)
_LIVES_A_NIGHT: Final = 5
_STEADY: Final = 15
"""Licenses that are in every file, right and unchanged: a delivery with hardly any right row is held."""


# Rows

Writing = Callable[[Row], Row]
"""Makes another row of a right one."""


def _license(number: int, issued: date) -> Row:
    code = credit_code(number)
    values = (
        f"鄂州市虚构第{number:04d}号商贸有限公司",
        code,
        issued.isoformat(),
        "有限责任公司",
        "张某某",
        "100万元人民币",
        "虚构货物的批发、零售",
        "湖北",
        "鄂州",
        f"虚构市虚构区不存在路{number}号",
    )
    return Row(dict(zip(COLUMNS, values, strict=True)), code, issued)


def _right(row: Row) -> Row:
    return row


def _moved(row: Row) -> Row:
    return row.spoiled("注册地址", "虚构市虚构区新址大道2号")


def _without_holder(row: Row) -> Row:
    return row.spoiled("企业名称", "NULL", "certificate.holder.present")


def _with_code_for_holder(row: Row) -> Row:
    return row.spoiled("企业名称", row.values["统一社会信用代码"], "certificate.holder.not_a_code")


def _without_day(row: Row) -> Row:
    return replace(row.spoiled("注册日期", "", "certificate.issue_date.present"), issued=None)


def _on_impossible_day(row: Row) -> Row:
    return replace(row.spoiled("注册日期", "2021-02-30", "certificate.issue_date.parseable"), issued=None)


def _in_the_future(row: Row) -> Row:
    return row.issued_on(date(2098, 7, 1), "certificate.issue_date.not_future")


def _before_1949(row: Row) -> Row:
    return row.issued_on(date(1930, 5, 1))


def _before_1920(row: Row) -> Row:
    return row.issued_on(date(1905, 5, 1))


def _with_wrong_code(row: Row) -> Row:
    right = row.values["统一社会信用代码"]
    wrong = right[:-1] + ("1" if right[-1] == "0" else "0")
    return replace(row.spoiled("统一社会信用代码", wrong, "certificate.holder_code.credit_code"), key=wrong)


def _without_code(row: Row) -> Row:
    rules = [f"certificate.{name}.present" for name in ("record_key", "certificate_number", "holder_code")]
    return replace(row.spoiled("统一社会信用代码", "N/A", *rules), key=None)


def _torn(row: Row) -> Row:
    return Row(row.values, None, None, frozenset({"row.ragged"}), torn=True)


def _both(one: Writing, other: Writing) -> Writing:
    return lambda row: other(one(row))


_WRONG: Final[tuple[Writing, ...]] = (
    _without_holder,
    _on_impossible_day,
    _with_wrong_code,
    _with_code_for_holder,
    _without_day,
    _both(_without_holder, _on_impossible_day),
    _before_1920,
    _in_the_future,
    _both(_with_code_for_holder, _in_the_future),
)
"""Wrong in one way or in two; each row has a key."""


# What happens

Writes = Literal[
    "right", "moved", "wrong", "early", "early without holder", "early without code", "without code", "torn",
    "wrong in two ways", "right and wrong", "in addition", "twice", "again", "deleted",
]  # fmt: skip
"""What the department writes for its row; for some it writes two rows, and `in addition` keeps the existing one too."""

Waits = Literal["returned", "reopened"]
"""What the department waits for: that the record is returned, or that its waiver ends."""

Decides = Literal["waive", "waive for good", "write off"]
"""What the section does."""

Step = Writes | Waits | Decides

_WRITES: Final[Mapping[Step, Writing]] = {
    "right": _right,
    "moved": _moved,
    "early": _before_1949,
    "early without holder": _both(_without_holder, _before_1949),
    "early without code": _both(_without_code, _before_1949),
    "without code": _without_code,
    "torn": _torn,
}
_DECIDES: Final[frozenset[Step]] = frozenset({"waive", "waive for good", "write off"})

_LIVES: Final[tuple[tuple[Step, ...], ...]] = (
    ("right",),
    ("right", "moved"),
    ("right", "deleted"),
    ("right", "wrong", "returned", "right"),
    ("right", "wrong", "returned", "moved", "write off"),
    ("right", "wrong", "waive", "right"),
    ("right", "wrong", "wrong", "returned", "right"),
    ("right", "wrong", "deleted"),
    ("wrong", "right"),
    ("wrong", "right", "wrong", "returned", "right"),
    ("wrong", "wrong", "right"),
    ("wrong", "deleted"),
    ("wrong", "returned"),
    ("wrong", "returned", "right"),
    ("wrong", "returned", "right", "write off"),
    ("wrong", "returned", "again", "again"),
    ("wrong", "returned", "deleted"),
    ("wrong", "returned", "wrong", "right"),
    ("wrong", "returned", "wrong", "returned", "wrong", "returned", "right"),
    ("wrong", "twice", "returned", "right"),
    ("wrong", "in addition", "returned", "right"),
    ("wrong", "wrong", "in addition", "wrong", "returned", "right"),
    ("wrong", "returned", "wrong in two ways", "returned", "right"),
    ("wrong", "returned", "right and wrong", "returned", "right"),
    ("wrong", "waive", "right"),
    ("wrong", "waive", "again", "reopened", "returned", "moved"),
    ("wrong", "waive", "reopened", "right"),
    ("wrong", "waive", "wrong", "returned", "right"),
    ("wrong", "waive", "deleted"),
    ("wrong", "returned", "waive", "reopened", "wrong", "returned", "right"),
    ("wrong", "waive for good", "again"),
    ("wrong", "waive for good", "right"),
    ("wrong", "waive for good", "write off", "again"),
    ("early",),
    ("early", "returned", "again"),
    ("early", "in addition"),
    ("early", "returned", "wrong", "returned", "right"),
    ("early", "waive"),
    ("early", "waive for good"),
    ("early without holder", "returned"),
    ("early without holder", "waive for good", "returned", "right"),
)
_LIVES_WITHOUT_KEY: Final[tuple[tuple[Step, ...], ...]] = (
    ("without code", "returned", "right"),
    ("torn", "returned", "right"),
    ("torn", "returned", "again", "deleted"),
    ("torn", "waive for good", "write off", "deleted"),
    ("early without code", "returned", "deleted"),
)
"""What happens to a license, each in turn. After the last step, or when an event that it waits for never happens, its
row does not change any more."""


@dataclass
class _Life:
    """A license, and the steps that are still to happen to it.

    `rows` are in the register; `wrong` is the wrong row that was written last. For `pause` nights the department does
    nothing.
    """

    license: Row
    steps: list[Step]
    rows: tuple[Row, ...] = ()
    wrong: Row | None = None
    pause: int = 0


# The nights


@dataclass(frozen=True)
class Act:
    """What the section does: `number` is the record, None for all records; `until_on` the end of a waiver."""

    what: Literal["waive", "write off", "return", "redrive"]
    number: int | None = None
    until_on: date | None = None


@dataclass(frozen=True)
class ProblemNight:
    """One night and the day after it.

    The file is delivered and loaded first; then the daily task ends waivers and closes what was corrected; then the
    section does `acts`, in their order. `problems` and `stored` are what must exist in the evening; `loaded` are the
    keys of the certificates that a redrive must have loaded.
    """

    number: int
    day: date
    file_name: str
    content: str
    acts: tuple[Act, ...]
    problems: tuple[Problem, ...]
    stored: Mapping[str, Stored]
    loaded: frozenset[str]


class ProblemNights:
    """Thirty nights of a department and of the section: the same arguments give the same nights."""

    def __init__(self, deliveries: Deliveries, seed: int = SEED, number_of_nights: int = 30) -> None:
        self.number_of_nights = number_of_nights
        self._chance = Random(f"{seed}/problems")
        self._truth = Truth(whole=deliveries == "snapshots")
        self._lives: list[_Life] = []
        self._steady = [_license(9000 + number, date(2020, 5, 1)) for number in range(_STEADY)]
        # A whole register with a row without a key proves of no other row that it is missing: these lives come
        # together.
        self._next_lives = cycle((*_LIVES_WITHOUT_KEY, *self._chance.sample(_LIVES, len(_LIVES))))
        self._next_wrong = cycle(self._chance.sample(_WRONG, len(_WRONG)))
        self._worked = 0

    def nights(self) -> Iterator[ProblemNight]:
        """Yield the nights; to be iterated once."""
        truth = self._truth
        for number in range(1, self.number_of_nights + 1):
            day = _FIRST_DAY + timedelta(days=number - 1)
            rows = self._deliver()
            truth.deliver(rows, day)
            truth.let_time_pass(day)
            acts = list(self._decide(day)) if is_working_day(day) else []
            loaded: frozenset[str] = frozenset()
            if number == REDRIVEN_ON:
                truth.earliest = EARLIEST_SINCE_CHANGE
                loaded = truth.redrive(day)
                acts.append(Act("redrive"))
            yield ProblemNight(
                number,
                day,
                f"营业执照_{day}.csv",
                "".join(f"{line}\n" for line in (",".join(COLUMNS), *(row.line for row in rows))),
                tuple(acts),
                tuple(truth.problems.values()),
                dict(truth.stored),
                loaded,
            )

    def _deliver(self) -> list[Row]:
        """Return the rows of a night's file: what is new, changed or sent again, or the complete register."""
        for _ in range(_LIVES_A_NIGHT):
            number = len(self._lives) + 1
            issued = date(2019, 1, 1) + timedelta(days=self._chance.randrange(2000))
            self._lives.append(_Life(_license(number, issued), list(next(self._next_lives))))
        changed = [life for life in self._lives if self._write(life)]
        lives = list(self._lives) if self._truth.whole else changed
        self._chance.shuffle(lives)
        return [*(row for life in lives for row in life.rows), *self._steady]

    def _write(self, life: _Life) -> bool:
        """Let the department do the next step for a license; return whether it wrote its row."""
        if life.pause:
            life.pause -= 1
            return False
        if not life.steps or life.steps[0] in _DECIDES:
            return False
        step = life.steps[0]
        if step in ("returned", "reopened"):
            assert life.wrong is not None
            problem = self._truth.newest_of(life.wrong)
            if problem is not None and problem.status == ("returned" if step == "returned" else "open"):
                life.steps.pop(0)
                life.pause = self._chance.randrange(2)
            return False
        life.steps.pop(0)
        life.pause = self._chance.randrange(2)
        match step:
            case "wrong":
                life.rows = (self._another_wrong(life),)
            case "wrong in two ways":
                life.rows = (self._another_wrong(life), self._another_wrong(life))
            case "right and wrong":
                life.rows = (life.license, self._another_wrong(life))
            case "in addition":
                life.rows += (self._another_wrong(life),)
            case "twice":
                life.rows *= 2
            case "deleted":
                life.rows = ()
            case "again":
                pass
            case _:
                life.rows = (_WRITES[step](life.license),)
        life.wrong = next((row for row in life.rows if row.failed(EARLIEST)), life.wrong)
        return True

    def _another_wrong(self, life: _Life) -> Row:
        return next(row for write in self._next_wrong if (row := write(life.license)) not in life.rows)

    def _decide(self, day: date) -> Iterator[Act]:
        """Let the section decide on a working day."""
        self._worked += 1
        for life in self._lives:
            if not life.steps or life.steps[0] not in _DECIDES:
                continue
            assert life.wrong is not None
            problem = self._truth.newest_of(life.wrong)
            step = life.steps[0]
            if problem is None:
                continue
            if step == "write off":
                if problem.status == "corrected" or (problem.status == "waived" and problem.waived_until is None):
                    life.steps.pop(0)
                    self._truth.write_off(problem, day)
                    yield Act("write off", problem.number)
            elif problem.status in ("open", "returned"):
                life.steps.pop(0)
                days = 1 + self._chance.randrange(5)
                until_on = day + timedelta(days=days) if step == "waive" else None
                self._truth.waive(problem, until_on, day)
                yield Act("waive", problem.number, until_on)
        if self._worked % 2 == 1 and self._truth.return_open(day):
            yield Act("return")


# Which kinds of lives occurred

_KINDS: Final = frozenset(
    {
        "returned when open", "returned when open again", "waived when open", "waived when returned",
        "waiver_ended when waived", "seen again when open", "seen again when returned", "seen again when waived",
        "corrected when open", "corrected when returned", "corrected when waived",
        "replaced when open", "replaced when returned", "replaced when waived",
        "corrected, written off by itself", "corrected, written off by a person",
        "waived, written off by a person", "written off, opened anew",
        "corrected by a redrive when open", "corrected by a redrive when open again",
        "corrected by a redrive when returned", "corrected by a redrive when waived",
        "replaced by a redrive when open", "replaced by a redrive when returned", "replaced by a redrive when waived",
        "replaced by a redrive, then returned", "replaced by a redrive, then closed",
        "still wrong by a redrive when open", "still wrong by a redrive when returned",
        "still wrong by a redrive when waived",
        "past its term", "wrong for the third time, corrected", "stored, and wrong since", "identical rows",
        "two records of a key", "corrected, and wrong at once", "replaced by one of two",
        "replaced together with one that was wrong more often", "without a key, unsolved", "without a key, replaced",
        "torn, unsolved", "torn, waived", "torn, redriven",
    }
)  # fmt: skip
_KINDS_OF_WHOLE_REGISTERS: Final = frozenset(
    {
        "seen again when open again", "gone when open", "gone when returned", "gone when waived", "torn, gone",
        "without a key, gone", "stored, gone from the register",
    }
)  # fmt: skip

KINDS: Final[Mapping[Deliveries, frozenset[str]]] = {
    "increments": _KINDS,
    "snapshots": _KINDS | _KINDS_OF_WHOLE_REGISTERS,
}
"""The kinds of lives that thirty nights must contain to be worth comparing, as `kinds` names them."""


def kinds(night: ProblemNight) -> frozenset[str]:
    """Return the kinds of lives up to a night: what happened to a record in which state, and what it was."""
    problems = {problem.number: problem for problem in night.problems}
    written_off = {problem.row.line for problem in night.problems if problem.solution == "waived"}
    keyed = [problem for problem in night.problems if problem.row.key is not None]
    opened = Counter((problem.row.key, problem.batch) for problem in keyed)
    found: set[str] = set()
    for problem in night.problems:
        found.update((*_happened(problem), *_was(problem, night)))
        if problem.row.line in written_off and problem.solution != "waived":
            found.add("written off, opened anew")
        if problem.replaced_by is None:
            continue
        newer = problems[problem.replaced_by]
        if _is_solved_by_redrive(problem):
            found.add(f"replaced by a redrive, then {newer.status}")
        if problem.attempts + 1 < newer.attempts:
            found.add("replaced together with one that was wrong more often")
        if opened[newer.row.key, newer.batch] > 1:
            found.add("replaced by one of two")
    if any(stored.removed for stored in night.stored.values()):
        found.add("stored, gone from the register")
    return frozenset(found)


_STATE_AFTER: Final = {"returned": "returned", "waived": "waived", "waiver_ended": "open again"}


def _happened(problem: Problem) -> Iterator[str]:
    for day in problem.seen_on[1:]:
        # The file is loaded before all other events of its day.
        yield f"seen again when {_state_after(event for event in problem.events if event.on < day)}"
    for place, event in enumerate(problem.events):
        state = _state_after(problem.events[:place])
        if event.event == "closed":
            yield f"{problem.solution}, written off by {'a person' if event.done_by else 'itself'}"
        elif event.event == problem.solution and _is_solved_by_redrive(problem):
            yield f"{event.event} by a redrive when {state}"
        elif event.event != "redriven":
            yield f"{event.event} when {state}"
        elif not _is_solved_by_redrive(problem):
            yield f"still wrong by a redrive when {state}"


def _state_after(events: Iterable[Event]) -> str:
    states = [_STATE_AFTER[event.event] for event in events if event.event in _STATE_AFTER]
    return states[-1] if states else "open"


def _is_solved_by_redrive(problem: Problem) -> bool:
    # A redrive is the last event of its day.
    return any(event.event == "redriven" and event.on == problem.solved_on for event in problem.events)


def _was(problem: Problem, night: ProblemNight) -> Iterator[str]:
    if problem.row.torn and "redriven" in (event.event for event in problem.events):
        yield "torn, redriven"
    if problem.place > 1:
        yield "identical rows"
    if problem.status == "returned" and problem.due_on is not None and problem.due_on < night.day:
        yield "past its term"
    if problem.attempts > 2 and problem.solution == "corrected":
        yield "wrong for the third time, corrected"
    if problem.is_unsolved and problem.row.key in night.stored:
        yield "stored, and wrong since"
    if problem.row.key is None:
        yield f"{'torn' if problem.row.torn else 'without a key'}, {problem.solution or 'unsolved'}"
        return
    others = [p for p in night.problems if p.row.key == problem.row.key and p.number != problem.number]
    if problem.is_unsolved and any(other.is_unsolved for other in others):
        yield "two records of a key"
    if problem.solution == "corrected" and any(other.opened_on == problem.solved_on for other in others):
        yield "corrected, and wrong at once"
