import datetime
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stdnum.cn import ric, uscc
from stdnum.iso7064 import mod_11_10

from simulator.business_licenses import credit_code

DAY = datetime.date(2026, 11, 23)

CREDIT_CODE = "select rules.is_credit_code(b) from (select clean.bytes_of(%s) as b offset 0) as c"
IDENTITY_NUMBER = "select rules.is_identity_number(b, %s) from (select clean.bytes_of(%s) as b offset 0) as c"
IDENTIFIER = """
    select rules.is_certificate_identifier(c.b, c.padded)
    from (
        select clean.bytes_of(v.i) as b, rules.identifier_check_input(v.i) as padded
        from (select %s) as v (i)
        offset 0
    ) as c
"""

ROOT = "1.2.156.3005.2."
VALID_IDENTIFIERS = [
    "11100000000013338W032.11220000013544541J.2430599.001.F",
    "11100000000013338W011.11430000006122244L.20230000403.001.U",
    "11100000000013338W011.11430000006122244L.20230000403.002.S",
    "11100000000013338W009.11330105002500287C.2025052201.002.0",
    "11100000000013338W087.11370800MB28559184.37080001202411010001.001.3",
    "11100000000013661B006.113700000045046442.209FA4E88F9E4C878F3E9BED2CE7EA49.001.D",
]
CREDIT_CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# One database serves all examples of a property: the functions write nothing.
shared_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=130)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def ask(connection: psycopg.Connection[Any], question: str, *values: Any) -> bool:
    row = connection.execute(question, values).fetchone()
    assert row is not None
    assert isinstance(row[0], bool)
    return row[0]


def identity_number(front: str) -> str:
    """17 digits with their check character: GB 11643-1999, written as a power series here, not by table."""
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(front))
    return front + "10X98765432"[total % 11]


def identifier(payload: str) -> str:
    """Type, issuer, serial and version joined by dots, with the check character by ISO 7064 MOD 37,36."""
    carry = 36
    for character in payload.replace(".", ""):
        carry = (carry + ALPHANUMERIC.index(character)) % 36 or 36
        carry = carry * 2 % 37
    return f"{ROOT}{payload}.{ALPHANUMERIC[(37 - carry) % 36]}"


def test_credit_code_of_the_standard_is_valid(connection: psycopg.Connection[Any]) -> None:
    assert ask(connection, CREDIT_CODE, "91110000600037341L")
    assert ask(connection, CREDIT_CODE, credit_code(1))


def test_credit_code_with_a_fault_is_not_valid(connection: psycopg.Connection[Any]) -> None:
    codes = [
        "91110000600037341M",
        "91110000600037341l",
        "9111000060003734IL",
        "91110000600037341",
        "91110000600037341L0",
        " 91110000600037341",
        "9111000060003734１L",
        "91A10000600037341L",
        "",
        "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\",
    ]
    assert [code for code in codes if ask(connection, CREDIT_CODE, code)] == []


@shared_database
@given(
    st.text("0123456789", min_size=8, max_size=8), st.text(CREDIT_CODE_CHARACTERS, min_size=9, max_size=9), st.data()
)
def test_credit_code_agrees_with_stdnum(
    connection: psycopg.Connection[Any], digits: str, rest: str, data: st.DataObject
) -> None:
    last = data.draw(st.sampled_from([uscc.calc_check_digit(digits + rest), *CREDIT_CODE_CHARACTERS]))
    code = digits + rest + last
    # stdnum takes any digit in front, the standard only those of the departments that register.
    assert ask(connection, CREDIT_CODE, code) is (uscc.is_valid(code) and code[0] in "123456789ANY")


def test_credit_code_of_a_rural_cooperative_may_start_with_a_letter(connection: psycopg.Connection[Any]) -> None:
    # stdnum wants eight digits in front; N2 is in use since the village collectives got their codes.
    fronts = [f"N2420704MF{number:07d}" for number in range(20)]
    codes = [front + uscc.calc_check_digit(front) for front in fronts]
    assert all(ask(connection, CREDIT_CODE, code) for code in codes)
    assert not any(ask(connection, CREDIT_CODE, code[:-1] + ("0" if code[-1] != "0" else "1")) for code in codes)


birth_dates = st.dates(datetime.date(1900, 1, 1), DAY)


@shared_database
@given(st.integers(110000, 839999), birth_dates, st.integers(0, 999), st.sampled_from("0123456789X"))
@example(420740, datetime.date(1990, 1, 1), 1, "0")
@example(810000, datetime.date(1990, 1, 1), 1, "0")
def test_identity_number_needs_the_check_character_and_no_known_division(
    connection: psycopg.Connection[Any], division: int, born: datetime.date, order: int, last: str
) -> None:
    number = identity_number(f"{division}{born:%Y%m%d}{order:03d}")
    assert number[-1] == ric.calc_check_digit(number)
    assert ask(connection, IDENTITY_NUMBER, DAY, number)
    assert ask(connection, IDENTITY_NUMBER, DAY, number[:-1] + last) is (last == number[-1])


@shared_database
@given(st.text("0123456789", min_size=8, max_size=8))
@example("19000229")
@example("20000229")
@example("20240229")
@example("20230229")
@example("19990431")
@example("19991231")
@example("17991231")
@example("00010101")
def test_identity_number_needs_a_birth_date_that_exists(connection: psycopg.Connection[Any], digits: str) -> None:
    try:
        born = datetime.datetime.strptime(digits, "%Y%m%d").date()
        exists = datetime.date(1800, 1, 1) <= born <= DAY
    except ValueError:
        exists = False
    assert ask(connection, IDENTITY_NUMBER, DAY, identity_number(f"420700{digits}001")) is exists


def test_identity_number_of_somebody_born_on_the_day_is_valid_and_of_tomorrow_is_not(
    connection: psycopg.Connection[Any],
) -> None:
    assert ask(connection, IDENTITY_NUMBER, DAY, identity_number(f"420700{DAY:%Y%m%d}001"))
    tomorrow = DAY + datetime.timedelta(days=1)
    assert not ask(connection, IDENTITY_NUMBER, DAY, identity_number(f"420700{tomorrow:%Y%m%d}001"))
    # stdnum takes this one.
    assert not ask(connection, IDENTITY_NUMBER, DAY, identity_number("42070020990101001"))


def test_identity_number_of_15_digits_needs_a_birth_date_that_exists(connection: psycopg.Connection[Any]) -> None:
    numbers = {
        "420700900101001": True,
        "420700900230001": False,
        "42070090010100X": False,
        "42070090010100": False,
        "4207009001010011": False,
        "": False,
    }
    assert {number: ask(connection, IDENTITY_NUMBER, DAY, number) for number in numbers} == numbers


def test_identity_number_takes_ascii_digits_and_a_capital_x_only(connection: psycopg.Connection[Any]) -> None:
    number = next(n for n in (identity_number(f"42070019900101{order:03d}") for order in range(99)) if n[-1] == "X")
    assert ask(connection, IDENTITY_NUMBER, DAY, number)
    assert not ask(connection, IDENTITY_NUMBER, DAY, number.lower())
    assert not ask(connection, IDENTITY_NUMBER, DAY, number.replace("4", "４", 1))
    assert not ask(connection, IDENTITY_NUMBER, DAY, "X" + number[1:])


def test_identifiers_seen_in_public_systems_are_valid(connection: psycopg.Connection[Any]) -> None:
    assert [tail for tail in VALID_IDENTIFIERS if not ask(connection, IDENTIFIER, ROOT + tail)] == []


def test_identifier_with_a_fault_is_not_valid(connection: psycopg.Connection[Any]) -> None:
    texts = [
        ROOT + "11100000000013661B006.113700000045046442.209FA4E88F9E4C878F3E9BED2CE7EA49.001.M",
        ROOT + VALID_IDENTIFIERS[0][:-1] + "f",
        ROOT + VALID_IDENTIFIERS[0] + ".",
        "1.2.156.3005.3." + VALID_IDENTIFIERS[0],
        VALID_IDENTIFIERS[0],
        identifier("11100000000013338W032.11220000013544541J..001"),
        identifier("11100000000013338W032.11220000013544541J.24.30.001"),
        identifier("11100000000013338W032.11220000013544541J.2430599.0A1"),
        identifier("11100000000013338W0A2.11220000013544541J.2430599.001"),
        identifier("I1100000000013338W032.11220000013544541J.2430599.001"),
        identifier("11100000000013338W032.1122000001354454OJ.2430599.001"),
        identifier(f"11100000000013338W032.11220000013544541J.{'7' * 55}.001"),
        "",
    ]
    assert [text for text in texts if ask(connection, IDENTIFIER, text)] == []


@shared_database
@given(
    st.text(CREDIT_CODE_CHARACTERS, min_size=18, max_size=18),
    st.integers(0, 999),
    st.text(CREDIT_CODE_CHARACTERS, min_size=18, max_size=18),
    st.text(ALPHANUMERIC, min_size=1, max_size=54),
    st.integers(1, 999),
    st.sampled_from(ALPHANUMERIC),
)
def test_identifier_of_any_length_is_checked_by_mod_37_36(
    connection: psycopg.Connection[Any], authority: str, kind: int, issuer: str, serial: str, version: int, last: str
) -> None:
    text = identifier(f"{authority}{kind:03d}.{issuer}.{serial}.{version:03d}")
    assert ask(connection, IDENTIFIER, text)
    assert ask(connection, IDENTIFIER, text[:-1] + last) is (last == text[-1])


near_misses = st.sampled_from(
    ["91110000600037341L", "420700199001010010", "420700900101001", *(ROOT + tail for tail in VALID_IDENTIFIERS)]
).flatmap(
    lambda text: st.builds(
        lambda place, put: text[:place] + put + text[place + 1 :], st.integers(0, len(text)), st.text(max_size=3)
    )
)


@shared_database
@given(any_text | near_misses.filter(lambda text: "\0" not in text and text.isprintable()))
@example("\\")
@example("\\x")
@example("." * 70)
@example(ROOT + "." * 60)
@example("é" * 9)
@example("\U0010ffff" * 18)
@example("%" * 18)
def test_no_text_raises(connection: psycopg.Connection[Any], text: str) -> None:
    ask(connection, CREDIT_CODE, text)
    ask(connection, IDENTITY_NUMBER, DAY, text)
    ask(connection, IDENTIFIER, text)


@shared_database
@given(st.binary(max_size=120), st.binary(min_size=95, max_size=99))
def test_no_bytes_raise(connection: psycopg.Connection[Any], code: bytes, padded: bytes) -> None:
    question = """
        select rules.is_credit_code(a), rules.is_identity_number(a, %s), rules.is_certificate_identifier(a, b)
        from (select %s::bytea as a, %s::bytea as b offset 0) as c
    """
    row = connection.execute(question, [DAY, code, padded]).fetchone()
    assert row is not None
    assert all(isinstance(value, bool) for value in row)


def test_null_is_no_code(connection: psycopg.Connection[Any]) -> None:
    assert not ask(connection, "select rules.is_credit_code(null)")
    assert not ask(connection, "select rules.is_identity_number(null, %s)", DAY)
    assert not ask(connection, "select rules.is_certificate_identifier(null, null)")


FOOD_LICENSE_NUMBER = "select rules.is_food_license_number(clean.bytes_of(%s))"


@shared_database
@given(st.text("0123456789", min_size=13, max_size=13), st.sampled_from("0123456789"))
def test_food_license_number_agrees_with_stdnum(connection: psycopg.Connection[Any], digits: str, last: str) -> None:
    assert ask(connection, FOOD_LICENSE_NUMBER, "JY" + digits + last) is mod_11_10.is_valid(digits + last)
    assert ask(connection, FOOD_LICENSE_NUMBER, "SC" + digits + mod_11_10.calc_check_digit(digits))


@shared_database
@given(any_text.filter(lambda text: "\0" not in text))
@example("")
@example("JY1420704000001")
@example("JY142070400000１1")
def test_no_text_but_two_letters_and_14_digits_is_a_food_license_number(
    connection: psycopg.Connection[Any], text: str
) -> None:
    assert not ask(connection, FOOD_LICENSE_NUMBER, text) or len(text) == 16
