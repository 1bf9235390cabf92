"""Errors of database drivers: whether another try would fail in the same way, and what a message may show of them."""

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import exc

# Drivers raise these as operational errors, but another try meets them again: rights, logins, names.
_MYSQL_REFUSALS: Final = frozenset(
    {1044, 1045, 1049, 1054, 1109, 1130, 1142, 1143, 1146, 1227, 1251, 1275, 1356, 1370, 1698, 1820, 1862, 3118, 4151}
)
_ORACLE_REFUSALS: Final = frozenset({904, 942, 1005, 1017, 1031, 1045, 12505, 12514, 28000, 28001})
# What the server says in these errors names a login, a database, a table, a column, a right or the state of the server,
# and never a value: rows are not read yet, or are not what it is about. What it says in all others may quote one, as
# the SQL that a driver has written values into does (syntax errors), and wrong values do: that is left out.
_SPOKEN_STATES: Final = ("08", "28", "3D", "3F", "53", "57", "42501", "42P01", "42703", "42S02", "42S22")
_SPOKEN_MYSQL: Final = _MYSQL_REFUSALS | {1040, 1053, 1129, 1203, 1226, 2002, 2003, 2005, 2006, 2013, 2026}
_SPOKEN_ORACLE: Final = _ORACLE_REFUSALS | {1033, 1034, 3113, 3114, 12170, 12541}
_LONGEST_WORDS: Final = 200

# Classes of SQLSTATE. Refused: wrong values, wrong login, missing database, syntax, rights, names. Transient:
# connection, rollback, resources, operator's intervention, system error, time-out.
_REFUSED_STATES: Final = ("22", "28", "3D", "3F", "42", "0A", "IM")
_TRANSIENT_STATES: Final = ("08", "40", "53", "55", "57", "58", "HYT", "25P0")
_REFUSED_LOGIN: Final = re.compile(
    # A server that is set to Chinese answers in Chinese.
    r"FATAL: .*(authentication|pg_hba|does not exist|not permitted|permission denied)|no password supplied"
    r"|认证失败|pg_hba|不存在|不允许登录"
)


@dataclass(frozen=True)
class DriverError:
    """What a message may say of an error of a driver.

    `is_refusal`: another try would fail in the same way. `kind`: its number and class. `words`: the server's own words,
    blank where they may hold a value.
    """

    is_refusal: bool
    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}" if self.words else self.kind


def classify_error(backend: str, error: exc.DBAPIError, password: str | None) -> DriverError:
    """Return what a message may say of an error; the server's words without the password of the address.

    `backend` is SQLAlchemy's name of the kind of database.
    """
    origin: Any = error.orig
    first = origin.args[0] if origin is not None and origin.args else None
    kind = type(origin).__name__
    transient = error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)
    if backend in ("mysql", "mariadb") and isinstance(first, int):
        text = origin.args[1] if first in _SPOKEN_MYSQL and len(origin.args) > 1 else ""
        return DriverError(first in _MYSQL_REFUSALS or not transient, f"{first} {kind}", _words(text, password))
    code = getattr(first, "code", None)
    if backend == "oracle" and isinstance(code, int):
        text = getattr(first, "message", "") if code in _SPOKEN_ORACLE else ""
        refused = code in _ORACLE_REFUSALS or not transient
        return DriverError(refused, f"{getattr(first, 'full_code', code)} {kind}", _words(text, password))
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    text = str(origin)
    if state is None and backend == "mssql" and isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first):
        state, text = first, str(origin.args[-1])
    if state is not None:
        refused = state.startswith(_REFUSED_STATES) or not (transient or state.startswith(_TRANSIENT_STATES))
        words = _words(text if state.startswith(_SPOKEN_STATES) else "", password)
        return DriverError(refused and not state.startswith(_TRANSIENT_STATES), f"{state} {kind}", words)
    # While libpq connects, its errors have no SQLSTATE, only text. Of other databases the text may be about a value.
    is_libpq = backend in ("postgresql", "kingbase") and isinstance(error, exc.OperationalError)
    words = _words(text if is_libpq else "", password)
    return DriverError(not transient or bool(_REFUSED_LOGIN.search(text)), kind, words)


def _words(text: object, password: str | None) -> str:
    """Return the first line that says something, shortened, without a password."""
    line = next((line for line in str(text).splitlines() if line.strip()), "")
    if password:
        line = line.replace(password, "…")
    printable = "".join(char if char.isprintable() else "�" for char in " ".join(line.split()))
    return printable[:_LONGEST_WORDS].rstrip(" .")
