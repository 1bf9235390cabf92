"""Problem records (问题数据) night after night: what a made-up department delivers, mends and ignores, and their lives.

The department sends its business-license register as CSV, what is new or all of it each night. It mends right or
wrongly, or twice wrongly, deletes, ignores, and mends some rows without having been asked. The section (大数据科) returns
what is open on every other working day, waives some records for days or for good, and writes some off. On one night a
rule is changed, and all that is kept is redriven. What a right pipeline makes of it is computed here, record by record:
nothing of it is SQL.

The life of a record:

- A wrong row opens a record, unless one stands unsolved (open, returned or waived) for the very same row, wrong by the
  very same rules: that one is then seen once more, and stays what it is. Of identical rows of a file each has its own.
- When its row does not come again and a right row of the same key does, it is corrected. When another wrong row of that
  key does, it is closed, replaced by the record of that row: the newer one is open, one attempt further, and as old as
  the first. When neither does, it is gone from a whole register; what is new says nothing of it.
- So a row without a key (none was given, or it is no row) can only be gone, and so can one whose key was wrong.
- An open record is returned with all others that are open, with a term in working days. An open or a returned one can
  be waived: to the end of a day, and on the day after it is open again and no longer returned; or for good.
- A corrected record is written off (closed) some working days later by itself, or by a person before. A person may also
  write off what is waived for good. What is closed does not live again: the same row, come once more, is a new record.
- Redriven, all that is unsolved goes the whole road again, as old as it was. What passes now is loaded, and its record
  corrected; what is wrong by the same rules stays as it was, and was not seen again; what is wrong by other rules is
  replaced. All else is as it was.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import cycle
from random import Random
from typing import Final, Literal

from simulator.business_licenses import COLUMNS, credit_code
from simulator.working_days import count_working_days, is_working_day, working_days_after

Deliveries = Literal["increments", "snapshots"]
Status = Literal["open", "returned", "corrected", "waived", "closed"]
Solution = Literal["corrected", "gone", "replaced", "waived"]

PERSON: Final = "虚构科员"
"""Who decides in the section."""

TOO_EARLY: Final = "certificate.issue_date.not_before_1949"
EARLIEST: Final = date(1949, 10, 1)
EARLIEST_SINCE_CHANGE: Final = date(1920, 1, 1)
"""The rule that is changed, and the first day of issue that it allows, before and after."""

REDRIVEN_ON: Final = 20
"""The night on whose day the rule is changed."""

MENDED_WITHIN: Final = 5
WRITTEN_OFF_AFTER: Final = 1
"""Working days: the term of what is returned, and how long what came right stands before it is written off by itself."""

_FIRST_DAY: Final = date(2025, 9, 3)
_FIRST_LINE: Final = 2
_LIVES_A_NIGHT: Final = 5


# Rows


@dataclass(frozen=True)
class Row:
    """A row as the department writes it, and what is to be seen in it.

    `key` is the credit code that it bears, None where it bears none; `issued` the day of issue, None where nobody can
    tell one. `rules` are the critical rules that it fails, but for `TOO_EARLY`. A `torn` row lacks a field.
    """

    values: Mapping[str, str]
    key: str | None
    issued: date | None
    rules: frozenset[str] = frozenset()
    torn: bool = False

    @property
    def line(self) -> str:
        """The row as CSV; rows are identical when this is."""
        values = list(self.values.values())
        return ",".join(values[:-1] if self.torn else values)

    def failed(self, earliest: date) -> tuple[str, ...]:
        """Return all critical rules that the row fails while `earliest` is the first day of issue, by name."""
        too_early = self.issued is not None and self.issued < earliest
        return tuple(sorted(self.rules | {TOO_EARLY} if too_early else self.rules))

    def spoiled(self, column: str, value: str, *rules: str) -> "Row":
        """Return the row with another value in a column, which fails `rules`."""
        return replace(self, values={**self.values, column: value}, rules=self.rules.union(rules))

    def issued_on(self, day: date, *rules: str) -> "Row":
        """Return the row with another day of issue, which fails `rules`."""
        return replace(self.spoiled("注册日期", day.isoformat(), *rules), issued=day)


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
"""Wrong in one way or in two; each row bears a key."""


# What happens

Writes = Literal[
    "right", "moved", "wrong", "early", "early without holder", "early without code", "without code", "torn", "again",
    "twice", "deleted",
]  # fmt: skip
"""What the department makes of its row: `twice` lets it come twice from then on, `deleted` not any more."""

Waits = Literal["returned", "reopened"]
"""What the department waits for: that the record is returned, or that its waiver ended."""

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
    ("wrong", "waive", "right"),
    ("wrong", "waive", "again", "reopened", "returned", "moved"),
    ("wrong", "waive", "wrong", "returned", "right"),
    ("wrong", "waive", "deleted"),
    ("wrong", "returned", "waive", "reopened", "wrong", "returned", "right"),
    ("wrong", "waive for good", "again"),
    ("wrong", "waive for good", "right"),
    ("wrong", "waive for good", "write off", "again"),
    ("early",),
    ("early", "returned", "again"),
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
"""What befalls a license, each in turn. Where nothing more stands, its row stays as it is, and so does it where what the
department waits for does not come any more."""


@dataclass
class _Life:
    """A license and what is yet to befall it.

    `row` stands in the register, `copies` times, None when it does not; `wrong` is the wrong row that was written last.
    For `pause` nights the department does nothing.
    """

    license: Row
    steps: list[Step]
    row: Row | None = None
    wrong: Row | None = None
    copies: int = 1
    pause: int = 0


# The truth


@dataclass(frozen=True)
class Event:
    """Something that happened to a record; `done_by` is None for the pipeline itself."""

    event: str
    on: date
    done_by: str | None = None
    until_on: date | None = None


@dataclass(frozen=True)
class Problem:
    """A problem record, as it must be.

    It was opened by line `line_no` of the `batch`-th batch, and its row came last with line `last_line_no` of the
    `last_batch`-th; batches of a redrive count. `place` numbers identical rows of a batch, `replaced_by` and
    `returned_with` count records and returns from 1.
    """

    number: int
    row: Row
    rules: tuple[str, ...]
    place: int
    batch: int
    line_no: int
    last_batch: int
    last_line_no: int
    opened_on: date
    first_opened_on: date
    seen_on: tuple[date, ...]
    status: Status = "open"
    solution: Solution | None = None
    attempts: int = 1
    replaced_by: int | None = None
    returned_with: int | None = None
    due_on: date | None = None
    waived_until: date | None = None
    solved_on: date | None = None
    closed_on: date | None = None
    events: tuple[Event, ...] = ()

    @property
    def is_unsolved(self) -> bool:
        """Whether the row is still wrong, as far as is known."""
        return self.status in ("open", "returned", "waived")

    @property
    def path(self) -> tuple[str, ...]:
        """What happened, in its order."""
        return tuple(event.event for event in self.events)


@dataclass(frozen=True)
class Stored:
    """A license as the store must hold it; `removed` when the whole register no longer held it."""

    holder: str
    issued: date
    address: str
    removed: bool = False


@dataclass
class _Truth:
    """The records and the store, as they must be."""

    whole: bool
    problems: dict[int, Problem] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    earliest: date = EARLIEST
    batches: int = 0
    returns: int = 0

    def unsolved(self) -> list[Problem]:
        """Return the records whose rows are still wrong."""
        return [problem for problem in self.problems.values() if problem.is_unsolved]

    def newest_of(self, row: Row) -> Problem | None:
        """Return the newest record of a row."""
        found = [problem for problem in self.problems.values() if problem.row == row]
        return found[-1] if found else None

    def deliver(self, rows: Sequence[Row], day: date) -> None:
        """Load a file."""
        self.batches += 1
        before = self.unsolved()
        standing = {(problem.row.line, problem.rules, problem.place): problem for problem in before}
        copies: Counter[str] = Counter()
        came: set[int] = set()
        newest_wrong: dict[str, int] = {}
        right: set[str] = set()
        for line_no, row in enumerate(rows, _FIRST_LINE):
            rules = row.failed(self.earliest)
            if not rules:
                right.add(self._store(row))
                continue
            copies[row.line] += 1
            problem = standing.get((row.line, rules, copies[row.line]))
            if problem is None:
                problem = self._open(row, rules, copies[row.line], line_no, day)
            else:
                self._change(
                    problem, seen_on=(*problem.seen_on, day), last_batch=self.batches, last_line_no=line_no
                )
            came.add(problem.number)
            if row.key is not None:
                newest_wrong[row.key] = max(problem.number, newest_wrong.get(row.key, 0))
        for problem in before:
            if problem.number in came:
                continue
            if problem.row.key in right:
                self._solve(problem, "corrected", day)
            elif problem.row.key in newest_wrong:
                self._replace(problem, newest_wrong[problem.row.key], day)
            elif self.whole:
                self._solve(problem, "gone", day)
        keys = {row.key for row in rows}
        # Where a row has no key, nobody knows whose it is: nothing is said to be missing then.
        if self.whole and None not in keys:
            for key in self.stored.keys() - keys:
                self.stored[key] = replace(self.stored[key], removed=True)

    def redrive(self, day: date) -> frozenset[str]:
        """Let all that is unsolved go the road again, by the batches it came with last; return the keys loaded."""
        loaded = set()
        sources: dict[int, list[Problem]] = {}
        for problem in sorted(self.unsolved(), key=lambda problem: (problem.last_batch, problem.last_line_no)):
            sources.setdefault(problem.last_batch, []).append(problem)
        for problems in sources.values():
            self.batches += 1
            # What is no row has no columns that could be kept: its file goes again, with the lines that it has.
            by_file = any(problem.row.torn for problem in problems)
            for line_no, problem in enumerate(problems, _FIRST_LINE):
                told = self._tell(problem, Event("redriven", day, PERSON))
                rules = problem.row.failed(self.earliest)
                if not rules:
                    loaded.add(self._store(problem.row))
                    self._solve(told, "corrected", day)
                elif rules != problem.rules:
                    line_now = problem.last_line_no if by_file else line_no
                    newer = self._open(problem.row, rules, problem.place, line_now, day)
                    self._replace(told, newer.number, day)
        return frozenset(loaded)

    def give_back(self, day: date) -> bool:
        """Return all open records to the department; False when there are none."""
        problems = [problem for problem in self.problems.values() if problem.status == "open"]
        if not problems:
            return False
        self.returns += 1
        due_on = working_days_after(day, MENDED_WITHIN)
        for problem in problems:
            told = self._tell(problem, Event("returned", day, PERSON))
            self._change(told, status="returned", returned_with=self.returns, due_on=due_on)
        return True

    def waive(self, problem: Problem, until_on: date | None, day: date) -> None:
        """Waive an open or returned record to the end of a day, or for good."""
        told = self._tell(problem, Event("waived", day, PERSON, until_on))
        self._change(told, status="waived", waived_until=until_on)

    def write_off(self, problem: Problem, day: date) -> None:
        """Close by hand what came right or is waived for good."""
        told = self._tell(problem, Event("closed", day, PERSON))
        self._change(
            told,
            status="closed",
            solution=problem.solution or "waived",
            solved_on=problem.solved_on or day,
            closed_on=day,
        )

    def let_time_pass(self, day: date) -> None:
        """End the waivers that ran out, and write off what came right long enough ago."""
        for problem in list(self.problems.values()):
            if problem.status == "waived" and problem.waived_until is not None and problem.waived_until < day:
                told = self._tell(problem, Event("waiver_ended", day))
                self._change(told, status="open", waived_until=None, returned_with=None, due_on=None)
            elif problem.status == "corrected":
                assert problem.solved_on is not None
                if count_working_days(problem.solved_on, day) >= WRITTEN_OFF_AFTER:
                    self._change(self._tell(problem, Event("closed", day)), status="closed", closed_on=day)

    def _open(self, row: Row, rules: tuple[str, ...], place: int, line_no: int, day: date) -> Problem:
        number, batch = len(self.problems) + 1, self.batches
        problem = Problem(number, row, rules, place, batch, line_no, batch, line_no, day, day, (day,))
        self.problems[number] = problem
        return problem

    def _change(self, problem: Problem, **changes: object) -> Problem:
        self.problems[problem.number] = changed = replace(problem, **changes)  # type: ignore[arg-type]
        return changed

    def _tell(self, problem: Problem, event: Event) -> Problem:
        return self._change(problem, events=(*problem.events, event))

    def _solve(self, problem: Problem, solution: Solution, day: date) -> Problem:
        told = self._tell(problem, Event(solution, day))
        status = "corrected" if solution == "corrected" else "closed"
        closed_on = None if solution == "corrected" else day
        return self._change(told, status=status, solution=solution, solved_on=day, closed_on=closed_on)

    def _replace(self, problem: Problem, number: int, day: date) -> None:
        self._change(self._solve(problem, "replaced", day), replaced_by=number)
        newer = self.problems[number]
        self._change(
            newer,
            attempts=max(newer.attempts, problem.attempts + 1),
            first_opened_on=min(newer.first_opened_on, problem.first_opened_on),
        )

    def _store(self, row: Row) -> str:
        assert row.key is not None
        assert row.issued is not None
        self.stored[row.key] = Stored(row.values["企业名称"], row.issued, row.values["注册地址"])
        return row.key


# The nights


@dataclass(frozen=True)
class Act:
    """What the section does: `number` is the record, None where it concerns all; `until_on` the end of a waiver."""

    what: Literal["waive", "write off", "return", "redrive"]
    number: int | None = None
    until_on: date | None = None


@dataclass(frozen=True)
class ProblemNight:
    """One night and the day after it.

    The file is delivered and loaded first; then the day ends waivers and writes off what came right; then the section
    does `acts`, in their order. `problems` and `stored` are what must stand in the evening; `loaded` are the keys of the
    certificates that the redrive loaded.
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

    def __init__(self, deliveries: Deliveries, seed: int = 1, number_of_nights: int = 30) -> None:
        self.number_of_nights = number_of_nights
        self._chance = Random(f"{seed}/problems")
        self._truth = _Truth(whole=deliveries == "snapshots")
        self._lives: list[_Life] = []
        # While a row has no key, a whole register says of no other that it is missing: these come together.
        lives = (*_LIVES_WITHOUT_KEY, *self._chance.sample(_LIVES, len(_LIVES)))
        self._next_lives = cycle(lives)
        self._next_wrong = cycle(self._chance.sample(_WRONG, len(_WRONG)))
        self._worked = 0

    def nights(self) -> Iterator[ProblemNight]:
        """Let the nights pass; to be iterated once."""
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
        """Return the rows of a night's file: what is new, changed or sent again, or all that the register holds."""
        for _ in range(_LIVES_A_NIGHT):
            number = len(self._lives) + 1
            issued = date(2019, 1, 1) + timedelta(days=self._chance.randrange(2000))
            self._lives.append(_Life(_license(number, issued), list(next(self._next_lives))))
        told = [life for life in self._lives if self._write(life)]
        lives = self._lives if self._truth.whole else told
        rows = [life.row for life in lives if life.row is not None for _ in range(life.copies)]
        self._chance.shuffle(rows)
        return rows

    def _write(self, life: _Life) -> bool:
        """Let the department do what comes next for a license; tell whether it wrote its row."""
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
        if step == "twice":
            life.copies = 2
        elif step == "deleted":
            life.row = None
        elif step != "again":
            life.copies = 1
            life.row = self._another_wrong(life) if step == "wrong" else _WRITES[step](life.license)
            life.wrong = life.row if life.row.failed(EARLIEST) else life.wrong
        return True

    def _another_wrong(self, life: _Life) -> Row:
        return next(row for write in self._next_wrong if (row := write(life.license)) != life.row)

    def _decide(self, day: date) -> Iterator[Act]:
        """Let the section do what it decides on a working day."""
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
        if self._worked % 2 == 1 and self._truth.give_back(day):
            yield Act("return")


# What occurred


def kinds(night: ProblemNight) -> frozenset[str]:
    """Return the kinds of lives that lie behind a night: what happened to a record in which state, and what it was."""
    replaced = {problem.replaced_by: problem for problem in night.problems}
    waived = {problem.row.line for problem in night.problems if problem.solution == "waived"}
    found = {name for problem in night.problems for name in (*_happened(problem), *_was(problem, night))}
    for problem in night.problems:
        before = replaced.get(problem.number)
        if before is not None and _is_solved_by_redrive(before):
            found.add(f"replaced by a redrive, then {problem.status}")
        if problem.row.line in waived and problem.solution != "waived":
            found.add("written off, opened anew")
    if any(stored.removed for stored in night.stored.values()):
        found.add("stored, gone from the register")
    return frozenset(found)


def _is_solved_by_redrive(problem: Problem) -> bool:
    # It is the last thing that happens on its day.
    return any(event.event == "redriven" and event.on == problem.solved_on for event in problem.events)


def _was(problem: Problem, night: ProblemNight) -> Iterator[str]:
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
    if problem.row.torn and "redriven" in problem.path:
        yield "torn, redriven"


def _happened(problem: Problem) -> Iterator[str]:
    state, redriven_when = "open", None
    for day in problem.seen_on[1:]:
        # A file comes before all else that happens on its day.
        states = [_STATE_AFTER[event.event] for event in problem.events if event.on < day and event.event in _STATE_AFTER]
        yield f"seen again when {states[-1] if states else 'open'}"
    for event in problem.events:
        if event.event == "redriven":
            redriven_when = state
        elif event.event == "closed":
            yield f"{problem.solution}, written off by {'a person' if event.done_by else 'itself'}"
        elif event.event == problem.solution and _is_solved_by_redrive(problem):
            yield f"{event.event} by a redrive when {state}"
        else:
            yield f"{event.event} when {state}"
        state = _STATE_AFTER.get(event.event, state)
    if redriven_when is not None and not _is_solved_by_redrive(problem):
        yield f"still wrong by a redrive when {redriven_when}"


_STATE_AFTER: Final = {"returned": "returned", "waived": "waived", "waiver_ended": "open again"}
