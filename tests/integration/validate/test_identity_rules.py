"""Numbers that nobody was given, and holders of whom two fields tell different things."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        yield connection


def ask(connection: Connection, question: str, values: list[Any]) -> list[Any]:
    """Ask a question about each of the values, `v`."""
    query = question.join(("select ", " from unnest(%s::text[]) with ordinality as t (v, place) order by place"))
    return [answer for (answer,) in connection.execute(query.encode(), [values]).fetchall()]


def checked_code(front: str) -> str:
    """17 characters with their check character: GB 32100-2015."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(character) * pow(3, place, 31) for place, character in enumerate(front))
    return front + alphabet[-total % 31]


BODY = "420700XN0000012"
DEPARTMENTS = "123456789ANY"


def test_credit_code_begins_with_a_department_that_registers(connection: Connection) -> None:
    first = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    codes = [checked_code(f"{letter}1{BODY}") for letter in first]
    right = ask(connection, "rules.is_credit_code(clean.bytes_of(v))", codes)
    assert "".join(letter for letter, is_right in zip(first, right, strict=True) if is_right) == DEPARTMENTS
    assert ask(connection, "rules.is_credit_code(clean.bytes_of(v))", ["0" * 18]) == [False]


MADE_UP = ["0" * 18, "1" * 18, "999999", "AAAAAAAA", "XXXXXX", "123456789012345678", "012345678", "987654321"]
MADE_UP += ["910000000000000000", "91111111111111111X", "92AAAAAAAAAAAAAA3P"]
GIVEN = [
    "91420700XN0000012Q",
    "420700199001010014",
    "11111",
    "00000A",
    "123457",
    "12345678X",
    "00001333-8",
    "110101200001010011",
]


def test_numbers_that_nobody_was_given_are_known(connection: Connection) -> None:
    assert ask(connection, "rules.is_made_up(v)", MADE_UP) == [True] * len(MADE_UP)
    assert ask(connection, "rules.is_made_up(v)", GIVEN) == [False] * len(GIVEN)


MAN, WOMAN = "420700199001010014", "420700199001010022"
OLD_MAN, OLD_WOMAN = "420700900101001", "420700900101002"


@pytest.mark.parametrize(("code", "digit"), [(MAN, 1), (WOMAN, 2), (OLD_MAN, 1), (OLD_WOMAN, 2)])
def test_sex_is_that_of_the_number(connection: Connection, code: str, digit: int) -> None:
    men, women = ["男", "男性", " 1", "１", "M", "male"], ["女", "女性", "2 ", "F"]
    assert ask(connection, f"rules.agrees_on_sex('{code}', v)", men) == [digit == 1] * len(men)
    assert ask(connection, f"rules.agrees_on_sex('{code}', v)", women) == [digit == 2] * len(women)
    unknown = ["未知", "0", "9", "", "男女", None]
    assert ask(connection, f"rules.agrees_on_sex('{code}', v)", unknown) == [True] * len(unknown)


@pytest.mark.parametrize("code", [MAN, OLD_MAN])
def test_birthday_is_that_of_the_number(connection: Connection, code: str) -> None:
    same = [
        "1990-01-01",
        "1990/1/1",
        "19900101",
        "1990年1月1日",
        "１９９０－０１－０１",
        " 1990.01.01 ",
        "一九九〇年一月一日",
    ]
    same += ["1990-01-01 00:00:00", "1990-01-01T00:00:00+08:00"]
    other = ["1990-01-02", "1991/1/1", "19900201", "1990年10月1日"]
    unknown = ["1990年", "不详", "", None]
    assert ask(connection, f"rules.agrees_on_birthday('{code}', v)", same) == [True] * len(same)
    assert ask(connection, f"rules.agrees_on_birthday('{code}', v)", other) == [False] * len(other)
    assert ask(connection, f"rules.agrees_on_birthday('{code}', v)", unknown) == [True] * len(unknown)


def test_code_that_is_no_identity_number_tells_nothing(connection: Connection) -> None:
    codes = ["91420700XN0000012Q", "H00000001", "", None]
    assert ask(connection, "rules.agrees_on_sex(v, '女') and rules.agrees_on_birthday(v, '1990-01-01')", codes) == [
        True
    ] * len(codes)
