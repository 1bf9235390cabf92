"""The column names of a header of any form: how they are compared, and which faults of theirs reject a delivery."""

import re
from collections.abc import Sequence

from zhengku.errors import DeliveryRejected
from zhengku.masking import mask_text

_NAMES_SHOWN = 20
_NAME_WIDTH = 24
_NAMELESS = "第{}列（无列名）"


def missing_from(names: Sequence[str], required: Sequence[str]) -> list[str]:
    """Return the required names that are not among `names`; blanks inside a name do not count."""
    delivered = {_comparable(name) for name in names}
    return [name for name in required if _comparable(name) not in delivered]


def as_required(names: Sequence[str], required: Sequence[str]) -> tuple[str, ...]:
    """Return delivered names as they are stored: a required column by its required name, others cleaned."""
    known = {_comparable(name): name for name in required}
    return tuple(known.get(_comparable(name), _clean_name(name)) for name in names)


def named_part(names: Sequence[str]) -> list[str]:
    """Return the names up to the last column that has one."""
    named = list(names)
    while named and not _comparable(named[-1]):
        named.pop()
    return named


def with_names_for_nameless(names: Sequence[str]) -> list[str]:
    """Name columns without a name by their place: their values are staged and reported, and make no row bad."""
    return [name if _comparable(name) else _NAMELESS.format(place) for place, name in enumerate(names, 1)]


def nameless_places(columns: Sequence[str]) -> list[int]:
    """Return the places, from 1, of the columns that have their name from `with_names_for_nameless`."""
    return [place for place, column in enumerate(columns, 1) if column == _NAMELESS.format(place)]


def check_count(count: int, limit: int, suspect: str) -> None:
    """Raise `DeliveryRejected` when a header has more than `limit` columns; `suspect` is what to look at first."""
    if count > limit:
        raise DeliveryRejected(
            "file.too_many_columns",
            f"The header has {count} columns; expected at most {limit}. "
            f"Check {suspect}, or raise max_columns in the feed's format.",
            f"表头有{count}列，最多{limit}列。请核对文件后重新报送。",
        )


def check_names(names: Sequence[str]) -> None:
    """Raise `DeliveryRejected` when two columns have the same name."""
    compared = [_comparable(name) for name in names]
    first: dict[str, int] = {}
    for position, name in enumerate(compared, 1):
        if name in first:
            repeated = shown([names[position - 1]])
            raise DeliveryRejected(
                "file.duplicate_column",
                f"Column {position} of the header, {repeated}, repeats the name of column {first[name]}; expected each "
                "name once. Rename or remove one of them.",
                f"表头第{position}列“{repeated}”与第{first[name]}列重名。请更正后重新报送。",
            )
        first[name] = position


def missing_columns(
    names: Sequence[str], required: Sequence[str], where: str = ".", hint_zh: str = ""
) -> DeliveryRejected:
    """Return the rejection of a header that lacks required columns; `where` ends the sentence about its columns."""
    missing = missing_from(names, required)
    if len(missing) == len(required):
        # Perhaps a row of data in the header's place: its values must not be shown.
        received, received_zh = f"{len(names)} others", f"{len(names)}个其他列"
    else:
        received, received_zh = shown(names), shown(names, "、")
    return DeliveryRejected(
        "file.missing_column",
        f"The header lacks {shown(missing)} of {len(required)} expected columns; it has {received}{where} "
        "Deliver the file with these columns, or change the feed's mapping in the catalogue if the department renamed "
        "them.",
        f"表头缺少列：{shown(missing, '、')}；实有：{received_zh}。{hint_zh}请补齐后重新报送。",
    )


def shown(names: Sequence[str], comma: str = ", ") -> str:
    """Return names as a message shows them: printable, shortened, not too many, numbers of persons masked."""
    cut = [name if len(name) <= _NAME_WIDTH else name[:_NAME_WIDTH] + "…" for name in map(_printable, names)]
    more = f"{comma}… ({len(cut)})" if len(cut) > _NAMES_SHOWN else ""
    return comma.join(cut[:_NAMES_SHOWN]) + more


def _clean_name(name: str) -> str:
    return " ".join(name.replace("\ufeff", "").split())


def _comparable(name: str) -> str:
    return re.sub(r"[\s\ufeff\u200b]+", "", name)


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in mask_text(_clean_name(name)))
