"""Tables of real MariaDB and PostgreSQL servers, read into the landing area."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import URL
from tests.support.exchange_reading import Front, at, feed_of

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError, DeliveryRejected, DeliveryUnavailable, SourceRefused
from zhengku.landed.landing import LandingArea
from zhengku.readers.table_rows import open_table_rows
from zhengku.transports.exchange_database.session import MYSQL_SETTINGS, POSTGRES_SETTINGS
from zhengku.transports.exchange_database.source import ExchangeDatabaseSource
from zhengku.transports.source import Window

if TYPE_CHECKING:
    from tests.support.exchange_servers import ExchangeServer


def license_table(server: ExchangeServer, time: str = "", key: str = "primary key (id)") -> None:
    time = time or ("datetime(6)" if server.is_mariadb else "timestamp")
    server.run(f"create table license (id int, number varchar(80), cd_time {time}{', ' + key if key else ''})")


def rows_of(count: int, moment: Any, first: int = 1) -> list[dict[str, Any]]:
    return [{"id": number, "number": f"虚构{number}", "cd_time": moment} for number in range(first, first + count)]


MORNING = datetime(2024, 5, 1, 8)


def test_rows_of_one_time_across_page_borders_come_once_each(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(350, MORNING))
    front = Front(exchange_server, feed_of(), tmp_path)
    assert front.ids() == [str(number) for number in range(1, 351)]
    assert front.collected.position is not None
    assert (front.collected.position.at, front.collected.position.key) == (at(2024, 5, 1, 8), ("350",))


def test_keys_that_nothing_keeps_apart_lose_no_row(exchange_server, tmp_path):
    license_table(exchange_server, key="")
    rows = rows_of(95, MORNING) + [
        {"id": 1000, "number": f"虚构{number % 40}", "cd_time": MORNING} for number in range(230)
    ]
    exchange_server.fill("license", rows)
    came = Front(exchange_server, feed_of(), tmp_path).read()
    assert sorted(row["number"] for row in came) == sorted(row["number"] for row in rows)


def test_texts_that_a_collation_finds_equal_lose_no_row(mariadb, tmp_path):
    mariadb.run("create table license (id varchar(20), number varchar(80), cd_time datetime)")
    rows = [{"id": "a" if n % 2 else "A", "number": str(n), "cd_time": MORNING} for n in range(130)]
    mariadb.fill("license", rows)
    came = Front(mariadb, feed_of(), tmp_path).read()
    assert sorted(int(row["number"]) for row in came) == list(range(130))


@pytest.mark.parametrize(
    "window", [{"kind": "whole"}, {"kind": "watermark", "column": "cd_time", "overlap_minutes": 0}]
)
@pytest.mark.parametrize("kind", ["enum", "set"])
def test_words_with_an_order_of_their_own_lose_no_row(mariadb, tmp_path, kind, window):
    kinds = ("营业执照", "许可证", "备案证")
    words = ", ".join(f"'{word}'" for word in kinds)
    mariadb.run(
        f"create table license (kind {kind}({words}) not null, id int not null, number varchar(40), cd_time datetime,"
        " primary key (kind, id))",
        "create view licenses as select * from license",
    )
    rows = [{"kind": word, "id": number, "number": "1", "cd_time": MORNING} for word in kinds for number in range(60)]
    mariadb.fill("license", rows)
    for table in ("license", "licenses"):
        feed = feed_of(["kind", "id"], window=window, table=table)
        came = Front(mariadb, feed, tmp_path / table).read(Window() if window["kind"] == "whole" else None)
        assert len({(row["kind"], row["id"]) for row in came}) == len(came) == len(rows)


def test_numbers_of_single_precision_come_in_all_their_digits(mariadb, tmp_path):
    numbers = [1234567, 1234568, 20200002]
    mariadb.run("create table license (id int primary key, number float, cd_time datetime)")
    mariadb.fill(
        "license", [{"id": place, "number": number, "cd_time": MORNING} for place, number in enumerate(numbers)]
    )
    assert [row["number"] for row in Front(mariadb, feed_of(), tmp_path).read()] == list(map(str, numbers))


def test_key_of_a_table_does_not_bind_those_that_inherit_from_it(postgres, tmp_path):
    postgres.run(
        "create table license (id int primary key, number varchar(40), cd_time timestamp)",
        "create table heir () inherits (license)",
    )
    postgres.fill("license", rows_of(100, MORNING))
    postgres.fill("heir", [{"id": 100, "number": "另一", "cd_time": MORNING}, *rows_of(50, MORNING, first=101)])
    assert len(Front(postgres, feed_of(), tmp_path).read()) == 151


def test_rows_without_time_or_row_id_are_read_by_every_run(exchange_server, tmp_path):
    license_table(exchange_server, key="")
    exchange_server.fill("license", rows_of(3, MORNING))
    exchange_server.fill("license", [{"id": None, "number": "无编号", "cd_time": datetime(2024, 5, 3)}])
    exchange_server.fill("license", [{"id": None, "number": "旧的无编号", "cd_time": datetime(2024, 1, 1)}])
    exchange_server.fill("license", rows_of(150, None, first=10))
    exchange_server.fill("license", rows_of(1, datetime(1, 1, 1), first=9))
    window = Window(start=at(2024, 5, 1), end=datetime.now(tz=CITY_TIME_ZONE))
    front = Front(exchange_server, feed_of(), tmp_path)
    came = [row["number"] for row in front.read(window)]
    assert sorted(came) == sorted(["无编号", *(f"虚构{number}" for number in [1, 2, 3, *range(9, 160)])])
    assert front.collected.position is not None
    assert (front.collected.position.at, front.collected.position.key) == (at(2024, 5, 3), ())


def test_only_the_row_behind_the_last_one_is_read_without_overlap(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(5, MORNING) + rows_of(2, MORNING + timedelta(hours=1), first=6))
    front = Front(exchange_server, feed_of(), tmp_path)
    now = datetime.now(tz=CITY_TIME_ZONE)
    assert front.ids(Window(start=at(2024, 5, 1, 8), end=now, after=("3",))) == ["4", "5", "6", "7"]
    assert front.ids(Window(start=at(2024, 5, 1, 8), end=now)) == [str(number) for number in range(1, 8)]


def test_overlap_finds_a_row_committed_late_with_an_older_time(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(3, MORNING))
    front = Front(exchange_server, feed_of(), tmp_path)
    front.read()
    assert front.collected.position is not None
    exchange_server.fill("license", rows_of(1, MORNING - timedelta(minutes=30), first=50))
    assert "50" in front.ids(Window(start=front.collected.position.at - timedelta(minutes=60)))


@pytest.mark.parametrize("count", [1, 150])
@pytest.mark.parametrize("form", ["time", "text"])
def test_rows_from_the_future_do_not_move_the_position(exchange_server, tmp_path, count, form):
    license_table(exchange_server, time="varchar(30)" if form == "text" else "")
    rows = rows_of(130, MORNING) + rows_of(count, datetime(2062, 1, 1), first=500)
    if form == "text":
        rows = [{**row, "cd_time": row["cd_time"].strftime("%Y-%m-%d %H:%M:%S")} for row in rows]
    exchange_server.fill("license", rows)
    front = Front(exchange_server, feed_of(), tmp_path)
    assert len(front.read()) == 130 + count
    assert front.collected.position is not None
    assert (front.collected.position.at, front.collected.position.key) == (at(2024, 5, 1, 8), ("130",))


def test_rows_of_the_future_alone_leave_no_position(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(3, datetime(2062, 1, 1)))
    front = Front(exchange_server, feed_of(), tmp_path)
    assert front.ids() == ["1", "2", "3"]
    assert front.collected.position is None


def test_row_without_row_id_from_the_future_does_not_move_the_position(exchange_server, tmp_path):
    license_table(exchange_server, key="")
    exchange_server.fill("license", rows_of(2, MORNING))
    for moment in (MORNING + timedelta(hours=1), datetime(2062, 1, 1)):
        exchange_server.fill("license", [{"id": None, "number": "无编号", "cd_time": moment}])
    front = Front(exchange_server, feed_of(), tmp_path)
    assert len(front.read()) == 4
    assert front.collected.position is not None
    assert (front.collected.position.at, front.collected.position.key) == (at(2024, 5, 1, 9), ())


def test_end_that_has_passed_is_inclusive_and_the_present_is_no_bound(exchange_server, tmp_path):
    license_table(exchange_server)
    tomorrow = datetime.now() + timedelta(days=1)
    exchange_server.fill(
        "license",
        rows_of(1, MORNING) + rows_of(1, MORNING + timedelta(hours=1), first=2) + rows_of(1, tomorrow, first=3),
    )
    front = Front(exchange_server, feed_of(), tmp_path)
    assert front.ids(Window(start=at(2024), end=at(2024, 5, 1, 8))) == ["1"]
    assert front.ids(Window(start=at(2024), end=datetime.now(tz=CITY_TIME_ZONE))) == ["1", "2", "3"]


def test_time_as_text_is_compared_in_its_form(exchange_server, tmp_path):
    license_table(exchange_server, time="varchar(30)")
    times = ["20240501080000", "20240430235959", "待定", "", None, "20240502090000"]
    exchange_server.fill("license", [{"id": n, "number": str(n), "cd_time": text} for n, text in enumerate(times, 1)])
    front = Front(exchange_server, feed_of(time_format="%Y%m%d%H%M%S"), tmp_path)
    assert front.ids(Window(start=at(2024, 5, 1))) == ["1", "3", "4", "5", "6"]
    assert front.collected.position is not None
    assert (front.collected.position.at, front.collected.position.key) == (at(2024, 5, 2, 9), ("6",))


def test_time_with_a_zone_is_read_as_the_citys(exchange_server, tmp_path):
    license_table(exchange_server, time="timestamp null" if exchange_server.is_mariadb else "timestamptz")
    if exchange_server.is_mariadb:
        exchange_server.run("set time_zone = '+00:00'", "insert into license values (1, 'x', '2024-05-01 00:00:00')")
    else:
        exchange_server.run("insert into license values (1, 'x', '2024-05-01 00:00:00+00')")
    front = Front(exchange_server, feed_of(), tmp_path)
    assert [row["cd_time"] for row in front.read(Window(start=at(2024, 5, 1, 8)))] == ["2024-05-01 08:00:00"]
    assert front.ids(Window(start=at(2024, 5, 1, 8, 1))) == []


@pytest.mark.parametrize("kind", ["varchar(8)", "char(8)"])
def test_row_id_of_two_columns_orders_the_pages(exchange_server, tmp_path, kind):
    moment = "datetime" if exchange_server.is_mariadb else "timestamp"
    exchange_server.run(
        f"create table license (id int, area {kind}, number varchar(80), cd_time {moment}, primary key (area, id))"
    )
    rows = [{**row, "area": area} for area in ("甲", "乙") for row in rows_of(130, MORNING)]
    exchange_server.fill("license", rows)
    front = Front(exchange_server, feed_of(["area", "id"]), tmp_path)
    came = front.read()
    assert len({(row["area"], row["id"]) for row in came}) == len(came) == 260
    position = front.collected.position
    assert position is not None
    assert front.read(Window(start=position.at, after=position.key)) == []


def test_whole_table_is_read_by_row_id(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(250, None))
    feed = feed_of(window={"kind": "whole"}, deliveries="snapshots")
    front = Front(exchange_server, feed, tmp_path)
    assert len(front.ids(Window())) == 250
    assert front.collected.position is None


def test_same_rows_give_the_same_digest(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(150, MORNING))
    digests = set()
    for _ in range(2):
        front = Front(exchange_server, feed_of(), tmp_path)
        front.read()
        digests.add(front.collected.landed.digests["sha256"])
    assert len(digests) == 1


def test_empty_table_is_a_delivery_without_rows(exchange_server, tmp_path):
    license_table(exchange_server)
    front = Front(exchange_server, feed_of(), tmp_path)
    assert front.read() == []
    assert front.collected.position is None


def test_values_of_all_kinds_keep_their_text(mariadb, tmp_path):
    mariadb.run(
        "create table license (id bigint unsigned primary key, number varchar(80) character set gbk, cd_time datetime,"
        " emoji varchar(20), amount decimal(30,4), day date, gone datetime, raw blob, picture blob, share double)"
    )
    mariadb.fill(
        "license",
        [
            {
                "id": 2**64 - 1,
                "number": "鄂（虚构）\t第1号\\",
                "cd_time": MORNING,
                "emoji": "😀𠮷\0末",
                "amount": Decimal("123456789012345678901234.5000"),
                "day": date(2024, 2, 29),
                "gone": None,
                "raw": "证照".encode("gbk"),
                "picture": b"\x89PNG\xff\xff",
                "share": 0.1,
            }
        ],
    )
    others = ("emoji", "amount", "day", "gone", "raw", "picture", "share")
    [row] = Front(mariadb, feed_of(extension={name: {"column": name} for name in others}), tmp_path).read()
    assert row == {
        "id": str(2**64 - 1),
        "number": "鄂（虚构）\t第1号\\",
        "cd_time": "2024-05-01 08:00:00",
        "emoji": "😀𠮷\0末",
        "amount": "123456789012345678901234.5000",
        "day": "2024-02-29",
        "gone": None,
        "raw": "证照",
        "picture": {"base64": "iVBOR///"},
        "share": "0.1",
    }


def test_zero_date_of_mariadb_is_read_as_it_is(mariadb, tmp_path):
    license_table(mariadb, time="datetime")
    mariadb.run("set sql_mode = ''", "insert into license values (1, 'x', '0000-00-00 00:00:00')")
    [row] = Front(mariadb, feed_of(), tmp_path).read()
    assert row["cd_time"] == "0000-00-00 00:00:00"


def test_column_that_is_gone_rejects_the_delivery_with_its_name(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.run("alter table license drop column number")
    front = Front(exchange_server, feed_of(), tmp_path)
    with pytest.raises(DeliveryRejected, match="lacks number") as caught:
        front.read()
    assert caught.value.rule == "file.missing_column"
    assert "缺少列：number" in caught.value.reason
    assert front.left() == []


def test_ignored_column_does_not_leave_the_department(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.run("alter table license add column phone varchar(20)")
    exchange_server.fill("license", [{**row, "phone": "虚构号码"} for row in rows_of(1, MORNING)])
    [row] = Front(exchange_server, feed_of(ignored_columns=["phone"]), tmp_path).read()
    assert set(row) == {"id", "number", "cd_time"}


def test_view_is_read_like_a_table(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.run("create view shown as select id, number, cd_time from license")
    exchange_server.fill("license", rows_of(250, MORNING))
    assert len(Front(exchange_server, feed_of(table="shown"), tmp_path).ids()) == 250


def test_table_that_is_not_there_is_refused(exchange_server, tmp_path):
    front = Front(exchange_server, feed_of(), tmp_path)
    with pytest.raises(SourceRefused, match="table license"):
        front.read()


@pytest.mark.parametrize("part", ["password", "database"])
def test_wrong_login_is_refused_and_the_password_is_in_no_message(exchange_server, tmp_path, part):
    url: URL = exchange_server.url
    if part == "password":
        url = url.set(username="nobody_here", password="geheim-4711")
    else:
        url = url.set(database="zhengku_not_there")
    front = Front(exchange_server, feed_of(), tmp_path, url.render_as_string(hide_password=False))
    with pytest.raises(SourceRefused) as caught:
        front.read()
    # The server's own words, of which the two that are tested here have other ones.
    words = {"password": "(Access denied|authentication failed) for user .nobody_here", "database": "zhengku_not_there"}
    assert re.search(rf"\(user .*Error: .*{words[part]}", str(caught.value)), str(caught.value)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_user_without_the_right_to_read_is_refused(postgres, tmp_path):
    license_table(postgres)
    name = f"reader_{tmp_path.name[-6:]}".replace("-", "_")
    postgres.run(f"create role {name} login password 'geheim'")
    try:
        address = postgres.url.set(username=name, password="geheim").render_as_string(hide_password=False)
        with pytest.raises(SourceRefused, match="42501 InsufficientPrivilege: permission denied for table license"):
            Front(postgres, feed_of(), tmp_path, address).read()
    finally:
        postgres.run(f"drop role {name}")


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_server_that_is_down_may_pass(tmp_path, kind):
    front = Front(None, feed_of(), tmp_path, f"{kind}://user:geheim@127.0.0.1:1/front")  # type: ignore[arg-type]
    with pytest.raises(DeliveryUnavailable) as caught:
        front.read()
    assert "geheim" not in str(caught.value)


def test_connection_cut_while_reading_leaves_nothing_in_the_landing_area(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", [{**row, "number": "长" * 80} for row in rows_of(20_000, MORNING)])
    front = Front(exchange_server, feed_of(), tmp_path)
    cut: list[int] = []

    def cut_once(size: int) -> None:
        if not cut:
            cut.append(exchange_server.cut_others())

    with pytest.raises(DeliveryUnavailable):
        front.read(on_bytes=cut_once)
    assert cut == [1]
    assert front.left() == []


@pytest.mark.parametrize("engine", ["innodb", "myisam", "postgres"])
def test_rows_written_while_reading_neither_keep_it_going_nor_get_lost(request, tmp_path, engine):
    server: ExchangeServer = request.getfixturevalue("postgres" if engine == "postgres" else "mariadb")
    if server.is_mariadb:
        # MyISAM knows no transaction, so nothing holds the picture still.
        server.run(f"set default_storage_engine = {engine}", "create table license (id int primary key, number "
                   "varchar(80), cd_time datetime(6))")  # fmt: skip
    else:
        license_table(server)
    server.fill("license", [{**row, "number": "长" * 80} for row in rows_of(6_000, MORNING)])
    front = Front(server, feed_of(page_rows=1000), tmp_path)
    written: Iterator[int] = iter(range(1, 100_000))

    def write(size: int) -> None:
        for _ in range(3):
            number = next(written)
            later = MORNING + timedelta(minutes=number)
            server.run(
                "insert into license values (6000 + :number, 'neu', :later)",
                "update license set cd_time = :later where id = :number",
                number=number,
                later=later,
            )

    came = {int(row["id"]) for row in front.read(on_bytes=write)}
    count = next(written)
    assert count > 3
    assert front.collected.position is not None
    later = {int(row["id"]) for row in front.read(Window(start=front.collected.position.at - timedelta(minutes=60)))}
    assert came | later == set(range(1, 6000 + count))


def test_table_that_is_locked_may_pass(exchange_server, tmp_path, monkeypatch):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(1, MORNING))
    monkeypatch.setitem(MYSQL_SETTINGS, "lock_wait_timeout", 1)
    monkeypatch.setitem(POSTGRES_SETTINGS, "lock_timeout", "1s")
    engine = exchange_server.engine()
    with engine.connect() as connection:
        lock = "lock tables license write" if exchange_server.is_mariadb else "lock table license"
        connection.exec_driver_sql(lock)
        with pytest.raises(DeliveryUnavailable):
            Front(exchange_server, feed_of(), tmp_path).read()
    assert len(Front(exchange_server, feed_of(), tmp_path).read()) == 1


def test_connection_is_closed_when_the_reading_ends(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(5, MORNING))
    Front(exchange_server, feed_of(), tmp_path).read()
    assert exchange_server.cut_others() == 0


def test_missing_driver_names_the_extra_to_install(tmp_path):
    pytest.importorskip("pymysql")
    front = Front(None, feed_of(), tmp_path, "dm://user:geheim@127.0.0.1:5236/front")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"pip install 'zhengku\[dameng\]'"):
        front.read()


@pytest.mark.parametrize("address", ["/var/drop/geheim", "sqlite:///geheim", "mysql://host:geheim/front", "::"])
def test_address_that_cannot_be_read_is_not_shown(address):
    feed = feed_of()
    with pytest.raises(ConfigurationError, match="ZHENGKU_CONN_FRONT") as caught:
        ExchangeDatabaseSource(feed, feed.transport, address)  # type: ignore[arg-type]
    assert "heim" not in str(caught.value)


def test_text_times_that_do_not_sort_are_a_mistake():
    feed = feed_of(time_format="%d/%m/%Y %H:%M")
    with pytest.raises(ConfigurationError, match="time_format"):
        ExchangeDatabaseSource(feed, feed.transport, "mysql://host/front")  # type: ignore[arg-type]


def test_landed_rows_can_be_staged(exchange_server, tmp_path):
    license_table(exchange_server)
    exchange_server.fill("license", rows_of(250, MORNING))
    Front(exchange_server, feed_of(), tmp_path).read()
    with LandingArea(str(tmp_path)).open("front/rows") as content:
        reader = open_table_rows(content, required_columns=feed_of().required_columns)
        assert sum(block.rows for block in reader) == 250 == reader.fetched
