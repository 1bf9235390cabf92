"""A city of 17 departments, night after night: what their systems show, and what a correct pipeline makes of it.

What happens to a certificate (issued, amended, deleted, written wrongly, sent twice, committed late) is decided first;
how it is written, and with which dirt, afterwards.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Literal, get_args

from simulator.certificates import Certificate, Office
from simulator.dirt import Broken, Written, applicable, no_holder, write, write_untidily
from simulator.model import (
    IMPOSSIBLE_TIME,
    Column,
    Fate,
    FilePlace,
    HttpPlace,
    Night,
    NightDelivery,
    Raw,
    RowTruth,
    SourceRow,
    SourceSystem,
    TablePlace,
    Value,
)
from simulator.oddities import ODDITIES, numbered_as, renamed
from simulator.sources import DIALECTS, SAME_COLUMN, SYSTEMS
from simulator.truth import HOLDING, SHARE_RULES_FROM, UNDATED, Content, Decided, Store, as_time, batch_rules

Operation = Literal["insert", "update", "delete"]
Mishap = Literal["shrunk", "swollen", "spoilt", "hollow", "broken_off"]

_How = Literal["right", "wrong", "opens", "closes"]
_QUOTES: tuple[_How, _How] = ("opens", "closes")

SMALLEST = 40
"""The least rows of a feed with which every kind of row occurs."""

NIGHTS_FOR_ALL = 5
"""Nights within which each feed has every kind of broken and of odd row that it can have."""

MISHAPS: Mapping[tuple[str, int], Mishap] = {
    ("public_security.residence_permit", 3): "spoilt",
    ("medical_insurance.medical_insurance_e_voucher", 3): "shrunk",
    ("medical_insurance.medical_insurance_e_voucher", 5): "swollen",
    ("market_supervision.business_license", 4): "hollow",
    ("disabled_persons.disability_certificate", 2): "broken_off",
}
"""What goes wrong with a delivery as a whole, by system and night.

An export loses a column, and is corrected by the next night; only a part of a register is shown; or it has more than
twice as many rows as the night before, which is no reason to hold it. A small file whose holders are all missing is
hollow; the next night's file corrects half of its certificates. An upload breaks off, and the part that was sent is
next to the complete file.
"""

_UNTIDY = 0.4
_BROKEN = 0.06
_HOLLOW_ROWS = 12
_UNDATED_NIGHT = 2
"""The night with rows without a time."""
_SCAN = b"\x89PNG\r\n\x1a\n\x00\xff".hex()
"""The value of a column of bytes, which zhengku ignores."""


class City:
    """The whole city: the same arguments give the same bytes.

    `rows_per_feed` certificates exist on the first night, a tenth of it is new on every later night. `first_day` and
    the `nights - 1` days after it must be in the past: the stamps of the rows are of these days. With `mishaps`, some
    deliveries are wrong as a whole; see `MISHAPS`. `careless` is the share of systems whose rows may be wrong or odd:
    with 1.0 there is more dirt than in a real city, so that a test gets every kind within few nights.
    """

    def __init__(
        self,
        seed: int = 1,
        rows_per_feed: int = 400,
        first_day: date = date(2026, 1, 5),
        nights: int = 5,
        systems: Sequence[SourceSystem] = SYSTEMS,
        *,
        mishaps: bool = True,
        careless: float = 1.0,
    ) -> None:
        if rows_per_feed < SMALLEST:
            raise ValueError(f"expected at least {SMALLEST} rows a feed to hold every kind of row, got {rows_per_feed}")
        if nights < 1:
            raise ValueError(f"expected at least one night, got {nights}")
        self.seed = seed
        self.rows_per_feed = rows_per_feed
        self.first_day = first_day
        self.number_of_nights = nights
        self.systems = tuple(systems)
        self.mishaps = MISHAPS if mishaps else {}
        self.careless = careless

    def nights(self) -> Iterator[Night]:
        """Yield the nights in order."""
        registers = [
            _register(self.seed, system, self.rows_per_feed, self.first_day, self.careless) for system in self.systems
        ]
        for number in range(1, self.number_of_nights + 1):
            day = self.first_day + timedelta(days=number - 1)
            deliveries = (
                register.night(number, day, self.mishaps.get((register.system.name, number))) for register in registers
            )
            yield Night(number, day, tuple(deliveries))


def write_truth(night: Night, folder: Path) -> None:
    """Write the truth of a night to `<folder>/truth/night-<number>/`.

    `<system>.rows.jsonl` has the fate of each row read, `<system>.stored.jsonl` what the store has afterwards,
    `feeds.jsonl` the counts of every feed.
    """
    place = folder / "truth" / f"night-{night.number:04d}"
    place.mkdir(parents=True, exist_ok=True)
    summary = []
    for delivery in night.deliveries:
        name = delivery.system.name
        _write_lines(place / f"{name}.rows.jsonl", [asdict(row) for row in delivery.rows])
        _write_lines(place / f"{name}.stored.jsonl", [asdict(row) for row in delivery.stored])
        fates = dict.fromkeys(get_args(Fate), 0)
        for row in delivery.rows:
            fates[row.fate] += 1
        summary.append(
            {
                "department": delivery.system.department,
                "feed": delivery.system.feed,
                "license_type": delivery.system.license_type,
                "fetched": len(delivery.rows),
                "fates": fates,
                "stored": len(delivery.stored),
                "removed": sum(row.removal is not None for row in delivery.stored),
                "compared": delivery.compared,
                "held": delivery.held,
                "batch_rules": delivery.batch_rules,
                "watermark": as_time(delivery.watermark) if delivery.watermark else None,
                "file_name": delivery.file_name,
            }
        )
    _write_lines(place / "feeds.jsonl", summary)


def _write_lines(path: Path, rows: Sequence[object]) -> None:
    aside = path.with_name(f".{path.name}.part")
    aside.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    aside.replace(path)


def _register(seed: int, system: SourceSystem, rows: int, first_day: date, careless: float) -> "_Register":
    is_careless = Random(f"{seed}/{system.name}/careless").random() < careless
    if isinstance(system.place, FilePlace) or system.place.whole:
        return _FileRegister(seed, system, rows, first_day, is_careless)
    return _LogRegister(seed, system, rows, first_day, is_careless)


class _Register:
    """One system: its certificates, its rows, and what was decided about them."""

    def __init__(self, seed: int, system: SourceSystem, rows: int, first_day: date, careless: bool) -> None:
        self.system = system
        self.size = rows
        self.first_day = first_day
        self.chance = Random(f"{seed}/{system.name}")
        self.office = Office(system.department, system.license_type, self.chance, first_day - timedelta(days=5))
        self.key_names = self.office.sheet.key
        self.store = Store(system.license_type)
        # Each with the time of its last change, None where it has no time.
        self.live: dict[str, tuple[Certificate, datetime | None]] = {}
        self.touched: set[str] = set()
        self.odd: set[str] = set()
        self.rows_made = 0
        self.loaded_before: int | None = None
        self.unsolved: set[str] = set()
        samples = [self.office.issue() for _ in range(30)]
        # Breaks and oddities are used in turn: the next one is at the front.
        self.breaks = applicable(
            system, {certificate.fields["holder_code_type"]: certificate for certificate in samples}
        )
        plain = [certificate for certificate in samples if not certificate.warnings]
        self.oddities = [odd for odd in ODDITIES if any(odd(system, certificate) for certificate in plain)]
        # A night with a mishap may show none of these rows, and the rows that it does show may be amended before they
        # are read.
        nights = NIGHTS_FOR_ALL - 2 * (system.name in {name for name, _ in MISHAPS})
        self.breaks_a_night = max(3, -(-len(self.breaks) // nights)) if careless else 0
        self.oddities_a_night = -(-len(self.oddities) // nights) if careless else 0
        self.broken_share = _BROKEN if careless else 0.0

    def night(self, number: int, day: date, mishap: Mishap | None = None) -> NightDelivery:
        """Return the delivery of one night."""
        raise NotImplementedError

    def collect(self, rows: Sequence[Decided]) -> tuple[list[RowTruth], tuple[str, ...], bool]:
        """Collect rows; return the outcome of each, the batch rules that they fail, and whether they are held."""
        failed = batch_rules(rows, self.loaded_before, self.unsolved)
        if not HOLDING.isdisjoint(failed):
            return [row.truth("held") for row in rows], failed, True
        if self.system.place.whole:
            self.loaded_before = len(rows)
        self.unsolved -= {row.key for row in rows if row.key is not None and not row.rules}
        truths = self.store.collect(rows)
        # A wrong row that is older than what the store has is no problem: it changes nothing.
        self.unsolved |= {
            row.key
            for row, truth in zip(rows, truths, strict=True)
            if row.key is not None and truth.fate == "quarantined"
        }
        return truths, failed, False

    def issue(self) -> Certificate:
        return self.office.issue()

    def key(self, certificate: Certificate) -> str:
        return certificate.key(self.key_names)

    def issue_odd(self) -> Certificate:
        """Issue a certificate with the next oddity in turn."""
        odd = self.oddities.pop(0)
        self.oddities.append(odd)
        while True:
            certificate = self.issue()
            made = None if certificate.warnings else odd(self.system, certificate)
            if made is not None:
                self.odd.add(self.key(made))
                return made

    def take(self, count: int, *, with_odd: bool = True) -> list[str]:
        """Choose existing certificates that no event of this night has used, and mark them as used."""
        candidates = [key for key in self.live if key not in self.touched and (with_odd or key not in self.odd)]
        chosen = self.chance.sample(candidates, min(count, len(candidates)))
        self.touched.update(chosen)
        return chosen

    def clean_row(
        self, certificate: Certificate, at: datetime | None, night: int, version: datetime, intent: Fate,
        operation: str | None = None,
    ) -> Decided:  # fmt: skip
        """Write a row that must not be quarantined, tidily or not."""
        written = write(self.system, certificate, at)
        written.values["operation"] = operation
        if self.chance.random() < _UNTIDY:
            write_untidily(self.system, written, certificate, self.chance)
        row = self.row(written.columns(self.system), at, night)
        warnings = certificate.warnings
        if at is None and self.system.time_column is not None:
            warnings |= {"certificate.source_updated_at.present"}
        return Decided(row, self.key(certificate), version, self.content(certificate, at), intent, warnings=warnings)

    def broken_row(
        self, certificate: Certificate, at: datetime | None, night: int, version: datetime, intent: Fate,
        operation: str | None = None, fits: Callable[[Broken], bool] | None = None,
    ) -> Decided:  # fmt: skip
        """Write a row that must be quarantined, with the next break in turn that fits.

        Raises `RuntimeError` when there is none.
        """
        for place, how in enumerate(self.breaks):
            written = write(self.system, certificate, at)
            written.values["operation"] = operation
            broken = how(self.system, certificate, written, self.chance)
            if broken is not None and (fits is None or fits(broken)):
                self.breaks.append(self.breaks.pop(place))
                return self.decided(certificate, written, broken, at, night, version, intent)
        raise RuntimeError(f"{self.system.name}: no way to break certificate {certificate.number} fits")

    def decided(
        self, certificate: Certificate, written: Written, broken: Broken, at: datetime | None, night: int,
        version: datetime, intent: Fate,
    ) -> Decided:  # fmt: skip
        row = self.row(written.columns(self.system), at, night)
        return Decided(
            row,
            broken.key,
            version,
            None,
            intent,
            rules=broken.rules,
            warnings=broken.warnings(certificate),
            torn=broken.torn,
        )

    def content(self, certificate: Certificate, at: datetime | None) -> Content:
        fields = dict(certificate.fields)
        if self.system.time_column is not None and at is not None:
            fields["source_updated_at"] = as_time(at)
        return Content(fields, certificate.extension, certificate.district_form)

    def row(self, values: Mapping[str, Value], at: datetime | None, night: int) -> SourceRow:
        self.rows_made += 1
        row_id = f"{self.rows_made:010d}"
        filled: dict[str, Value] = {
            column.name: self._ignored_value(column, night) if column.source is None else values[column.name]
            for column in self.system.columns
        }
        if self.system.row_id is not None:
            filled[self.system.row_id] = self.rows_made if not isinstance(self.system.place, HttpPlace) else row_id
        return SourceRow(row_id, filled, at, night)

    def _ignored_value(self, column: Column, night: int) -> Value:
        if column.kind == "bytes":
            return _SCAN
        if column.kind == "bit":
            return str(self.rows_made % 2)
        return "湖北" if column.name == "所在省份" else f"{night:04d}{self.rows_made:06d}"


class _LogRegister(_Register):
    """A system that adds a row for every change, and is read from a watermark on, less an overlap."""

    def __init__(self, seed: int, system: SourceSystem, rows: int, first_day: date, careless: bool) -> None:
        super().__init__(seed, system, rows, first_day, careless)
        self.log: list[Decided] = []
        self.watermark: datetime | None = None
        self.deleted: list[Certificate] = []
        self.wrong: list[Certificate] = []
        # Rows that are no record of any certificate, each with the certificate that it was meant for.
        self.keyless: list[tuple[Decided, Certificate]] = []
        self.corrected: tuple[str, ...] = ()
        # Rows that replace wrong rows from the next night on, by row id.
        self.repaired: dict[str, Decided] = {}
        self.operations = DIALECTS[system.department].operations

    def night(self, number: int, day: date, mishap: Mishap | None = None) -> NightDelivery:
        self.log = [self.repaired.pop(decided.row.row_id, decided) for decided in self.log]
        added = self._first(day) if number == 1 else self._later(number, day, mishap)
        self.log += added
        # Rows without a time are last.
        self.log.sort(key=lambda d: (d.row.changed_at is None, d.row.changed_at or UNDATED, d.row.row_id))
        start = UNDATED
        if self.watermark is not None:
            start = self.watermark - timedelta(minutes=self.system.overlap_minutes)
        # Rows without a time are read every night: their changes cannot be detected.
        read = [d for d in self.log if d.row.changed_at is None or d.row.changed_at >= start]
        truths, failed, held = self.collect(read)
        if not held:
            stamps = [d.row.changed_at for d in read if d.row.changed_at not in (None, IMPOSSIBLE_TIME)]
            self.watermark = max(stamps if self.watermark is None else [self.watermark, *stamps])
        return NightDelivery(
            self.system,
            [decided.row for decided in self.log],
            [decided.row for decided in added],
            truths,
            self.store.truths(),
            self.watermark,
            batch_rules=failed,
            corrected=() if held else self.corrected,
        )

    def _add(
        self, certificate: Certificate, at: datetime, night: int, intent: Fate, word: Operation = "insert"
    ) -> Decided:
        key = self.key(certificate)
        self.live[key] = (certificate, at)
        self.touched.add(key)
        return self.clean_row(certificate, at, night, at, intent, self.operations.get(word))

    def _delete(self, certificate: Certificate, at: datetime, night: int, intent: Fate) -> Decided:
        # A row that deletes need not write the number as it was.
        certificate = self.office.rewritten(certificate)
        decided = self.clean_row(certificate, at, night, at, intent, self.operations["delete"])
        content = decided.content
        if self.chance.random() < 0.5:
            # Many systems deliver only which certificate is deleted.
            written = write(self.system, certificate, at)
            keep = {*self.key_names, "source_updated_at"}
            written.values = {name: value if name in keep else None for name, value in written.values.items()}
            written.values["operation"] = self.operations["delete"]
            same = SAME_COLUMN.get(self.system.license_type, {})
            kept = {*keep, *(name for name, source in same.items() if source in keep), *self.office.constants}
            values = written.columns(self.system)
            decided = replace(decided, row=replace(decided.row, values=self._with_marks(decided.row, values)))
            full = self.content(certificate, at)
            content = Content({name: value for name, value in full.fields.items() if name in kept}, {}, None)
        return replace(decided, removes=True, content=content)

    def _with_marks(self, row: SourceRow, values: Mapping[str, Value]) -> dict[str, Value]:
        unwanted = {column.name for column in self.system.columns if column.source in (None, "row_id")}
        return {name: row.values[name] if name in unwanted else value for name, value in values.items()}

    def _first(self, day: date) -> list[Decided]:
        """Return the rows of the whole stock: most of it was last changed before the first day."""
        added = []
        broken = max(self.breaks_a_night, int(self.size * self.broken_share))
        repeated = max(2, self.size // 40)
        for place in range(self.size):
            certificate = self.issue()
            at = self._before(day, place)
            two = []
            if place < repeated:
                # The older of two rows: the newest counts.
                is_renamed = place == 1 and bool(self.broken_share)
                older = renamed(certificate) if is_renamed else self.office.amended(certificate)
                two.append(self._add(older, at - timedelta(days=1, minutes=place), 1, "duplicate"))
            two.append(self._add(certificate, at, 1, "inserted"))
            if place == 1 and self.broken_share:
                two = [replace(row, warnings=row.warnings | {"certificate.record_key.one_name"}) for row in two]
            added += two
        for place in range(broken):
            certificate = self.issue()
            self.wrong.append(certificate)
            at = self._before(day, self.size + place)
            added.append(self._broken(certificate, at, 1))
        if self.operations:
            gone = self.issue()
            at = self._before(day, self.size + broken)
            added.append(self._delete(gone, at, 1, "deleted"))
        for place in range(self.oddities_a_night):
            at = self._before(day, self.size + broken + 1 + place)
            added.append(self._add(self.issue_odd(), at, 1, "inserted"))
        if self.broken_share:
            added += self._of_one_number(self._before(day, self.size + broken + 1 + self.oddities_a_night))
        # The newer row of the next night's late one.
        key = next(iter(self.live))
        added.append(self._amend(key, datetime.combine(day, time(20)), 1, "inserted"))
        self._mark_duplicate(added, key)
        if isinstance(self.system.place, HttpPlace) and self.system.place.doubled_rows:
            # Not a certificate that is amended tonight; of two equal rows the last one counts.
            place = next(n for n, row in enumerate(added) if n > 2 * repeated and row.intent == "inserted")
            added.insert(place, replace(added[place], intent="duplicate"))
        return added

    def _broken(self, certificate: Certificate, at: datetime, night: int) -> Decided:
        """Write a new certificate wrongly."""
        decided = self.broken_row(certificate, at, night, at, "quarantined", self.operations.get("insert"))
        if decided.key is None:
            self.keyless.append((decided, certificate))
        return decided

    def _correct_in_place(self, number: int, moments: Iterator[datetime]) -> list[Decided]:
        """Replace a row that was no record by a correct one with its row id, which is their only connection."""
        added = []
        # Only for certificates that were not issued once more meanwhile.
        waiting = [(wrong, one) for wrong, one in self.keyless if any(one is other for other in self.wrong)]
        keyless, self.keyless = waiting[:1], waiting[1:]
        self.corrected = tuple(wrong.row.row_id for wrong, _ in keyless)
        for wrong, certificate in keyless:
            self.log = [decided for decided in self.log if decided.row.row_id != wrong.row.row_id]
            self.wrong = [other for other in self.wrong if other is not certificate]
            right = self._add(certificate, next(moments), number, "inserted")
            values = self._with_marks(wrong.row, right.row.values)
            added.append(replace(right, row=replace(right.row, row_id=wrong.row.row_id, values=values)))
        return added

    def _of_one_number(self, at: datetime) -> list[Decided]:
        """Return two certificates of two holders under one number; both are corrected on later nights."""
        one, other = self.issue(), self.issue()
        mistaken = numbered_as(other, one, self.key_names)
        if mistaken is None:
            return []
        self.wrong += [one, other]
        rows = []
        for certificate in (one, mistaken):
            written = write(self.system, certificate, at)
            written.values["operation"] = self.operations.get("insert")
            broken = Broken(("certificate.record_key.one_holder",), self.key(certificate))
            rows.append(self.decided(certificate, written, broken, at, 1, at, "quarantined"))
        return rows

    @staticmethod
    def _mark_duplicate(added: list[Decided], key: str) -> None:
        for place, decided in enumerate(added[:-1]):
            if decided.key == key:
                added[place] = replace(decided, intent="duplicate")

    def _amend(self, key: str, at: datetime, night: int, intent: Fate) -> Decided:
        certificate, _ = self.live[key]
        return self._add(self.office.amended(certificate), at, night, intent, "update")

    def _before(self, day: date, place: int) -> datetime:
        # Spread over the years since 2019, with different seconds.
        span = (day - date(2019, 2, 1)).days - 2
        return datetime(2019, 2, 1, 8) + timedelta(days=place * 37 % span, seconds=place % 36_000)

    def _later(self, number: int, day: date, mishap: Mishap | None) -> list[Decided]:
        assert self.watermark is not None
        chance, size = self.chance, self.size
        moments = self._moments(day)
        added: list[Decided] = []
        last = self.watermark
        recent = [key for key, (_, at) in self.live.items() if at == last]
        self.touched = set(recent)
        if recent:
            # An older version of a row that the last night ended with, committed only now.
            certificate, _ = self.live[recent[0]]
            late = last - timedelta(minutes=self.system.overlap_minutes / 2)
            older = self.office.amended(certificate)
            # The overlap reads the newer row again, so the older one is its duplicate.
            added.append(self.clean_row(older, late, number, late, "duplicate", self.operations.get("update")))
            late -= timedelta(seconds=1)
            word, key = self.operations.get("update"), recent[0]
            added.append(
                self.broken_row(certificate, late, number, late, "superseded", word, lambda broken: broken.key == key)
            )
        for _ in range(max(1, size // 100)):
            late = last - timedelta(seconds=chance.randrange(60, self.system.overlap_minutes * 60 - 60))
            added.append(self._add(self.issue(), late, number, "inserted"))
        for _ in range(max(3, size // 10)):
            added.append(self._add(self.issue(), next(moments), number, "inserted"))
        for _ in range(self.oddities_a_night):
            added.append(self._add(self.issue_odd(), next(moments), number, "inserted"))
        for place, key in enumerate(self.take(max(3, size // 10))):
            if place % 5 == 0:
                added.append(self._amend(key, next(moments), number, "duplicate"))
            added.append(self._amend(key, next(moments), number, "updated"))
        added += self._correct_in_place(number, moments)
        for certificate in self.wrong[: len(self.wrong) // 2]:
            # The department corrected a record that was returned to it.
            added.append(self._add(certificate, next(moments), number, "inserted"))
        self.wrong = self.wrong[len(self.wrong) // 2 :]
        for _ in range(max(self.breaks_a_night, int(size * self.broken_share / 4))):
            certificate = self.issue()
            self.wrong.append(certificate)
            added.append(self._broken(certificate, next(moments), number))
        for key in self.take(2 if self.broken_share else 0, with_odd=False):
            certificate, _ = self.live[key]
            at = next(moments)
            added.append(self.broken_row(certificate, at, number, at, "quarantined", self.operations.get("update")))
        if self.operations:
            added += self._deletions(number, moments)
        if mishap == "spoilt":
            added += self._spoilt(number, moments)
        if number == _UNDATED_NIGHT and isinstance(self.system.place, TablePlace) and self.broken_share:
            added += self._undated(number)
        key = self.take(1, with_odd=False)[0]
        added.append(self._amend(key, datetime.combine(day, time(20)), number, "updated"))
        return added

    def _spoilt(self, number: int, moments: Iterator[datetime]) -> list[Decided]:
        """Return many new rows, two in five without a holder, which the next night replaces by correct ones."""
        added = []
        for place in range(SHARE_RULES_FROM + self.size):
            certificate, at = self.issue(), next(moments)
            right = self._add(certificate, at, number, "inserted")
            if place % 5 > 1:
                added.append(right)
                continue
            written = write(self.system, certificate, at)
            written.values["operation"] = self.operations.get("insert")
            broken = no_holder(self.system, certificate, written, self.chance)
            wrong = self.decided(certificate, written, broken, at, number, at, "held")
            added.append(wrong)
            values = self._with_marks(wrong.row, right.row.values)
            row = replace(right.row, row_id=wrong.row.row_id, values=values)
            self.repaired[row.row_id] = replace(right, row=row)
        return added

    def _undated(self, number: int) -> list[Decided]:
        """Return a new certificate and a deletion, both without a time; a deletion must have one."""
        certificate = self.issue()
        self.live[self.key(certificate)] = (certificate, None)
        self.touched.add(self.key(certificate))
        word = insert = self.operations.get("insert")
        added = [self.clean_row(certificate, None, number, UNDATED, "inserted", word)]
        if "delete" in self.operations:
            certificate, _ = self.live[self.take(1)[0]]
            word = self.operations["delete"]
            deletion = self.clean_row(certificate, None, number, UNDATED, "quarantined", word)
            rules = ("certificate.source_updated_at.of_delete",)
            added.append(replace(deletion, removes=True, content=None, rules=rules))
        # A row with an impossible time: it is read every night, and the watermark does not move to it.
        certificate, never = self.issue(), IMPOSSIBLE_TIME
        written = write(self.system, certificate, never)
        written.values["operation"] = insert
        broken = Broken(("certificate.source_updated_at.parseable",), self.key(certificate))
        added.append(self.decided(certificate, written, broken, never, number, never, "quarantined"))
        return added

    def _deletions(self, number: int, moments: Iterator[datetime]) -> list[Decided]:
        added = [self._delete(self.issue(), next(moments), number, "deleted")]
        returning, self.deleted = self.deleted[:1], self.deleted[1:]
        for certificate in returning:
            added.append(self._add(certificate, next(moments), number, "updated"))
        for certificate in self.deleted[:1]:
            added.append(self._delete(certificate, next(moments), number, "unchanged"))
        for key in self.take(max(2, self.size // 50)):
            certificate, _ = self.live.pop(key)
            self.deleted.append(certificate)
            added.append(self._delete(certificate, next(moments), number, "deleted"))
        return added

    @staticmethod
    def _moments(day: date) -> Iterator[datetime]:
        """Yield increasing moments of a working day, all before 18:00 for up to 36,000."""
        at = datetime.combine(day, time(8))
        while True:
            at += timedelta(seconds=1)
            yield at


class _FileRegister(_Register):
    """A system that delivers a whole register, or a file with what is new."""

    def __init__(self, seed: int, system: SourceSystem, rows: int, first_day: date, careless: bool) -> None:
        super().__init__(seed, system, rows, first_day, careless)
        self.whole = system.place.whole
        self.gone: list[Certificate] = []
        self.wrong: list[Certificate] = []

    def night(self, number: int, day: date, mishap: Mishap | None = None) -> NightDelivery:
        if not self.whole or isinstance(self.system.place, FilePlace):
            self.rows_made = 0
        moments = _LogRegister._moments(day)
        if mishap == "hollow":
            rows = self._hollow(number, moments)
        else:
            rows = self._rows(number, moments, self._changes(number, day, moments, mishap))
        if mishap == "shrunk":
            rows = rows[: len(rows) // 3]
        truths, failed, held = self.collect(rows)
        compared = not self.whole or (not held and self.store.compare(rows))
        place = self.system.place
        name = None
        if isinstance(place, FilePlace):
            ending = "xlsx" if place.form == "xlsx" else "csv"
            name = f"{self.office.sheet.name}_{day}.{ending}"
        shown = [decided.row for decided in rows]
        return NightDelivery(
            self.system,
            shown,
            shown,
            truths,
            self.store.truths(),
            file_name=name,
            compared=compared,
            batch_rules=failed,
            broken_off=mishap == "broken_off",
        )

    def _changes(self, number: int, day: date, moments: Iterator[datetime], mishap: Mishap | None) -> dict[str, Fate]:
        """Let the certificates change; return the fates of those in the night's file."""
        size = self.size
        self.touched = set()
        intents: dict[str, Fate] = {}
        if number == 1:
            for place in range(size):
                certificate = self.issue()
                span = (day - date(2019, 2, 1)).days - 2
                at = datetime(2019, 2, 1, 8) + timedelta(days=place * 37 % span, seconds=place % 36_000)
                self._bring(certificate, at, intents)
            for _ in range(self.oddities_a_night):
                self._bring(self.issue_odd(), next(moments), intents)
            return intents
        if self.whole:
            for key in self.live:
                intents[key] = "unchanged"
            for certificate in self.gone[:1]:
                key = self.key(certificate)
                self.live[key] = (certificate, next(moments))
                intents[key] = "updated"
                self.touched.add(key)
            self.gone = self.gone[1:]
            for key in self.take(max(2, size // 40)):
                certificate, _ = self.live.pop(key)
                intents.pop(key)
                self.gone.append(certificate)
        else:
            # Sent once more, unchanged.
            intents.update(dict.fromkeys(self.take(max(2, size // 20)), "unchanged"))
        for key in self.take(max(3, size // 20)):
            certificate, _ = self.live[key]
            self.live[key] = (self.office.amended(certificate), next(moments))
            intents[key] = "updated"
        mended, self.wrong = self.wrong[: len(self.wrong) // 2], self.wrong[len(self.wrong) // 2 :]
        new = max(3, size // 20) + (13 * len(self.live) // 10 if mishap == "swollen" else 0)
        for certificate in [*mended, *(self.issue() for _ in range(new))]:
            self._bring(certificate, next(moments), intents)
        for _ in range(self.oddities_a_night):
            self._bring(self.issue_odd(), next(moments), intents)
        if number == _UNDATED_NIGHT and self.system.time_column is not None:
            self._bring(self.issue(), None, intents)
        return intents

    def _hollow(self, number: int, moments: Iterator[datetime]) -> list[Decided]:
        """Return a few new rows, none with a holder."""
        rows = []
        for _ in range(_HOLLOW_ROWS):
            certificate, at = self.issue(), next(moments)
            written = write(self.system, certificate, at)
            broken = no_holder(self.system, certificate, written, self.chance)
            rows.append(self.decided(certificate, written, broken, at, number, at, "held"))
            self.wrong.append(certificate)
        return rows

    def _bring(self, certificate: Certificate, at: datetime | None, intents: dict[str, Fate]) -> None:
        self.live[self.key(certificate)] = (certificate, at)
        intents[self.key(certificate)] = "inserted"

    def _rows(self, number: int, moments: Iterator[datetime], intents: dict[str, Fate]) -> list[Decided]:
        chance = self.chance
        timed = self.system.time_column is not None
        # Without a time of its own, a delivery is newer than all earlier ones.
        landed = datetime(9000, 1, 1) + timedelta(days=number)
        planned: list[tuple[Certificate, datetime | None, Fate, _How]] = []
        keys = list(intents)
        chance.shuffle(keys)
        dated = [key for key in keys if self.live[key][1] is not None]
        repeated = set(dated[: max(2, len(keys) // 40)])
        wrong = [self.issue() for _ in range(max(self.breaks_a_night, int(len(keys) * self.broken_share)))]
        known = [key for key in dated if intents[key] == "unchanged" and key not in repeated][:2] if timed else []
        for key in keys:
            certificate, at = self.live[key]
            if at is not None and key in repeated:
                planned.append((self.office.amended(certificate), at - timedelta(minutes=1), "duplicate", "right"))
            if at is not None and key in known:
                older = self.office.amended(certificate)
                planned.append((older, at - timedelta(days=1), "superseded", "right"))
                continue
            planned.append((certificate, at, intents[key], "right"))
        places = sorted(chance.randrange(len(planned) + 1) for _ in wrong)
        for shift, (place, certificate) in enumerate(zip(places, wrong, strict=True)):
            planned.insert(place + shift, (certificate, next(moments), "quarantined", "wrong"))
        if self.broken_share and isinstance(self.system.place, FilePlace) and "open_quotes" in self.system.place.habits:
            pair = [(self.issue(), next(moments), how) for how in _QUOTES]
            place = chance.randrange(len(planned) + 1)
            planned[place:place] = [(certificate, at, "quarantined", how) for certificate, at, how in pair]
            wrong += [certificate for certificate, _, _ in pair]
        self.wrong += wrong
        rows = []
        for certificate, at, intent, how in planned:
            stamp = at if timed else None
            version = (at or UNDATED) if timed else landed
            if how == "opens" or how == "closes":
                rows.append(self._quoted(certificate, number, version, how))
                continue
            if how == "right":
                rows.append(self.clean_row(certificate, stamp, number, version, intent))
                continue
            # A row without a key prevents the comparison of a whole register: on some nights only.
            fits = _keeps_comparable if self.whole and number % 4 != 0 else None
            decided = self.broken_row(certificate, stamp, number, version, intent, fits=fits)
            if any(rule.startswith("certificate.source_updated_at") for rule in decided.rules):
                decided = replace(decided, version=landed)
            rows.append(decided)
        return rows

    def _quoted(self, certificate: Certificate, number: int, version: datetime, how: "_How") -> Decided:
        """Write a row with one quote, which the next row closes or the row before has opened."""
        written = write(self.system, certificate, None)
        holder = certificate.fields["holder"]
        written.values["holder"] = Raw(f'"{holder}' if how == "opens" else f'{holder}"')
        broken = Broken(("row.quote",), None, torn=True)
        return self.decided(certificate, written, broken, None, number, version, "quarantined")


def _keeps_comparable(broken: Broken) -> bool:
    return broken.key is not None and not broken.torn
