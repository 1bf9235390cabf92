"""Sessions of PostgreSQL: what is set on every connection of ours, to the store and to exchange databases.

The environment (PGTZ, PGDATESTYLE, PGOPTIONS, PGCLIENTENCODING), a role, a database or a pool may set another time
zone, another form of dates or a limit. Values would then be shifted or unreadable without a word. So everything that
values depend on is set after connecting, which wins over all of these and which pools accept, and read back.
"""

import os
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

VALUE_SETTINGS: Final[dict[str, str]] = {
    "TimeZone": "Asia/Shanghai",
    # The order of day and month is that of PostgreSQL's default.
    "DateStyle": "ISO, MDY",
    # `clean.bytes_of` reads bytes as they are sent.
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
}
"""Settings that every server of this kind knows, KingbaseES included."""

FORM_SETTINGS: Final[dict[str, str]] = {
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "timezone_abbreviations": "Default",
    "transform_null_equals": "off",
}
"""Forms of values and of comparisons that PostgreSQL itself has."""

CLIENT_ARGUMENTS: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    # A server whose machine is gone is noticed within two minutes, whether we wait for an answer or for a
    # confirmation of what was sent (milliseconds).
    "keepalives": 1,
    "keepalives_idle": 60,
    "keepalives_interval": 15,
    "keepalives_count": 4,
    "tcp_user_timeout": 120_000,
}
"""Arguments of libpq for every connection, in seconds unless noted."""

_ELSEWHERE: Final = ("PGSERVICE", "PGHOSTADDR")
"""Variables by which libpq connects to another place than the address names."""

_SENT_TOO: Final = ("PGTZ", "PGDATESTYLE", "PGGEQO")
"""Variables that libpq sends to the server while it connects; the server refuses wrong ones."""


class SessionDiffers(Exception):
    """A setting has another value than was set; the text says which, and how to fix it."""


def libpq_arguments(address: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of libpq for an address, whose parts are given by libpq's names.

    Raises `SessionDiffers` where a variable of the environment names another server than the address does.
    """
    given = {"PGSERVICE": "service", "PGHOSTADDR": "hostaddr"}
    for name in _ELSEWHERE:
        if os.environ.get(name) and not address.get(given[name]):
            raise SessionDiffers(
                f"expected the address to say where to connect, and the environment has {name}, by which the driver "
                f"connects elsewhere. Unset {name}"
            )
    # Given, PGOPTIONS is not read; a pool in between may refuse options, so there are none unless the address has some.
    return {**CLIENT_ARGUMENTS, "client_encoding": "UTF8", "options": address.get("options") or ""}


def sent_too() -> str:
    """Return a sentence about the environment's variables that a server may refuse at login; blank for none."""
    found = [name for name in _SENT_TOO if os.environ.get(name)]
    return f" The environment has {', '.join(found)}, which is sent to the server: unset it." if found else ""


def set_session(connection: Any, settings: Mapping[str, str]) -> None:
    """Set `settings` for the whole session, and check in a further transaction that they are in force.

    `connection` is one of psycopg or psycopg2 without a transaction; it is left without one. Raises `SessionDiffers`,
    and the errors of the driver.
    """
    connection.autocommit = True
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            "select " + ", ".join(["set_config(%s, %s, false)"] * len(settings)),
            [part for setting in settings.items() for part in setting],
        )
        wanted = cursor.fetchone()
        cursor.execute("select " + ", ".join(["current_setting(%s)"] * len(settings)), list(settings))
        found = cursor.fetchone()
    connection.autocommit = False
    for name, expected, came in zip(settings, wanted, found, strict=True):
        if expected != came:
            raise SessionDiffers(
                f"expected {name} to be {expected} for the whole session, it is {came} right after it was set. Connect "
                "to the server itself, or to a pool that gives each client a session of its own (pgbouncer: pool_mode "
                "= session)"
            )
