"""What a message shows of a driver's error: the server's words on logins, names and rights, and none on values."""

from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import exc

from zhengku.transports.exchange_database.driver_errors import classify_error

PERSON = "张虚构420704199001011234"


class MySqlError(Exception):
    """As PyMySQL raises it: a number and a text."""


def of(driver: Exception, kind: type[exc.DBAPIError] = exc.OperationalError) -> exc.DBAPIError:
    return kind("select secret", {}, driver)


def from_postgres(state: str, text: str) -> exc.DBAPIError:
    error = psycopg.errors.lookup(state)(text)
    return of(error, exc.ProgrammingError if state.startswith("42") else exc.DataError)


@pytest.mark.parametrize(
    ("backend", "error", "told"),
    [
        (
            "postgresql",
            from_postgres("42501", "permission denied for table t\nDETAIL: x"),
            "permission denied for table t",
        ),
        (
            "postgresql",
            from_postgres("42P01", 'relation "t" does not exist\nLINE 1: select'),
            'relation "t" does not exist',
        ),
        (
            "postgresql",
            of(psycopg.OperationalError('connection failed: FATAL:  password authentication failed for user "r"\n')),
            'connection failed: FATAL: password authentication failed for user "r"',
        ),
        (
            "mysql",
            of(MySqlError(1045, "Access denied for user 'r'@'h' (using password: YES)")),
            "(using password: YES)",
        ),
        (
            "mariadb",
            of(MySqlError(1146, "Table 'a.b' doesn't exist"), exc.ProgrammingError),
            "Table 'a.b' doesn't exist",
        ),
        (
            "oracle",
            of(Exception(SimpleNamespace(code=942, full_code="ORA-00942", message="ORA-00942: no table"))),
            "no table",
        ),
        ("mssql", of(Exception("28000", "[28000] Login failed for user 'r'. (18456)")), "Login failed for user 'r'"),
    ],
)
def test_words_on_logins_names_and_rights_are_told(backend: str, error: exc.DBAPIError, told: str) -> None:
    found = classify_error(backend, error, None)
    assert found.is_refusal
    assert told in found.words
    assert str(found) == f"{found.kind}: {found.words}"


@pytest.mark.parametrize(
    ("backend", "error"),
    [
        ("postgresql", from_postgres("22P02", f'invalid input syntax for type integer: "{PERSON}"')),
        ("postgresql", from_postgres("42601", f'syntax error at or near "{PERSON}"')),
        ("postgresql", of(psycopg.errors.lookup("23505")(f"Key (a)=({PERSON}) already exists"), exc.IntegrityError)),
        ("postgresql", of(psycopg.ProgrammingError(f"cannot adapt {PERSON}"), exc.ProgrammingError)),
        ("mysql", of(MySqlError(1062, f"Duplicate entry '{PERSON}' for key"), exc.IntegrityError)),
        ("mysql", of(MySqlError(1366, f"Incorrect string value: '{PERSON}'"))),
        ("mysql", of(MySqlError(1064, f"syntax near '{PERSON}'"), exc.ProgrammingError)),
        ("oracle", of(Exception(SimpleNamespace(code=1722, full_code="ORA-01722", message=PERSON)), exc.DatabaseError)),
        ("mssql", of(Exception("22007", f"conversion of {PERSON} failed"), exc.DataError)),
        ("mssql", of(Exception("42000", f"syntax near {PERSON}"), exc.ProgrammingError)),
        ("dm", of(Exception(f"[CODE:-6118] {PERSON}"))),
    ],
)
def test_words_that_may_hold_a_value_are_not(backend: str, error: exc.DBAPIError) -> None:
    found = classify_error(backend, error, None)
    assert found.words == ""
    assert PERSON not in str(found)


def test_words_are_one_short_line_without_the_password() -> None:
    error = of(psycopg.OperationalError(f"\n connection to geheim-4711 failed:\x07 {'x' * 500}\nFATAL: second"))
    found = classify_error("postgresql", error, "geheim-4711")
    assert found.words.startswith("connection to … failed:�")
    assert len(found.words) == 200
