"""Values of real MariaDB and PostgreSQL servers that drivers change, cannot read, or that nobody asks for."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.exchange_reading import Front, at, feed_of

from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.landing import LandingArea
from zhengku.readers.table_rows import open_table_rows
from zhengku.transports.source import Position, Window

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.exchange_servers import ExchangeServer


# PyMySQL reads where the address has an option that asyncmy does not know.
DRIVERS = ["", "program_name=zhengku"]

MARIADB_TYPES: dict[str, tuple[str, str, Any]] = {
    # name: type, literal, landed value
    "one_bit": ("bit(1)", "b'1'", "1"),
    "no_bit": ("bit(1)", "b'0'", "0"),
    "bits": ("bit(64)", "b'1111111111111111111111111111111111111111111111111111111111111111'", str(2**64 - 1)),
    "null_bit": ("bit(1)", "null", None),
    "tiny": ("tinyint(1)", "1", "1"),
    "truth": ("boolean", "false", "0"),
    "huge": ("bigint unsigned", "18446744073709551615", str(2**64 - 1)),
    "exact": ("decimal(38,10)", "1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
    "share": ("double", "0.1", "0.1"),
    "day": ("date", "'0000-00-00'", "0000-00-00"),
    "half_day": ("date", "'2024-02-00'", "2024-02-00"),
    "last": ("datetime(6)", "'9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999"),
    "stamp": ("timestamp(3) null", "'2024-05-01 08:00:00.120'", "2024-05-01 08:00:00.120"),
    "long_time": ("time", "'838:59:59'", "838:59:59"),
    "time_before": ("time", "'-00:00:01'", "-00:00:01"),
    "years": ("year", "1999", "1999"),
    "choice": ("enum('有效','注销')", "'注销'", "注销"),
    "choices": ("set('甲','乙')", "'甲,乙'", "甲,乙"),
    "document": ("json", """'{"甲": [1.10, null]}'""", '{"甲": [1.10, null]}'),
    "gbk": ("varchar(20) character set gbk", "'鄂（虚构）\\t\\\\\\n'", "鄂（虚构）\t\\\n"),
    "latin": ("varchar(20) character set latin1", "'é'", "é"),
    "emoji": ("varchar(20)", "'😀𠮷'", "😀𠮷"),
    "separators": ("varchar(20)", "'a\x1e\x1fb'", "a\x1e\x1fb"),
    "text_bytes": ("blob", "x'D6A4D5D5'", "证照"),
    "picture": ("blob", "x'89504E47FFFF'", {"base64": "iVBOR///"}),
    "nul": ("varchar(20)", "'a\\0b'", "a\0b"),
    "empty": ("varchar(20)", "''", ""),
    "nothing": ("varchar(20)", "null", None),
}

POSTGRES_TYPES: dict[str, tuple[str, str, Any]] = {
    "one_bit": ("bit(1)", "b'1'", "1"),
    "bits": ("bit(8)", "b'00000101'", "00000101"),
    "truth": ("boolean", "true", "true"),
    "huge": ("numeric", "12345678901234567890123456789.10", "12345678901234567890123456789.10"),
    "no_number": ("numeric", "'NaN'", "NaN"),
    "whole": ("double precision", "20200002", "20200002"),
    "rounded": ("double precision", "42070320200101000", "4.2070320200101e+16"),
    "endless": ("date", "'infinity'", "infinity"),
    "far": ("date", "'12020-01-01'", "12020-01-01"),
    "old": ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
    "midnight": ("time", "'24:00'", "24:00:00"),
    "moment": ("timestamp", "'-infinity'", "-infinity"),
    "last": ("timestamptz", "'9999-12-31 23:59:59+00'", "10000-01-01 07:59:59"),
    "never": ("timestamptz", "'infinity'", "infinity"),
    "summer": ("timestamptz", "'1988-06-30 15:00:00+00'", "1988-07-01 00:00:00"),
    "local": ("timestamptz", "'2024-05-01 08:00:00.25+08'", "2024-05-01 08:00:00.25"),
    "span": ("interval", "'1 year 2 days'", "1 year 2 days"),
    "address": ("inet", "'10.0.0.1/8'", "10.0.0.1/8"),
    "range": ("int4range", "'[1,5)'", "[1,5)"),
    "ranges": ("tstzmultirange", "'{}'", "{}"),
    "texts": ("text[]", "array['甲', null, '乙\"']", '["甲",null,"乙\\""]'),
    "numbers": ("int[]", "array[1, 2]", "[1,2]"),
    "document": ("json", """'{"甲": [1.10, null]}'""", '{"甲": [1.10, null]}'),
    "binary_document": ("jsonb", """'{"甲":1.10}'""", '{"甲": 1.10}'),
    "money": ("money", "'12.5'", "$12.50"),
    "place": ("point", "'(1,2)'", "(1,2)"),
    "choice": ("mood", "'注销'", "注销"),
    "composite": ("pair", "row(1, 'a')", "(1,a)"),
    "network": ("macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
    "unique_id": ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "text_bytes": ("bytea", "'\\xd6a4d5d5'", "证照"),
    "picture": ("bytea", "'\\x89504e47ffff'", {"base64": "iVBOR///"}),
    "nothing": ("timestamptz", "null", None),
}


def run_as_written(server: ExchangeServer, *statements: str) -> None:
    """Run statements on one connection, whatever marks of parameters their literals hold."""
    engine = server.engine()
    with engine.begin() as connection:
        for text in statements:
            connection.exec_driver_sql(text.replace("%", "%%"))


def filled(server: ExchangeServer) -> dict[str, Any]:
    """Make the table `license` with one row of every type; return what is to land of it."""
    kinds = MARIADB_TYPES if server.is_mariadb else POSTGRES_TYPES
    if server.is_mariadb:
        opening = ["set sql_mode = ''", "set time_zone = '+08:00'"]
    else:
        opening = [
            # Whatever the department has set: values have one form.
            f"alter database {server.url.database} set datestyle = 'SQL, DMY'",
            "set lc_monetary = 'C'",
            "create type mood as enum ('有效', '注销')",
            "create type pair as (number int, name text)",
        ]
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in kinds.items())
    values = ", ".join(literal for _, literal, _ in kinds.values())
    statements = [
        *opening,
        f"create table license (id int primary key, number varchar(40), cd_time timestamp, {columns})",
        f"insert into license values (1, 'N1', '2024-05-01 08:00:00', {values})",  # noqa: S608
    ]
    run_as_written(server, *statements)
    return {name: landed for name, (_, _, landed) in kinds.items()}


def with_option(server: ExchangeServer, option: str) -> str:
    return f"{server.address}?{option}" if option else server.address


def all_mapped(names: list[str] | dict[str, Any]) -> dict[str, Any]:
    return {"extension": {name: {"column": name} for name in names}}


@pytest.mark.parametrize("option", DRIVERS)
def test_every_type_of_mariadb_lands_as_the_text_that_the_server_sends(
    mariadb: ExchangeServer, tmp_path: Path, option: str
) -> None:
    expected = filled(mariadb)
    [row] = Front(mariadb, feed_of(**all_mapped(expected)), tmp_path, with_option(mariadb, option)).read()
    assert {name: row[name] for name in expected} == expected


def test_every_type_of_postgresql_lands_as_the_text_that_the_server_sends(
    postgres: ExchangeServer, tmp_path: Path
) -> None:
    expected = filled(postgres)
    [row] = Front(postgres, feed_of(**all_mapped(expected)), tmp_path).read()
    assert {name: row[name] for name in expected} == expected
    assert row["cd_time"] == "2024-05-01 08:00:00"


def test_columns_that_nobody_maps_are_not_read_and_are_named(exchange_server: ExchangeServer, tmp_path: Path) -> None:
    names = list(filled(exchange_server))
    feed = feed_of(ignored_columns=[names[0]])
    [row] = Front(exchange_server, feed, tmp_path).read()
    assert set(row) == {"id", "number", "cd_time"}
    with LandingArea(str(tmp_path)).open("front/rows") as content:
        reader = open_table_rows(content, required_columns=feed.required_columns)
        blocks = list(reader)
    assert list(reader.unread) == names
    assert feed.unexpected_columns((*reader.columns, *reader.unread)) == tuple(names[1:])
    assert [len(block.bad) for block in blocks] == [0]


@pytest.mark.parametrize("option", DRIVERS)
def test_a_block_with_one_odd_value_reads_as_its_rows_do_one_by_one(
    mariadb: ExchangeServer, tmp_path: Path, option: str
) -> None:
    mariadb.run("create table license (id int primary key, number varchar(40), cd_time datetime(6), raw blob)")
    rows = [
        {
            "id": n,
            "number": f"虚构{n}",
            "cd_time": f"2024-05-01 08:00:00.{n:06d}",
            "raw": b"\xff\xfe" if n == 7 else None,
        }
        for n in range(1, 1202)
    ]
    mariadb.fill("license", rows)
    front = Front(mariadb, feed_of(**all_mapped(["raw"])), tmp_path, with_option(mariadb, option))
    came = front.read()
    assert [(row["id"], row["number"]) for row in came] == [(str(n), f"虚构{n}") for n in range(1, 1202)]
    assert [row["raw"] for row in came].count(None) == 1200
    assert front.collected.position == Position(datetime(2024, 5, 1, 8, 0, 0, 1201, tzinfo=CITY_TIME_ZONE), ("1201",))


TIMES = {
    "postgres": [
        *("infinity", "-infinity", "12020-01-01 00:00:00", "0044-03-15 00:00:00 BC", "9999-12-31 23:59:59.999999"),
        *("2024-05-01 08:00:00.123456", "2024-05-01 24:00:00"),
    ],
    "mariadb": [
        *("9999-12-31 23:59:59.999999", "0000-00-00 00:00:00", "2024-05-01 08:00:00.123456", "2024-00-00 00:00:00"),
        *("1000-01-01 00:00:00", "9999-12-31 00:00:00"),
    ],
}


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
def test_odd_times_in_the_windows_column_end_no_reading(postgres: ExchangeServer, tmp_path: Path, kind: str) -> None:
    postgres.run(f"create table license (id int primary key, number varchar(40), cd_time {kind})")
    check_odd_times(postgres, tmp_path, TIMES["postgres"])


@pytest.mark.parametrize("option", DRIVERS)
def test_odd_times_of_mariadb_end_no_reading(mariadb: ExchangeServer, tmp_path: Path, option: str) -> None:
    mariadb.run("create table license (id int primary key, number varchar(40), cd_time datetime(6))")
    check_odd_times(mariadb, tmp_path, TIMES["mariadb"], option)


def check_odd_times(server: ExchangeServer, folder: Path, times: list[str], option: str = "") -> None:
    """All rows come once each, across page borders that lie within each odd time."""
    values = [(n, time) for n, time in enumerate((time for time in times for _ in range(130)), 1)]
    rows = ", ".join(f"({n}, '虚构{n}', '{time}')" for n, time in values)
    run_as_written(
        server,
        *(["set sql_mode = ''"] if server.is_mariadb else []),
        f"insert into license values {rows}",  # noqa: S608
    )
    front = Front(server, feed_of(), folder, with_option(server, option))
    assert front.ids() == [str(n) for n, _ in values]
    assert front.collected.position is not None
    assert front.collected.position.at.date() in (at(2024, 5, 1).date(), at(2024, 5, 2).date())
    assert front.ids(Window(end=at(9999, 12, 31))) == [str(n) for n, _ in values]


def test_whole_table_goes_by_a_row_id_that_no_driver_reads(postgres: ExchangeServer, tmp_path: Path) -> None:
    postgres.run(
        "create table license (id date, number varchar(40), cd_time timestamp)",
        "insert into license select 'infinity', n::text, null from generate_series(1, 250) n",
        "insert into license select date '9990-01-01' + n * 20000, n::text, null from generate_series(1, 250) n",
    )
    feed = feed_of(window={"kind": "whole"}, deliveries="snapshots")
    rows = Front(postgres, feed, tmp_path).read()
    assert len(rows) == 500
    assert sum(row["id"] == "infinity" for row in rows) == 250


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint", ["9007199254740993", "9007199254740992", "9007199254740994"]),
        ("decimal(30,4)", ["90071992547409930001.0001", "90071992547409930001.0002"]),
        ("varbinary(4)", [b"\xff\xfe", b"\x00\x01"]),
        ("bit(8)", [3, 200]),
        ("varchar(20) character set gbk", ["鄂", "证"]),
    ],
)
@pytest.mark.parametrize("option", DRIVERS)
def test_row_ids_of_mariadb_are_compared_exactly(
    mariadb: ExchangeServer, tmp_path: Path, option: str, kind: str, values: list[Any]
) -> None:
    mariadb.run(
        f"create table license (id {kind}, part int, number varchar(40), cd_time datetime, primary key (id, part))"
    )
    mariadb.fill(
        "license",
        [
            {"id": value, "part": n, "number": "N", "cd_time": "2024-05-01 08:00:00"}
            for value in values
            for n in range(99)
        ],
    )
    rows = Front(mariadb, feed_of(["id", "part"]), tmp_path, with_option(mariadb, option)).read()
    keys = [(json.dumps(row["id"]), row["part"]) for row in rows]
    assert len(keys) == len(set(keys)) == 99 * len(values)


@pytest.mark.parametrize("option", DRIVERS)
def test_timestamps_of_mariadb_know_the_summers_of_1986_to_1991(
    mariadb: ExchangeServer, tmp_path: Path, option: str
) -> None:
    moments = {
        # what the clock of the city showed → the same in UTC
        "1985-07-01 00:00:00": "1985-06-30 16:00:00",
        "1986-07-01 00:00:00": "1986-06-30 15:00:00",
        "1988-07-01 00:00:00": "1988-06-30 15:00:00",
        "1988-12-01 00:00:00": "1988-11-30 16:00:00",
        "1991-09-14 23:59:59": "1991-09-14 14:59:59",
        "1992-07-01 00:00:00": "1992-06-30 16:00:00",
    }
    mariadb.run(
        "create table license (id int primary key, number varchar(40), cd_time timestamp(2) null)",
        "set time_zone = '+00:00'",
        *(f"insert into license values ({n}, '{at}', '{utc}.25')" for n, (at, utc) in enumerate(moments.items())),  # noqa: S608
        "insert into license values (98, '', null)",
    )
    rows = Front(mariadb, feed_of(), tmp_path, with_option(mariadb, option)).read(Window())
    assert [(row["number"], row["cd_time"]) for row in rows if row["id"] != "98"] == [
        (shown, f"{shown}.25") for shown in moments
    ]
