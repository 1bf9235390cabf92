"""Migration 0013: stored keys in the form in which codes are compared, and a report of what that changed."""

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from psycopg import sql

from zhengku.database import upgrade
from zhengku.settings import project_home


def at_revision(url: str, revision: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("create schema ledger")
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(project_home() / "sql" / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def certificate(key: str, holder: str | None, code: str | None, day: int, version_no: int = 1, **more: object) -> dict:
    return {
        "license_type": "t",
        "record_key": key,
        "certificate_number": key,
        "holder": holder,
        "holder_code": code,
        "extension": "{}",
        "version_at": f"2026-01-{day:02d}",
        "version_no": version_no,
        "row_hash": 1,
        "department": "d",
        "feed": "f",
        "batch_id": day,
        "row_no": 1,
        "loaded_at": "2026-01-01",
        **more,
    }


def insert(connection: psycopg.Connection, table: str, row: dict) -> None:
    connection.execute(
        sql.SQL("insert into store.{} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        row,
    )


def test_keys_are_brought_along_and_what_changed_is_listed(empty_database_url: str) -> None:
    at_revision(empty_database_url, "0012")
    address = empty_database_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("create table certificate_of.t partition of store.certificate for values in ('t')")
        old = {"replaced_by_batch_id": 9, "replaced_at": "2026-01-09"}
        rows = [
            certificate("鄂〔2022〕1号", "甲", "A", 1),  # alone: another key
            certificate("鄂〔2022〕2号", "乙", "B", 3, 2),  # one certificate in two writings
            certificate("鄂(2022)2号", "乙", "B", 5),
            certificate("鄂【2022】3号", "丙", "C", 1),  # two holders
            certificate("鄂[2022]3号", "丁", "D", 2),
            certificate("鄂[2022]4号", "戊", "E", 1),  # cancelled in another writing
            certificate("鄂(2022)4号", None, None, 4, removed_at="2026-01-04", removal="deleted"),
            certificate("待办理", "己", "F", 1),
            certificate("甲1", "庚", "G", 3, 2),
            certificate("'0042", "壬", "I", 1),  # what a spreadsheet said of a text
            certificate("0042", "壬", "I", 2),
            certificate('="0043"', "癸", "J", 1),
            certificate("20200001.0", "子", "K", 1),  # kept as a number
            certificate("1.10", "丑", "L", 1),
        ]
        for row in rows:
            insert(connection, "certificate", row)
        insert(connection, "certificate_history", certificate("鄂〔2022〕2号", "乙", "B", 2, 1, **old))
        insert(connection, "certificate_history", certificate("甲1", "辛", "H", 1, 1, **old))
    counted = upgrade(empty_database_url)
    assert counted == {"kept_apart": 2, "may_be_two": 1, "merged": 6, "no_number": 1, "rekeyed": 3}
    assert upgrade(empty_database_url) == {}
    with psycopg.connect(address) as connection:
        stored = connection.execute(
            "select record_key, certificate_number, holder, version_no, removal from store.certificate order by 1, 2"
        ).fetchall()
        history = connection.execute(
            "select record_key, certificate_number, version_no from store.certificate_history order by 1, 3"
        ).fetchall()
        told = connection.execute(
            "select old_key, new_key, outcome from ledger.rekeyed_record where table_name = 'store.certificate'"
        ).fetchall()
    assert sorted(stored) == sorted(
        [
            ("鄂(2022)1号", "鄂〔2022〕1号", "甲", 1, None),
            ("鄂(2022)2号", "鄂(2022)2号", "乙", 3, None),
            ("鄂【2022】3号", "鄂【2022】3号", "丙", 1, None),
            ("鄂[2022]3号", "鄂[2022]3号", "丁", 1, None),
            ("鄂(2022)4号", "鄂[2022]4号", "戊", 2, "deleted"),
            ("待办理", "待办理", "己", 1, None),
            ("甲1", "甲1", "庚", 2, None),
            ("0042", "0042", "壬", 2, None),
            ("0043", '="0043"', "癸", 1, None),
            ("20200001", "20200001.0", "子", 1, None),
            ("1.10", "1.10", "丑", 1, None),
        ]
    )
    assert sorted(history) == sorted(
        [
            ("鄂(2022)2号", "鄂〔2022〕2号", 1),
            ("鄂(2022)2号", "鄂〔2022〕2号", 2),
            ("鄂(2022)4号", "鄂(2022)4号", 1),
            ("甲1", "甲1", 1),
            ("0042", "'0042", 1),
        ]
    )
    assert sorted(told) == sorted(
        [
            ("鄂〔2022〕1号", "鄂(2022)1号", "rekeyed"),
            ("鄂〔2022〕2号", "鄂(2022)2号", "merged"),
            ("鄂(2022)2号", "鄂(2022)2号", "merged"),
            ("鄂【2022】3号", "鄂(2022)3号", "kept_apart"),
            ("鄂[2022]3号", "鄂(2022)3号", "kept_apart"),
            ("鄂[2022]4号", "鄂(2022)4号", "merged"),
            ("鄂(2022)4号", "鄂(2022)4号", "merged"),
            ("待办理", "待办理", "no_number"),
            ("甲1", "甲1", "may_be_two"),
            ("'0042", "0042", "merged"),
            ("0042", "0042", "merged"),
            ('="0043"', "0043", "rekeyed"),
            ("20200001.0", "20200001", "rekeyed"),
        ]
    )
