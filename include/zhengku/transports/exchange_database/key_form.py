"""The form in which keys are compared (`clean.comparison`), in the SQL of a source: its sums are over the same keys."""

from typing import Final

_OPENING: Final = "〔[【［（〖〘{｛「『〈《<＜﹙﹝｟"
_CLOSING: Final = "〕]】］）〗〙}｝」』〉》>＞﹚﹞｠"
_DASHES: Final = "—–‐‑‒―−－﹣﹘─━ー⁃"

FROM: Final = _OPENING + _CLOSING + _DASHES
"""Characters that the form replaces; `TO` has the replacement of each."""

TO: Final = "(" * len(_OPENING) + ")" * len(_CLOSING) + "-" * len(_DASHES)

_DOUBLE: Final = ("——", "──")
"""Dashes of two characters, which count as one."""


def compared(dialect: str, key: str) -> str:
    """Return the SQL expression of a key's compared form, given the expression `key`, for `postgresql` or `mysql`.

    Other steps of the cleaning (blanks, width, case) are left out: a day with keys that need them is listed, not
    summed.
    """
    form = key
    for double in _DOUBLE:
        form = f"replace({form}, '{double}', '-')"
    if dialect == "postgresql":
        return f"translate({form}, '{FROM}', '{TO}')"
    for written, meant in zip(FROM, TO, strict=True):
        form = f"replace({form}, '{written}', '{meant}')"
    # Most keys are plain, and fifty nested replacements take long.
    return f"case when char_length({key}) = length({key}) and {key} not regexp '[][{{}}<>]' then {key} else {form} end"
