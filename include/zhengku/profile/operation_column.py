"""Proposing the column that says of each row whether it is inserted, updated or deleted."""

from collections.abc import Mapping, Sequence

from zhengku.profile.code_words import DELETE_FLAG_PAIRS, DELETE_FLAG_WORDS, OPERATION_WORDS, is_delete_flag
from zhengku.profile.column_profile import ColumnProfile, as_code
from zhengku.profile.proposal import ProposedField
from zhengku.profile.synonyms import OPERATION
from zhengku.profile.yaml_text import flow_mapping, quoted, scalar


def propose_operation(column: ColumnProfile) -> ProposedField:
    """Propose the `operation` of a feed from a column whose name is that of an operation or of a delete flag."""
    codes = [as_code(code) for code in column.codes]
    if is_delete_flag(column.name):
        return _propose_delete_flag(column, codes)
    known = {code: OPERATION_WORDS[code] for code in codes if code in OPERATION_WORDS}
    unknown = unknown_codes(column, codes, OPERATION_WORDS)
    entries = [f"column: {scalar(column.name)}"]
    if not known and column.filled:
        value = flow_mapping([*entries, "codes: {?: upsert, ?: delete}"])
        why = f"by name; {describe_values(column)}: ask what they mean"
        return ProposedField(OPERATION, column.name, value, why, is_sure=False)
    if set(known) - {"I", "U", "D"}:
        # A delete may not be among the rows of a sample.
        written = ", ".join(f"{quoted(code)}: {ours}" for code, ours in known.items())
        entries.append(f"codes: {{{written}}}")
    why = "by name" + (f"; ? not known: {', '.join(unknown)}" if unknown else "")
    return ProposedField(OPERATION, column.name, flow_mapping(entries), why)


def _propose_delete_flag(column: ColumnProfile, codes: Sequence[str]) -> ProposedField:
    """Propose a delete flag. In one, 1 means deleted, whatever the name of the column is."""
    unknown = unknown_codes(column, codes, DELETE_FLAG_WORDS)
    pair = next((pair for pair in DELETE_FLAG_PAIRS if set(codes) & set(pair)), DELETE_FLAG_PAIRS[0])
    # The code for deleted rows may not be in the sample, so both codes of the pair are proposed.
    known = {**dict.fromkeys(pair), **dict.fromkeys(code for code in codes if code in DELETE_FLAG_WORDS)}
    written = ", ".join(f"{quoted(code)}: {DELETE_FLAG_WORDS[code]}" for code in known)
    value = flow_mapping([f"column: {scalar(column.name)}", f"codes: {{{written}}}"])
    is_sure = bool(column.filled) and column.filled == column.rows and not unknown
    why = "named like a delete flag"
    if unknown:
        why += f"; ? not known: {', '.join(unknown)}, ask what they mean"
    elif column.filled < column.rows:
        why += f"; ? {column.rows - column.filled} rows have none, and would be quarantined: ask what that means"
    return ProposedField(OPERATION, column.name, value, why, is_sure)


def describe_values(column: ColumnProfile) -> str:
    """Return how many different values a column has, and those of them that may be shown."""
    shown = f": {' '.join(column.codes)}" if column.codes else ""
    return f"{column.distinct} different values{shown}"


def unknown_codes(column: ColumnProfile, codes: Sequence[str], words: Mapping[str, str]) -> list[str]:
    """Return the codes that are not among the known words, and how many more values may not be shown."""
    hidden = column.distinct - len(column.codes)
    return [*(code for code in codes if code not in words), *([f"{hidden} more that are not shown"] if hidden else [])]
