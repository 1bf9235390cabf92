"""What the cleaning makes of codes that software has taken for numbers."""

from typing import Any

import psycopg
from tests.support.cleaned_rows import cleaned

Connection = psycopg.Connection[dict[str, Any]]

NUMBER = "统一社会信用代码"
"""The column of the shipped feed's certificate number, which is its key and the holder's code."""

EXACT = {
    "20200001.0": "20200001",
    "20200001.00": "20200001",
    "00042.0": "00042",
    "2.0200002E7": "20200002",
    "2.0200002e+07": "20200002",
    "2.02000020E7": "20200002",
    "1.23456789012345E14": "123456789012345",
    "420703202001010014.00": "420703202001010014",
    "２０２００００１．０": "20200001",
    # These are codes.
    "1.10": "1.10",
    "1.0.1": "1.0.1",
    "2.0版": "2.0版",
    "12E4": "12E4",
    "1E5": "1E5",
    "3.E7": "3.E7",
    "20200001.5": "20200001.5",
    "鄂测-1.0": "鄂测-1.0",
    "XN4.2E+17": "XN4.2E+17",
}
DISTORTED = [
    "4.20703E+17",
    "4.2070320200101E+17",
    "4.2070320200101e17",
    "2.02E+07",
    "2.02E7",
    "2E+07",
    "1.2345678E+05",
    "1.23456789012345678E17",
    "1.00E-03",
    "true",
    "false",
    "TRUE",
    "False",
    "12:00:00",
    "9:30",
    "2021-03-05 00:00:00",
    "2021/3/5 12:00",
    "[object Object]",
]


def test_number_of_which_every_digit_is_told_is_its_code(connection: Connection) -> None:
    found = cleaned(connection, [{NUMBER: text} for text in EXACT])
    assert [row["certificate_number"] for row in found] == list(EXACT.values())
    assert [row["record_key"] for row in found] == list(EXACT.values())
    assert [row["codes_distorted"] for row in found] == [None] * len(EXACT)


def test_number_that_was_rounded_is_no_key_and_its_fields_are_named(connection: Connection) -> None:
    found = cleaned(connection, [{NUMBER: text} for text in DISTORTED])
    assert [row["record_key"] for row in found] == [None] * len(DISTORTED)
    assert [row["codes_distorted"] for row in found] == ["certificate_number,holder_code"] * len(DISTORTED)


def test_rounded_code_that_is_no_key_leaves_the_key(connection: Connection) -> None:
    [row] = cleaned(connection, [{NUMBER: "XN1", "事项": "4.20703E+17"}], service_item_code={"column": "事项"})
    assert (row["record_key"], row["codes_distorted"]) == ("XN1", "service_item_code")


def test_codes_that_are_looked_up_are_looked_up_without_a_fraction(connection: Connection) -> None:
    rows = [
        {"主体类型": "1.0", "状态": "1.00", "区": "420704.0", "版本": "1.0", "金额": "20200001.0", "名": "1.0"},
        {"主体类型": "true", "状态": "1.5", "区": "4.20704E5", "版本": "true", "金额": "4.2E+17", "名": "TRUE"},
    ]
    found = cleaned(
        connection,
        rows,
        holder_code_type={"column": "主体类型", "codes": {"1": "001"}},
        status={"column": "状态", "codes": {"1": "valid"}},
        district={"column": "区"},
        certificate_version={"column": "版本"},
        validity={"column": "金额"},
        certificate_name={"column": "名"},
    )
    assert [(row["holder_code_type"], row["status"], row["district"], row["district_delivered"]) for row in found] == [
        ("001", "valid", "echeng", "420704"),
        (None, None, "echeng", "420704"),
    ]
    # Text, a version, an amount and a name stay as they are; so does what a mapping of codes does not know.
    assert [(row["certificate_version"], row["validity"], row["certificate_name"]) for row in found] == [
        ("1.0", "20200001.0", "1.0"),
        ("true", "4.2E+17", "TRUE"),
    ]
    assert [(row["codes_unmapped"], row["status_unmapped"], row["codes_distorted"]) for row in found] == [
        (None, None, None),
        ("holder_code_type", "1.5", None),
    ]
