"""The form in which keys are compared (`clean.comparison`), in the SQL of a source: its sums are over the same keys."""

from typing import Final

_OPENING: Final = "〔[【［（〖〘{｛「『〈《<＜﹙﹝｟"
_CLOSING: Final = "〕]】］）〗〙}｝」』〉》>＞﹚﹞｠"
_DASHES: Final = "—–‐‑‒―−－﹣﹘─━ー⁃"

FROM: Final = _OPENING + _CLOSING + _DASHES
"""What is written otherwise in the form; `TO` has what stands for each."""

TO: Final = "(" * len(_OPENING) + ")" * len(_CLOSING) + "-" * len(_DASHES)

_DOUBLE: Final = ("——", "──")
"""Dashes of two characters that are one mark."""


def compared(dialect: str, key: str) -> str:
    """Return the SQL expression of a key's compared form, of the expression `key`, for `postgresql` or `mysql`.

    What the cleaning does beside it (blanks, width, case) is left out: a day with such keys is listed, not summed.
    """
    form = key
    for double in _DOUBLE:
        form = f"replace({form}, '{double}', '-')"
    if dialect == "postgresql":
        return f"translate({form}, '{FROM}', '{TO}')"
    for written, meant in zip(FROM, TO, strict=True):
        form = f"replace({form}, '{written}', '{meant}')"
    # Most keys are plain, and half a hundred replacements are not.
    return f"case when char_length({key}) = length({key}) and {key} not regexp '[][{{}}<>]' then {key} else {form} end"
