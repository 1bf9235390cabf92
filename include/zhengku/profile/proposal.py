"""From the columns of a sample to a proposed mapping: by their names, by what their values look like, as YAML."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from zhengku.catalog import Feed
from zhengku.catalog.department import DEFAULT_DATE_FORMS, DateForm
from zhengku.catalog.reference import LicenseType, StandardField
from zhengku.profile.looks import CODE_LIMIT, ColumnLook, as_code
from zhengku.profile.synonyms import NOT_WANTED, OPERATION, field_of, plain
from zhengku.profile.words import (
    DELETE_FLAG_PAIRS,
    DELETE_FLAG_WORDS,
    HOLDER_CODE_TYPE_WORDS,
    HOLDER_CODE_TYPES,
    OPERATION_WORDS,
    STATUS_WORDS,
    is_delete_flag,
)
from zhengku.transports.window import Watermark, Whole

SURE: Final = 0.8
"""Share of values that must look right before a field is proposed without a question mark."""

_POSSIBLE: Final = 0.3

# What the values of a field look like, where that can be told; any of them will do.
_EXPECTED_LOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    "certificate_identifier": ("certificate identifier",),
    "certificate_version": ("version",),
    "license_type_code": ("license type code",),
    "issue_date": ("date",),
    "valid_from": ("date",),
    "valid_to": ("date",),
    "source_updated_at": ("date",),
    "issuing_authority_code": ("credit code",),
    "defining_authority_code": ("credit code",),
    "holder_code": ("credit code", "identity number"),
    "district": ("district",),
    "file_url": ("url",),
    "file_digest": ("digest",),
}
# Looks that speak for a field even where the name does not.
_TELLING_LOOKS: Final = (
    "certificate_identifier",
    "license_type_code",
    "file_url",
    "file_digest",
    "district",
    "holder_code",
)
_PERSON_NAMES: Final = re.compile(
    r"法定代表|法人代表|负责人|经营者|姓名|户主|校长|监护人|驾驶员|举办者|联系人|夫妻|权利人|义务人"
)
_IDENTITY_NAMES: Final = re.compile(r"身份证|证件号码|公民身份|社会保障号")
_PLAIN_SCALAR: Final = re.compile(r"[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff/（）·.-]*")
_YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True)
class Mapped:
    """One proposed field or extension: its YAML value, why, and whether that is sure enough to stand as it is."""

    name: str
    column: str | None
    value: str
    why: str
    is_sure: bool = True


@dataclass
class Proposal:
    """A proposed mapping; `unsure` fields are only told, so that what is printed loads as it is.

    `no_text` has the columns that were left out of the sample, with their type.
    """

    fields: list[Mapped] = field(default_factory=list)
    unsure: list[Mapped] = field(default_factory=list)
    extension: list[Mapped] = field(default_factory=list)
    operation: Mapped | None = None
    ignored: list[tuple[str, str]] = field(default_factory=list)
    no_text: list[tuple[str, str]] = field(default_factory=list)

    @property
    def mapped(self) -> dict[str, Mapped]:
        """Fields that have a place, by name."""
        return {each.name: each for each in self.fields}


def propose(
    feed: Feed,
    license_type: LicenseType | None,
    standard: Mapping[str, StandardField],
    synonyms: Mapping[str, str],
    columns: Sequence[ColumnLook],
) -> Proposal:
    """Propose where every column of a sample goes; `synonyms` are those of `read_synonyms`."""
    return _Proposing(feed, license_type, standard, synonyms, columns).run()


class _Proposing:
    def __init__(
        self,
        feed: Feed,
        license_type: LicenseType | None,
        standard: Mapping[str, StandardField],
        synonyms: Mapping[str, str],
        columns: Sequence[ColumnLook],
    ) -> None:
        self.feed = feed
        self.license_type = license_type if license_type and not license_type.any_type else None
        self.extra_fields = license_type.extra_fields if license_type else ()
        self.standard = standard
        self.columns = {column.name: column for column in columns}
        self.named = {column.name: field_of(column.name, synonyms) for column in columns}
        self.proposal = Proposal()
        self.taken: set[str] = set()

    def run(self) -> Proposal:
        self._fields_by_name()
        self._fields_by_content()
        self._operation()
        self._constants()
        self._time_of_window()
        self._key()
        self._extension()
        self._rest()
        order = list(self.standard)
        self.proposal.fields.sort(key=lambda each: order.index(each.name))
        return self.proposal

    def _add(self, mapped: Mapped) -> None:
        (self.proposal.fields if mapped.is_sure else self.proposal.unsure).append(mapped)
        if mapped.is_sure and mapped.column is not None:
            self.taken.add(mapped.column)

    def _fields_by_name(self) -> None:
        claims: dict[str, list[ColumnLook]] = {}
        for column in self.columns.values():
            name = self.named[column.name]
            if name is not None and name in self.standard:
                claims.setdefault(name, []).append(column)
        for name, claimants in claims.items():
            # Of two columns that are named so, the one whose values look right and that is filled.
            best = max(claimants, key=lambda column: (self._fit(name, column), column.filled))
            fit = self._fit(name, best)
            looks = _EXPECTED_LOOKS.get(name)
            if not best.filled:
                self._add(self._mapping(name, best, "named so, but empty in the sample", is_sure=True))
            elif looks and fit < _POSSIBLE:
                self._add(
                    self._mapping(name, best, f"named so, but only {_percent(fit)} are {looks[0]}s", is_sure=False)
                )
            else:
                about = f"; {_percent(fit)} are {self._looks_named(name, best)}" if looks else ""
                self._add(self._mapping(name, best, f"named so{about}", is_sure=True))

    def _fields_by_content(self) -> None:
        placed = {each.name for each in (*self.proposal.fields, *self.proposal.unsure)}
        for name in _TELLING_LOOKS:
            if name not in self.standard or name in placed:
                continue
            free = [
                column
                for column in self.columns.values()
                if column.name not in self.taken
                and self.named[column.name] in (None, name, *placed)
                and self._fit(name, column) >= SURE
            ]
            if not free:
                continue
            best = max(free, key=lambda column: (column.distinct, self._fit(name, column)))
            why = f"not named so, but {_percent(self._fit(name, best))} are {self._looks_named(name, best)}"
            is_constant = best.distinct == 1 and best.filled > 1
            sure = len(free) == 1 and best.filled >= 10 and not (name == "holder_code" and is_constant)
            self._add(self._mapping(name, best, why, is_sure=sure))

    def _fit(self, name: str, column: ColumnLook) -> float:
        looks = _EXPECTED_LOOKS.get(name)
        if name == "certificate_number" and column.filled:
            # 证件号 may be the number of the certificate or of its holder.
            return 1.0 - 0.5 * min(1.0, column.share("credit code") + column.share("identity number"))
        if looks is None:
            return 1.0 if column.filled else 0.0
        return min(1.0, sum(column.share(look) for look in looks))

    def _looks_named(self, name: str, column: ColumnLook) -> str:
        shares = [(column.share(look), look) for look in _EXPECTED_LOOKS[name]]
        # One in 31 numbers of any kind has the check character of a credit code.
        return " or ".join(f"{look}s" for share, look in shares if share >= 0.1) or "nothing known"

    def _mapping(self, name: str, column: ColumnLook, why: str, *, is_sure: bool) -> Mapped:
        kind = self.standard[name].kind
        parts = [f"column: {scalar(column.name)}"]
        if column.filled < column.rows:
            why += f"; {_percent(column.filled / column.rows if column.rows else 0)} filled"
        if kind in ("date", "end_date", "timestamp") and column.date_forms:
            forms = [form for form, _ in sorted(column.date_forms.items(), key=lambda item: -item[1])]
            why += f"; written {'/'.join(forms)}"
            if DateForm.SPREADSHEET_SERIAL in forms:
                # The other forms stay: a sample does not show every one that a department writes.
                parts.append(f"date_forms: [{', '.join(dict.fromkeys((*forms, *DEFAULT_DATE_FORMS)))}]")
                why += "; ? five digits are taken for a spreadsheet's day"
        if kind == "timestamp" and name != "source_updated_at" and column.date_forms and not column.timed:
            parts.append("date_only: true")
            why += "; ? no value has a time of day: each counts at the end of its day"
        if name == "status":
            return self._coded(name, column, parts, why, STATUS_WORDS, is_sure=is_sure)
        if (
            name == "holder_code_type"
            and column.codes
            and not {as_code(code) for code in column.codes} <= (HOLDER_CODE_TYPES)
        ):
            return self._coded(name, column, parts, why, HOLDER_CODE_TYPE_WORDS, is_sure=is_sure)
        return Mapped(name, column.name, _flow(parts), why, is_sure)

    def _coded(
        self,
        name: str,
        column: ColumnLook,
        parts: list[str],
        why: str,
        words: Mapping[str, str],
        *,
        is_sure: bool,
    ) -> Mapped:
        codes = [as_code(code) for code in column.codes]
        known = {code: words[code] for code in codes if code in words}
        unknown = _unknown(column, codes, words)
        if not known:
            told = _values(column)
            written = ", ".join(f"{_text(code)}: ?" for code in codes) or '"?": ?'
            return Mapped(
                name,
                column.name,
                _flow([*parts, f"codes: {{{written}}}"]),
                f"{why}; {told}: ask the department what they mean",
                is_sure=False,
            )
        written = ", ".join(
            f"{_text(code)}: {_text(ours) if ours.isdecimal() else ours}" for code, ours in known.items()
        )
        if unknown:
            why += f"; ? not known: {', '.join(unknown)}, ask what they mean"
        return Mapped(name, column.name, _flow([*parts, f"codes: {{{written}}}"]), why, is_sure)

    def _operation(self) -> None:
        for column in self.columns.values():
            if self.named[column.name] != OPERATION or column.name in self.taken or self.proposal.operation:
                continue
            codes = [as_code(code) for code in column.codes]
            if is_delete_flag(column.name):
                self._delete_flag(column, codes)
                continue
            known = {code: OPERATION_WORDS[code] for code in codes if code in OPERATION_WORDS}
            unknown = _unknown(column, codes, OPERATION_WORDS)
            parts = [f"column: {scalar(column.name)}"]
            if not known and column.filled:
                told = _values(column)
                value = _flow([*parts, "codes: {?: upsert, ?: delete}"])
                why = f"named so; {told}: ask what they mean"
                self.proposal.operation = Mapped(OPERATION, column.name, value, why, is_sure=False)
                continue
            if set(known) - {"I", "U", "D"}:
                # A delete may not be among the rows of a sample.
                written = ", ".join(f"{_text(code)}: {ours}" for code, ours in known.items())
                parts.append(f"codes: {{{written}}}")
            why = "named so" + (f"; ? not known: {', '.join(unknown)}" if unknown else "")
            self.proposal.operation = Mapped(OPERATION, column.name, _flow(parts), why)
            self.taken.add(column.name)

    def _delete_flag(self, column: ColumnLook, codes: Sequence[str]) -> None:
        """Propose a column that says of each row whether it is deleted: 1 means so, however the column is called."""
        unknown = _unknown(column, codes, DELETE_FLAG_WORDS)
        pair = next((pair for pair in DELETE_FLAG_PAIRS if set(codes) & set(pair)), DELETE_FLAG_PAIRS[0])
        # The one that deletes may not be among the rows of a sample.
        known = {**dict.fromkeys(pair), **dict.fromkeys(code for code in codes if code in DELETE_FLAG_WORDS)}
        written = ", ".join(f"{_text(code)}: {DELETE_FLAG_WORDS[code]}" for code in known)
        value = _flow([f"column: {scalar(column.name)}", f"codes: {{{written}}}"])
        is_sure = bool(column.filled) and column.filled == column.rows and not unknown
        why = "named like a delete flag"
        if unknown:
            why += f"; ? not known: {', '.join(unknown)}, ask what they mean"
        elif column.filled < column.rows:
            why += f"; ? {column.rows - column.filled} rows have none, and would be quarantined: ask what that means"
        self.proposal.operation = Mapped(OPERATION, column.name, value, why, is_sure)
        if is_sure:
            self.taken.add(column.name)

    def _constants(self) -> None:
        license_type = self.license_type
        if license_type is not None:
            for name, constant in (
                ("certificate_name", license_type.name_zh),
                ("license_type_name", license_type.name_zh),
                ("license_type_code", license_type.license_type_code),
            ):
                if name in self.standard and constant and name not in self.proposal.mapped:
                    why = f"of the license type {license_type.license_type}"
                    self._add(Mapped(name, None, f"{{constant: {scalar(constant)}}}", why))
        holder_code = self.proposal.mapped.get("holder_code")
        placed = {each.name for each in (*self.proposal.fields, *self.proposal.unsure)}
        if (
            holder_code
            and holder_code.column
            and "holder_code_type" in self.standard
            and "holder_code_type" not in placed
        ):
            column = self.columns[holder_code.column]
            for look, code in (("credit code", "001"), ("identity number", "111")):
                share = column.share(look)
                if share >= SURE:
                    why = f"{_percent(share)} of the holder codes are {look}s"
                    self._add(Mapped("holder_code_type", None, f'{{constant: "{code}"}}', why))

    def _time_of_window(self) -> None:
        window = self.feed.window
        if not isinstance(window, Watermark) or "source_updated_at" not in self.standard:
            return
        self.proposal.unsure = [each for each in self.proposal.unsure if each.name != "source_updated_at"]
        for each in self.proposal.fields:
            if each.name == "source_updated_at":
                if each.column == window.column:
                    return
                self.proposal.fields.remove(each)
                self.taken.discard(each.column or "")
                break
        if window.column in self.columns:
            mapped = self._mapping(
                "source_updated_at", self.columns[window.column], "the window's column", is_sure=True
            )
            self._add(mapped)

    def _key(self) -> None:
        """Give certificates a number to be told by where no column is named so."""
        mapped = self.proposal.mapped
        if "certificate_number" not in self.standard or "certificate_number" in mapped:
            return
        fields_of = {each.column: each.name for each in self.proposal.fields if each.column}
        candidates = [
            column
            for column in self.columns.values()
            if column.filled
            and self.standard[fields_of.get(column.name, "certificate_number")].kind in ("code", "identifier", "text")
            and column.share("date") < _POSSIBLE
            and column.share("url") < _POSSIBLE
        ]
        if not candidates:
            return
        distinct = [column for column in candidates if column.is_distinct] or candidates
        best = next(
            (column for column in distinct if fields_of.get(column.name) == "holder_code"),
            max(distinct, key=lambda column: column.distinct),
        )
        why = f"? no column is named so; {best.distinct} different values in {best.filled} rows: is this the number?"
        self._add(self._mapping("certificate_number", best, why, is_sure=True))

    def _extension(self) -> None:
        wanted = {plain(name): name for name in self.extra_fields}
        for column in self.columns.values():
            chinese = wanted.get(plain(column.name)) or next(
                (name for name in self.extra_fields if plain(column.name) in [plain(part) for part in name.split("/")]),
                None,
            )
            if chinese is None or chinese in {each.name for each in self.proposal.extension}:
                continue
            if column.name in self.taken and self.named[column.name] not in (None, "issue_date"):
                continue
            parts = [f"column: {scalar(column.name)}"]
            personal = _personal(column)
            if personal:
                parts.append(f"personal: {personal}")
            self.proposal.extension.append(
                Mapped(chinese, column.name, _flow(parts), "named like an extra field of the license type")
            )
            self.taken.add(column.name)

        self._extension_by_part(wanted)

    def _extension_by_part(self, wanted: Mapping[str, str]) -> None:
        """Guess extra fields whose name holds a column's, or is held by it: 企业类型 may be 类型."""
        for column in self.columns.values():
            if column.name in self.taken or self.named[column.name] is not None or not column.filled:
                continue
            part = plain(column.name.rpartition("/")[2])
            done = {each.name for each in self.proposal.extension}
            for name, chinese in wanted.items():
                if chinese not in done and len(part) > 1 and (part in name or name in part):
                    personal = _personal(column)
                    parts = [f"column: {scalar(column.name)}", *([f"personal: {personal}"] if personal else [])]
                    why = "named nearly so"
                    self.proposal.extension.append(Mapped(chinese, column.name, _flow(parts), why, is_sure=False))
                    break

    def _rest(self) -> None:
        transport, window = self.feed.transport, self.feed.window
        used = set(transport.row_columns)
        if isinstance(window, Watermark):
            used.add(window.column)
        guesses = [*self.proposal.unsure, *self.proposal.extension, *filter(None, [self.proposal.operation])]
        unsure = {each.column: each.name for each in guesses if not each.is_sure}
        for column in self.columns.values():
            if column.name in self.taken or column.name in used:
                continue
            if column.name in unsure:
                why = f"? perhaps {unsure[column.name]}, see above"
            elif self.named[column.name] == NOT_WANTED:
                why = "named like what nobody needs"
            elif not column.filled:
                why = "empty in the sample"
            else:
                why = f"? {_described(column)}: map it, keep it as extension, or leave it here"
            self.proposal.ignored.append((column.name, why))


def proposal_yaml(
    feed: Feed,
    proposal: Proposal,
    standard: Mapping[str, StandardField],
    suites: Sequence[str],
    key_line: str,
    needed: Mapping[str, str],
) -> str:
    """Return a proposal as lines of YAML to be pasted below the feed's transport and window.

    `key_line` is what stands behind `key:`; `needed` has the fields that a critical rule wants in every row, with the
    rule: none of them is ever proposed as absent. Lines that begin with `# ?` are guesses that were not taken. No value
    of the sample stands in it but codes of short lists.
    """
    mapped = proposal.mapped
    lines: list[str] = []
    if isinstance(feed.window, Whole) and feed.deliveries != "snapshots":
        lines.append("deliveries: snapshots  # the window is whole, so what has disappeared can be seen")
    lines.append(f"key: {key_line}")
    updated = mapped.get("source_updated_at")
    if updated is not None:
        lines.append("version: source_updated_at  # of two rows of one key the later one counts")
    else:
        lines.append("version: delivery  # no column tells when a row changed")
    if proposal.operation is not None:
        sign = "" if proposal.operation.is_sure else "# ? "
        lines.append(f"{sign}operation: {proposal.operation.value}  # {proposal.operation.why}")
    lines += [f"suites: [{', '.join(suites)}]", "", "fields:"]
    lines += [_line(each) for each in proposal.fields]
    lines += [_line(each) for each in proposal.unsure]
    if proposal.extension:
        # A key with nothing but comments below it would be no mapping.
        sign = "" if any(each.is_sure for each in proposal.extension) else "# ? "
        lines += ["", f"{sign}extension:", *(_line(each) for each in proposal.extension)]
    absent = [name for name in standard if name not in mapped]
    if absent:
        unsure = {each.name for each in proposal.unsure}
        # A key with nothing but comments below it would be no list.
        lines += ["", "absent:" if set(absent) - set(needed) else "# ? absent:"]
        for name in absent:
            asked = "see the guess above" if name in unsure else standard[name].name_zh
            if name in needed:
                lines.append(
                    f"  # ? - {name}  # {asked}: rule {needed[name]} wants it in every row. Map a column; or ask the "
                    "department, and say in absent_because why rows may do without it"
                )
            else:
                lines.append(f"  - {name}  # {'? ' if name in unsure else ''}{asked}")
    ignored = [*proposal.ignored, *((name, f"holds no text ({kind}), was not read") for name, kind in proposal.no_text)]
    if ignored:
        lines += ["", "ignored_columns:", *(f"  - {scalar(name)}  # {why}" for name, why in ignored)]
    return "\n".join("    " + line if line else "" for line in lines) + "\n"


def scalar(text: str) -> str:
    """Return a text as YAML, in quotes unless it can only be read as itself."""
    if _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return _text(text)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _flow(parts: Sequence[str]) -> str:
    return f"{{{', '.join(parts)}}}"


def _line(each: Mapped) -> str:
    sign = "" if each.is_sure else "# ? "
    return f"  {sign}{scalar(each.name)}: {each.value}  # {each.why}"


def _percent(share: float) -> str:
    # Not rounded up: 99.9% is not all of them.
    return f"{int(share * 100)}%"


def _values(column: ColumnLook) -> str:
    shown = f": {' '.join(column.codes)}" if column.codes else ""
    return f"{column.distinct} different values{shown}"


def _unknown(column: ColumnLook, codes: Sequence[str], words: Mapping[str, str]) -> list[str]:
    """Return the codes that are no known word, and a count of the values that are not shown."""
    hidden = column.distinct - len(column.codes)
    return [*(code for code in codes if code not in words), *([f"{hidden} more that are not shown"] if hidden else [])]


def _personal(column: ColumnLook) -> str | None:
    if column.share("identity number") > 0 or _IDENTITY_NAMES.search(column.name):
        return "identity"
    # A few short words again and again are kinds of something; as many as there are rows may be names.
    is_varied = column.distinct > CODE_LIMIT or column.distinct * 2 > column.filled
    if _PERSON_NAMES.search(column.name) or (column.share("person") > SURE and is_varied):
        return "name"
    return None


def _described(column: ColumnLook) -> str:
    looks = sorted((share, look) for look in (*column.looks, "date") if (share := column.share(look)) >= _POSSIBLE)
    about = [f"{_percent(share)} like: {look}" for share, look in reversed(looks)][:2]
    filled = f"{_percent(column.filled / column.rows)} filled, {column.distinct} different"
    codes = (
        f", codes {', '.join(column.codes)}" if column.codes and all(code.isascii() for code in column.codes) else ""
    )
    return ", ".join([filled, *about]) + codes
