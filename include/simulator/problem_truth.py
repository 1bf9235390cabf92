"""The problem records (问题数据) that a correct pipeline must have, record by record; computed without SQL.

It uses what was decided about a row (its key, the rules that it fails) and what people do. The life of a record:

- A wrong row opens a record, unless an unsolved one (open, returned or waived) exists for the very same row, wrong by
  the very same rules: that record is then seen once more, and keeps its state. Each of several identical rows of a file
  has a record of its own.
- When its row is not received again and a right row of the same key is, the record is corrected. When another wrong row
  of that key is, it is closed, replaced by the record of that row: the newer one is open, has one attempt more, and is
  as old as the first. When neither is, it is gone if the file is a whole register; a file with what is new proves
  nothing.
- So a row without a key (it has none, or it is no row) can only be gone, and so can one whose key was wrong.
- An open record is returned with all others that are open, with a term in working days. An open or a returned one can
  be waived: until the end of a day, and on the next day it is open again and no longer returned; or for good.
- A corrected record is closed automatically some working days later, or by a person before. A person may also close
  what is waived for good. A closed record is not opened again: the same row, received once more, is a new record.
- A redrive processes all stored rows of unsolved records again, as old as they were. What passes now is loaded, and its
  record corrected; what is wrong by the same rules is unchanged, and not counted as seen again; what is wrong by other
  rules is replaced. Nothing else changes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal

from simulator.working_days import count_working_days, working_days_after

Status = Literal["open", "returned", "corrected", "waived", "closed"]
Solution = Literal["corrected", "gone", "replaced", "waived"]

PERSON: Final = "虚构科员"
"""The login that decides in the section."""

TOO_EARLY: Final = "certificate.issue_date.not_before_1949"
EARLIEST: Final = date(1949, 10, 1)
"""The rule that is changed one day, and the first day of issue that it allows before."""

RETURN_TERM: Final = 5
CLOSED_AFTER: Final = 1
"""Working days: the term of a return, and the time after which a corrected record is closed."""

_FIRST_LINE: Final = 2


@dataclass(frozen=True)
class Row:
    """A row as the department writes it, and what a correct pipeline reads from it.

    `key` is its credit code, None without one; `issued` the day of issue, None where it cannot be read. `rules` are the
    critical rules that it fails, except `TOO_EARLY`. A `torn` row lacks a field.
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

    It was opened by line `line_no` of the `batch`-th batch, and its row was received last as line `last_line_no` of the
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


@dataclass(frozen=True)
class Stored:
    """A license as the store must have it; `removed` when the whole register no longer has it."""

    holder: str
    issued: date
    address: str
    removed: bool = False


@dataclass
class Truth:
    """The records and the store of one feed, as they must be; `whole` when each file is the whole register."""

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
                self._change(problem, seen_on=(*problem.seen_on, day), last_batch=self.batches, last_line_no=line_no)
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
        # A row without a key could be any license: then none is counted as missing.
        if self.whole and None not in keys:
            for key in self.stored.keys() - keys:
                self.stored[key] = replace(self.stored[key], removed=True)

    def redrive(self, day: date) -> frozenset[str]:
        """Process all rows of unsolved records again, by the batches of their last receipt; return the keys loaded."""
        loaded = set()
        sources: dict[int, list[Problem]] = {}
        for problem in sorted(self.unsolved(), key=lambda problem: (problem.last_batch, problem.last_line_no)):
            sources.setdefault(problem.last_batch, []).append(problem)
        for problems in sources.values():
            self.batches += 1
            # A torn row has no columns that could be stored: its file is read again, with its line numbers.
            by_file = any(problem.row.torn for problem in problems)
            for line_no, problem in enumerate(problems, _FIRST_LINE):
                self._add_event(problem, Event("redriven", day, PERSON))
                rules = problem.row.failed(self.earliest)
                if not rules:
                    loaded.add(self._store(problem.row))
                    self._solve(problem, "corrected", day)
                elif rules != problem.rules:
                    line_now = problem.last_line_no if by_file else line_no
                    newer = self._open(problem.row, rules, problem.place, line_now, day)
                    self._replace(problem, newer.number, day)
        return frozenset(loaded)

    def return_open(self, day: date) -> bool:
        """Return all open records to the department; False when there are none."""
        problems = [problem for problem in self.problems.values() if problem.status == "open"]
        if not problems:
            return False
        self.returns += 1
        due_on = working_days_after(day, RETURN_TERM)
        for problem in problems:
            self._add_event(problem, Event("returned", day, PERSON))
            self._change(problem, status="returned", returned_with=self.returns, due_on=due_on)
        return True

    def waive(self, problem: Problem, until_on: date | None, day: date) -> None:
        """Waive an open or returned record until the end of a day, or for good."""
        self._add_event(problem, Event("waived", day, PERSON, until_on))
        self._change(problem, status="waived", waived_until=until_on)

    def write_off(self, problem: Problem, day: date) -> None:
        """Close by hand a record that is corrected or waived for good."""
        self._add_event(problem, Event("closed", day, PERSON))
        if problem.status == "waived":
            self._change(problem, solution="waived", solved_on=day)
        self._change(problem, status="closed", closed_on=day)

    def let_time_pass(self, day: date) -> None:
        """End the waivers that expired, and close the records that were corrected long enough ago."""
        for problem in list(self.problems.values()):
            if problem.status == "waived" and problem.waived_until is not None and problem.waived_until < day:
                self._add_event(problem, Event("waiver_ended", day))
                self._change(problem, status="open", waived_until=None, returned_with=None, due_on=None)
            elif problem.status == "corrected":
                assert problem.solved_on is not None
                if count_working_days(problem.solved_on, day) >= CLOSED_AFTER:
                    self._add_event(problem, Event("closed", day))
                    self._change(problem, status="closed", closed_on=day)

    def _open(self, row: Row, rules: tuple[str, ...], place: int, line_no: int, day: date) -> Problem:
        number, batch = len(self.problems) + 1, self.batches
        problem = Problem(number, row, rules, place, batch, line_no, batch, line_no, day, day, (day,))
        self.problems[number] = problem
        return problem

    def _change(self, problem: Problem, **changes: object) -> None:
        now = self.problems[problem.number]
        self.problems[problem.number] = replace(now, **changes)  # type: ignore[arg-type]

    def _add_event(self, problem: Problem, event: Event) -> None:
        self._change(problem, events=(*self.problems[problem.number].events, event))

    def _solve(self, problem: Problem, solution: Solution, day: date) -> None:
        self._add_event(problem, Event(solution, day))
        if solution == "corrected":
            self._change(problem, status="corrected", solution=solution, solved_on=day)
        else:
            self._change(problem, status="closed", solution=solution, solved_on=day, closed_on=day)

    def _replace(self, problem: Problem, number: int, day: date) -> None:
        self._solve(problem, "replaced", day)
        self._change(problem, replaced_by=number)
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
