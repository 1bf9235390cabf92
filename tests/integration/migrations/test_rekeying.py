"""Migration 0013: stored keys in the form in which codes are compared, and a report of what that changed."""

import psycopg
from psycopg import sql
from tests.support.schema_at_revision import at_revision

from zhengku.database import upgrade


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
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(*table.split(".")),
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
            insert(connection, "store.certificate", row)
        insert(connection, "store.certificate_history", certificate("鄂〔2022〕2号", "乙", "B", 2, 1, **old))
        insert(connection, "store.certificate_history", certificate("甲1", "辛", "H", 1, 1, **old))
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


FILLED = {
    "ARRAY": [],
    "text": "x",
    "bigint": 1,
    "integer": 1,
    "smallint": 1,
    "boolean": False,
    "jsonb": "{}",
    "date": "2026-01-01",
}


def insert_with(connection: psycopg.Connection, table: str, **values: object) -> None:
    """Insert a row; what must be filled and is not given gets some value of its type."""
    schema, name = table.split(".")
    columns = connection.execute(
        "select column_name, data_type from information_schema.columns where table_schema = %s and table_name = %s"
        " and is_nullable = 'NO' and column_default is null and is_identity = 'NO' and is_generated = 'NEVER'",
        (schema, name),
    ).fetchall()
    insert(connection, table, {column: FILLED.get(kind, "2026-01-01") for column, kind in columns} | values)


def test_cases_and_what_points_at_a_record_follow(empty_database_url: str) -> None:
    at_revision(empty_database_url, "0012")
    address = empty_database_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        # What is pointed at is no matter here.
        connection.execute("set session_replication_role = replica")
        for place, key in enumerate(("鄂〔2022〕5|1", "鄂(2022)5|1", "鄂【2022】6|1"), start=1):
            number = key.split("|")[0]
            insert_with(
                connection,
                "store.service_case",
                record_key=key,
                case_number=number,
                service_number="1",
                version_at=f"2026-01-0{place}",
            )
        insert_with(connection, "store.evaluation", record_key="评1", case_number="鄂〔2022〕5", service_number="1")
        insert_with(connection, "store.case_result", record_key="果1", case_number="鄂【2022】6")
        insert_with(connection, "clearance.touched", record_key="鄂【2022】6|1")
        insert_with(connection, "ledger.warned_row", record_key="鄂【2022】6|1", row_no=1)
        for place, key in enumerate(("鄂〔2022〕5|1", "鄂(2022)5|1"), start=1):
            insert_with(connection, "clearance.archived", record_key=key)
            insert_with(
                connection,
                "quarantine.problem_row",
                record_key=key,
                first_row_no=place,
                rules=["x"],
                payload="{}",
                fingerprint=str(place),
            )
    counted = upgrade(empty_database_url)
    assert (counted["merged"], counted["rekeyed"]) == (2, 4)
    with psycopg.connect(address) as connection:
        found = {
            table: sorted(connection.execute(f"select {columns} from {table}").fetchall())  # noqa: S608 - of this test
            for table, columns in {
                "store.service_case": "record_key, case_number, version_no",
                "store.service_case_history": "record_key, case_number",
                "store.evaluation": "case_number",
                "store.case_result": "case_number",
                "clearance.touched": "record_key",
                "clearance.archived": "record_key",
                "ledger.warned_row": "record_key",
                "quarantine.problem_row": "record_key",
            }.items()
        }
    assert found == {
        "store.service_case": [("鄂(2022)5|1", "鄂(2022)5", 2), ("鄂(2022)6|1", "鄂(2022)6", 1)],
        "store.service_case_history": [("鄂(2022)5|1", "鄂〔2022〕5")],
        "store.evaluation": [("鄂(2022)5",)],
        "store.case_result": [("鄂(2022)6",)],
        "clearance.touched": [("鄂(2022)6|1",)],
        # One was archived in both writings: each entry stays as it is.
        "clearance.archived": [("鄂(2022)5|1",), ("鄂〔2022〕5|1",)],
        "ledger.warned_row": [("鄂(2022)6|1",)],
        "quarantine.problem_row": [("鄂(2022)5|1",), ("鄂(2022)5|1",)],
    }
