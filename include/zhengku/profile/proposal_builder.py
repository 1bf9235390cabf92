"""Proposing a mapping from the columns of a sample: by their names and by the patterns of their values."""

from collections.abc import Mapping, Sequence
from typing import Final

from zhengku.catalog import Feed
from zhengku.catalog.department import DEFAULT_DATE_FORMS, DateForm
from zhengku.catalog.reference import LicenseType, StandardField
from zhengku.profile.code_words import HOLDER_CODE_TYPE_WORDS, HOLDER_CODE_TYPES, STATUS_WORDS
from zhengku.profile.column_profile import SURE, ColumnProfile, as_code
from zhengku.profile.extension_fields import propose_extension
from zhengku.profile.operation_column import describe_values, propose_operation, unknown_codes
from zhengku.profile.proposal import Proposal, ProposedField
from zhengku.profile.synonyms import NOT_WANTED, OPERATION, field_of
from zhengku.profile.yaml_text import flow_mapping, quoted, scalar
from zhengku.transports.window import Watermark

_POSSIBLE: Final = 0.3
"""Share of values that must match a field's patterns before the field is proposed with a question mark."""

# The patterns of a field's values, of which any may match; fields without patterns are not listed.
_EXPECTED_PATTERNS: Final[Mapping[str, tuple[str, ...]]] = {
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
# Fields that are recognised by their patterns even when the column's name is unknown.
_FIELDS_BY_CONTENT: Final = (
    "certificate_identifier",
    "license_type_code",
    "file_url",
    "file_digest",
    "district",
    "holder_code",
)


def propose(
    feed: Feed,
    license_type: LicenseType | None,
    standard: Mapping[str, StandardField],
    synonyms: Mapping[str, str],
    columns: Sequence[ColumnProfile],
) -> Proposal:
    """Propose the use of every column of a sample; `synonyms` are those of `read_synonyms`."""
    return _ProposalBuilder(feed, license_type, standard, synonyms, columns).build()


class _ProposalBuilder:
    """Builds one proposal. `named` has the field that each column is named like, `used` the columns that are mapped."""

    def __init__(
        self,
        feed: Feed,
        license_type: LicenseType | None,
        standard: Mapping[str, StandardField],
        synonyms: Mapping[str, str],
        columns: Sequence[ColumnProfile],
    ) -> None:
        self.feed = feed
        self.license_type = license_type if license_type and not license_type.any_type else None
        self.extra_fields = license_type.extra_fields if license_type else ()
        self.standard = standard
        self.columns = {column.name: column for column in columns}
        self.named = {column.name: field_of(column.name, synonyms) for column in columns}
        self.proposal = Proposal()
        self.used: set[str] = set()

    def build(self) -> Proposal:
        self._propose_by_name()
        self._propose_by_content()
        self._propose_operation()
        self._propose_type_constants()
        self._propose_holder_code_type()
        self._map_window_column()
        self._propose_certificate_number()
        self._propose_extension()
        self._propose_ignored()
        order = list(self.standard)
        self.proposal.fields.sort(key=lambda each: order.index(each.name))
        return self.proposal

    def _add(self, proposed: ProposedField) -> None:
        (self.proposal.fields if proposed.is_sure else self.proposal.unsure).append(proposed)
        if proposed.is_sure and proposed.column is not None:
            self.used.add(proposed.column)

    def _proposed_names(self) -> set[str]:
        return {each.name for each in (*self.proposal.fields, *self.proposal.unsure)}

    def _propose_by_name(self) -> None:
        candidates: dict[str, list[ColumnProfile]] = {}
        for column in self.columns.values():
            name = self.named[column.name]
            if name is not None and name in self.standard:
                candidates.setdefault(name, []).append(column)
        for name, columns in candidates.items():
            # Of several columns with names of this field: the one whose values fit, then the one with most values.
            best = max(columns, key=lambda column: (self._fit(name, column), column.filled))
            fit = self._fit(name, best)
            patterns = _EXPECTED_PATTERNS.get(name)
            if not best.filled:
                self._add(self._field(name, best, "by name, but empty in the sample", is_sure=True))
            elif patterns and fit < _POSSIBLE:
                why = f"by name, but only {_percent(fit)} are {patterns[0]}s"
                self._add(self._field(name, best, why, is_sure=False))
            else:
                found = f"; {_percent(fit)} are {self._matched_patterns(name, best)}" if patterns else ""
                self._add(self._field(name, best, f"by name{found}", is_sure=True))

    def _propose_by_content(self) -> None:
        proposed = self._proposed_names()
        for name in _FIELDS_BY_CONTENT:
            if name not in self.standard or name in proposed:
                continue
            free = [
                column
                for column in self.columns.values()
                if column.name not in self.used
                and self.named[column.name] in (None, name, *proposed)
                and self._fit(name, column) >= SURE
            ]
            if not free:
                continue
            best = max(free, key=lambda column: (column.distinct, self._fit(name, column)))
            why = f"not by name, but {_percent(self._fit(name, best))} are {self._matched_patterns(name, best)}"
            is_constant = best.distinct == 1 and best.filled > 1
            is_sure = len(free) == 1 and best.filled >= 10 and not (name == "holder_code" and is_constant)
            self._add(self._field(name, best, why, is_sure=is_sure))

    def _fit(self, name: str, column: ColumnProfile) -> float:
        patterns = _EXPECTED_PATTERNS.get(name)
        if name == "certificate_number" and column.filled:
            # 证件号 may be the number of the certificate or of its holder.
            return 1.0 - 0.5 * min(1.0, column.share("credit code") + column.share("identity number"))
        if patterns is None:
            return 1.0 if column.filled else 0.0
        return min(1.0, sum(column.share(pattern) for pattern in patterns))

    def _matched_patterns(self, name: str, column: ColumnProfile) -> str:
        shares = [(column.share(pattern), pattern) for pattern in _EXPECTED_PATTERNS[name]]
        # One in 31 numbers of any kind has the check character of a credit code.
        return " or ".join(f"{pattern}s" for share, pattern in shares if share >= 0.1) or "nothing known"

    def _field(self, name: str, column: ColumnProfile, why: str, *, is_sure: bool) -> ProposedField:
        kind = self.standard[name].kind
        entries = [f"column: {scalar(column.name)}"]
        if column.filled < column.rows:
            why += f"; {_percent(column.filled / column.rows if column.rows else 0)} filled"
        if kind in ("date", "end_date", "timestamp") and column.date_forms:
            forms = [form for form, _ in sorted(column.date_forms.items(), key=lambda item: -item[1])]
            why += f"; written {'/'.join(forms)}"
            if DateForm.SPREADSHEET_SERIAL in forms:
                # Also the default forms: a sample need not have every form that the department writes.
                entries.append(f"date_forms: [{', '.join(dict.fromkeys((*forms, *DEFAULT_DATE_FORMS)))}]")
                why += "; ? five digits are read as a spreadsheet's day"
        if kind == "timestamp" and name != "source_updated_at" and column.date_forms and not column.timed:
            entries.append("date_only: true")
            why += "; ? no value has a time of day: each counts at the end of its day"
        if name == "status":
            return _coded_field(name, column, entries, why, STATUS_WORDS, is_sure=is_sure)
        codes = {as_code(code) for code in column.codes}
        if name == "holder_code_type" and codes and not codes <= HOLDER_CODE_TYPES:
            return _coded_field(name, column, entries, why, HOLDER_CODE_TYPE_WORDS, is_sure=is_sure)
        return ProposedField(name, column.name, flow_mapping(entries), why, is_sure)

    def _propose_operation(self) -> None:
        column = next(
            (
                column
                for column in self.columns.values()
                if self.named[column.name] == OPERATION and column.name not in self.used
            ),
            None,
        )
        if column is None:
            return
        self.proposal.operation = propose_operation(column)
        if self.proposal.operation.is_sure:
            self.used.add(column.name)

    def _propose_type_constants(self) -> None:
        license_type = self.license_type
        if license_type is None:
            return
        for name, constant in (
            ("certificate_name", license_type.name_zh),
            ("license_type_name", license_type.name_zh),
            ("license_type_code", license_type.license_type_code),
        ):
            if name in self.standard and constant and name not in self.proposal.mapped:
                why = f"of the license type {license_type.license_type}"
                self._add(ProposedField(name, None, f"{{constant: {scalar(constant)}}}", why))

    def _propose_holder_code_type(self) -> None:
        holder_code = self.proposal.mapped.get("holder_code")
        if holder_code is None or not holder_code.column:
            return
        if "holder_code_type" not in self.standard or "holder_code_type" in self._proposed_names():
            return
        column = self.columns[holder_code.column]
        for pattern, code in (("credit code", "001"), ("identity number", "111")):
            share = column.share(pattern)
            if share >= SURE:
                why = f"{_percent(share)} of the holder codes are {pattern}s"
                self._add(ProposedField("holder_code_type", None, f'{{constant: "{code}"}}', why))

    def _map_window_column(self) -> None:
        """Map `source_updated_at` to the column of the watermark, in place of any other column."""
        window = self.feed.window
        if not isinstance(window, Watermark) or "source_updated_at" not in self.standard:
            return
        self.proposal.unsure = [each for each in self.proposal.unsure if each.name != "source_updated_at"]
        for each in self.proposal.fields:
            if each.name == "source_updated_at":
                if each.column == window.column:
                    return
                self.proposal.fields.remove(each)
                self.used.discard(each.column or "")
                break
        if window.column in self.columns:
            column = self.columns[window.column]
            self._add(self._field("source_updated_at", column, "the window's column", is_sure=True))

    def _propose_certificate_number(self) -> None:
        """Propose a column as the number of the certificate when no column is named so, since it is part of the key."""
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
        why = f"? no column has this name; {best.distinct} different values in {best.filled} rows: is this the number?"
        self._add(self._field("certificate_number", best, why, is_sure=True))

    def _propose_extension(self) -> None:
        extension = propose_extension(self.extra_fields, self.columns.values(), self.named, self.used)
        self.proposal.extension = extension
        self.used.update(each.column for each in extension if each.is_sure and each.column is not None)

    def _propose_ignored(self) -> None:
        transport, window = self.feed.transport, self.feed.window
        used = {*self.used, *transport.row_columns}
        if isinstance(window, Watermark):
            used.add(window.column)
        guesses = [*self.proposal.unsure, *self.proposal.extension, *filter(None, [self.proposal.operation])]
        unsure = {each.column: each.name for each in guesses if not each.is_sure}
        for column in self.columns.values():
            if column.name in used:
                continue
            if column.name in unsure:
                why = f"? perhaps {unsure[column.name]}, see above"
            elif self.named[column.name] == NOT_WANTED:
                why = "named like a column that is not needed"
            elif not column.filled:
                why = "empty in the sample"
            else:
                why = f"? {_describe(column)}: map it, add it to extension, or leave it here"
            self.proposal.ignored.append((column.name, why))


def _coded_field(
    name: str,
    column: ColumnProfile,
    entries: Sequence[str],
    why: str,
    words: Mapping[str, str],
    *,
    is_sure: bool,
) -> ProposedField:
    """Propose a field with `codes`: those that are known words (code → ours); it is a guess when none is known."""
    codes = [as_code(code) for code in column.codes]
    known = {code: words[code] for code in codes if code in words}
    unknown = unknown_codes(column, codes, words)
    if not known:
        written = ", ".join(f"{quoted(code)}: ?" for code in codes) or '"?": ?'
        return ProposedField(
            name,
            column.name,
            flow_mapping([*entries, f"codes: {{{written}}}"]),
            f"{why}; {describe_values(column)}: ask the department what they mean",
            is_sure=False,
        )
    written = ", ".join(f"{quoted(code)}: {quoted(ours) if ours.isdecimal() else ours}" for code, ours in known.items())
    if unknown:
        why += f"; ? not known: {', '.join(unknown)}, ask what they mean"
    return ProposedField(name, column.name, flow_mapping([*entries, f"codes: {{{written}}}"]), why, is_sure)


def _percent(share: float) -> str:
    # Not rounded up: 99.9% is not all of them.
    return f"{int(share * 100)}%"


def _describe(column: ColumnProfile) -> str:
    shares = sorted(
        (share, pattern) for pattern in (*column.patterns, "date") if (share := column.share(pattern)) >= _POSSIBLE
    )
    matched = [f"{_percent(share)} like: {pattern}" for share, pattern in reversed(shares)][:2]
    filled = f"{_percent(column.filled / column.rows)} filled, {column.distinct} different"
    codes = (
        f", codes {', '.join(column.codes)}" if column.codes and all(code.isascii() for code in column.codes) else ""
    )
    return ", ".join([filled, *matched]) + codes
