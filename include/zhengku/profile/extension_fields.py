"""Proposing columns for the extra fields of a license type (`extension`)."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from zhengku.profile.column_profile import MAX_CODES, SURE, ColumnProfile
from zhengku.profile.proposal import ProposedField
from zhengku.profile.synonyms import plain
from zhengku.profile.yaml_text import flow_mapping, scalar

_PERSON_NAMES: Final = re.compile(
    r"法定代表|法人代表|负责人|经营者|姓名|户主|校长|监护人|驾驶员|举办者|联系人|夫妻|权利人|义务人"
)
_IDENTITY_NAMES: Final = re.compile(r"身份证|证件号码|公民身份|社会保障号")


def propose_extension(
    extra_fields: Sequence[str],
    columns: Collection[ColumnProfile],
    named: Mapping[str, str | None],
    used: Collection[str],
) -> list[ProposedField]:
    """Propose columns for the extra fields of a license type (Chinese names): by equal names, then by similar ones.

    `named` has the standard field that each column is named like, `used` the columns that are mapped already.
    """
    by_plain_name = {plain(name): name for name in extra_fields}
    proposed: dict[str, ProposedField] = {}
    for column in columns:
        # 企业类型/类型 is one extra field with two names.
        name = by_plain_name.get(plain(column.name)) or next(
            (name for name in extra_fields if plain(column.name) in [plain(part) for part in name.split("/")]), None
        )
        if name is None or name in proposed:
            continue
        if column.name in used and named[column.name] not in (None, "issue_date"):
            continue
        value = flow_mapping(_entries(column))
        proposed[name] = ProposedField(name, column.name, value, "named like an extra field of the license type")
    mapped = {*used, *(each.column for each in proposed.values() if each.column is not None)}
    free = [column for column in columns if column.name not in mapped and named[column.name] is None and column.filled]
    return [*proposed.values(), *_similar_names(by_plain_name, free, proposed)]


def _similar_names(
    by_plain_name: Mapping[str, str], columns: Iterable[ColumnProfile], proposed: Collection[str]
) -> Iterable[ProposedField]:
    """Guess extra fields whose name contains that of a column, or is contained in it: 企业类型 may be 类型."""
    done = set(proposed)
    for column in columns:
        part = plain(column.name.rpartition("/")[2])
        for plain_name, name in by_plain_name.items():
            if name not in done and len(part) > 1 and (part in plain_name or plain_name in part):
                done.add(name)
                yield ProposedField(
                    name, column.name, flow_mapping(_entries(column)), "by a similar name", is_sure=False
                )
                break


def _entries(column: ColumnProfile) -> list[str]:
    personal = _personal(column)
    return [f"column: {scalar(column.name)}", *([f"personal: {personal}"] if personal else [])]


def _personal(column: ColumnProfile) -> str | None:
    if column.share("identity number") > 0 or _IDENTITY_NAMES.search(column.name):
        return "identity"
    # A few short words that are repeated are kinds of something; as many different ones as rows may be names.
    is_varied = column.distinct > MAX_CODES or column.distinct * 2 > column.filled
    if _PERSON_NAMES.search(column.name) or (column.share("person") > SURE and is_varied):
        return "name"
    return None
