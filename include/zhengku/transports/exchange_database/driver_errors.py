"""Errors of database drivers: whether another try would fail in the same way, and what a message may show of them."""

import re
from typing import Any, Final

from sqlalchemy import exc

# Drivers raise these as operational errors, but another try meets them again: rights, logins, names.
_MYSQL_REFUSALS: Final = frozenset(
    {1044, 1045, 1049, 1054, 1109, 1130, 1142, 1143, 1146, 1227, 1251, 1275, 1356, 1370, 1698, 1820, 1862, 3118, 4151}
)
_ORACLE_REFUSALS: Final = frozenset({904, 942, 1005, 1017, 1031, 1045, 12505, 12514, 28000, 28001})
# Classes of SQLSTATE. Refused: wrong values, wrong login, missing database, syntax, rights, names. Transient:
# connection, rollback, resources, operator's intervention, system error, time-out.
_REFUSED_STATES: Final = ("22", "28", "3D", "3F", "42", "0A", "IM")
_TRANSIENT_STATES: Final = ("08", "40", "53", "55", "57", "58", "HYT", "25P0")
_REFUSED_LOGIN: Final = re.compile(
    # A server that is set to Chinese answers in Chinese.
    r"FATAL: .*(authentication|pg_hba|does not exist|not permitted|permission denied)|no password supplied"
    r"|认证失败|pg_hba|不存在|不允许登录"
)


def classify_error(backend: str, error: exc.DBAPIError) -> tuple[bool, str]:
    """Return whether another try would fail in the same way, and the error's number and class, without its text.

    `backend` is SQLAlchemy's name of the kind of database.
    """
    origin: Any = error.orig
    first = origin.args[0] if origin is not None and origin.args else None
    kind = type(origin).__name__
    transient = error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)
    if backend in ("mysql", "mariadb") and isinstance(first, int):
        return first in _MYSQL_REFUSALS or not transient, f"{first} {kind}"
    code = getattr(first, "code", None)
    if backend == "oracle" and isinstance(code, int):
        return code in _ORACLE_REFUSALS or not transient, f"{getattr(first, 'full_code', code)} {kind}"
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    if state is None and backend == "mssql" and isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first):
        state = first
    if state is not None:
        refused = state.startswith(_REFUSED_STATES) or not (transient or state.startswith(_TRANSIENT_STATES))
        return refused and not state.startswith(_TRANSIENT_STATES), f"{state} {kind}"
    # While libpq connects, its errors have no SQLSTATE, only text.
    return not transient or bool(_REFUSED_LOGIN.search(str(origin))), kind
