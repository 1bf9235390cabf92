"""A profile reads a sample through each transport, stops early, and writes nothing but what it prints."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from typer.testing import CliRunner

from simulator.business_licenses import credit_code
from simulator.credentials import app_id, app_secret
from simulator.http_service import HttpService, write_state
from simulator.model import Column, HttpPlace, SourceRow, SourceSystem
from zhengku.cli.main import app
from zhengku.errors import CatalogError, DeliveryRejected, DeliveryUnavailable
from zhengku.profile.profile import Profile, profile
from zhengku.settings import Settings

if TYPE_CHECKING:
    from tests.support.exchange_servers import ExchangeServer


HOME = Path(__file__).resolve().parents[3]
HEAD = """department: office
name: 市某某局
owner: big-data-section
schedule: "0 1 * * *"
feeds:
  permit:
    title: 虚构许可证
    dataset: certificate
    license_type: building_construction_permit
"""
FILES = "    transport: {kind: file_drop, connection: office, pattern: '*.*', settle_seconds: 0%s}\n"


class Office:
    """A catalogue with one draft, and the address of its source. There is no store, and no landing area to write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drop = folder / "drop"
        self.drop.mkdir()
        shutil.copytree(HOME / "include" / "catalog", folder / "catalog")
        for path in (folder / "catalog" / "departments").iterdir():
            path.unlink()
        self.environment = {
            "ZHENGKU_CATALOG_DIR": str(folder / "catalog"),
            "ZHENGKU_CONN_OFFICE": str(self.drop),
            "ZHENGKU_LANDING_URL": str(folder / "never"),
        }

    def says(self, rest: str) -> None:
        (self.folder / "catalog" / "departments" / "office.yaml").write_text(HEAD + rest, encoding="utf-8")

    def deliver(self, name: str, content: bytes, minutes_ago: float = 60) -> None:
        path = self.drop / name
        path.write_bytes(content)
        os.utime(path, (time.time() - minutes_ago * 60,) * 2)

    def profile(self, rows: int = 1000) -> Profile:
        return profile(Settings(HOME, self.environment), "office", "permit", rows)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def permit(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "ZZHM": f"XN{number:06d}",
        "CZZT": f"鄂州市虚构第{number}号有限公司",
        "CZZTDM": credit_code(number),
        "FZRQ": "2024-03-01",
        "cd_time": "2024-03-01 08:00:00",
    }


def test_newest_file_is_looked_at_and_only_so_many_rows(office: Office) -> None:
    office.says(FILES % "")
    office.deliver("新.csv", "证照编号\n".encode() + b"".join(b"N%d\n" % number for number in range(5000)))
    office.deliver("旧.csv", "别的列\nx\n".encode(), minutes_ago=600)
    seen = office.profile(rows=20)
    assert (seen.source_name, seen.rows, seen.bad) == ("新.csv", 20, 0)
    assert [column.name for column in seen.columns] == ["证照编号"]


def test_gbk_quotes_line_breaks_and_bad_rows(office: Office) -> None:
    office.says(FILES % "")
    office.deliver("a.csv", '证照编号,持证主体\n1,"甲\n乙\t丙\\"\n只有一列\n2,丁\n'.encode("gb18030"))
    seen = office.profile()
    assert (seen.rows, seen.bad) == (2, 1)
    assert [column.filled for column in seen.columns] == [2, 2]
    assert "1 more are no records" in str(seen)


def test_sums_and_remarks_are_no_rows_and_words_for_nothing_no_values(office: Office) -> None:
    office.says(FILES % "")
    rows = [f"鄂〔2026〕{number}号,{'暂无' if number % 2 else f'虚构公司{number}'},2024-03-01" for number in range(20)]
    office.deliver(
        "a.csv", "\n".join(["证照编号,持证主体,发证日期", *rows, "合计,,共20家", "制表人：某某", ""]).encode()
    )
    seen = office.profile()
    assert (seen.rows, seen.bad, seen.footers) == (20, 0, 2)
    assert "2 are sums or remarks" in str(seen)
    assert [(column.rows, column.filled, column.distinct) for column in seen.columns] == [
        (20, 20, 20),
        (20, 10, 10),
        (20, 20, 1),
    ]
    assert "[certificate_number]  # 20 different in 20 rows" in str(seen)


def test_sheets_that_are_not_read_are_named(office: Office) -> None:
    book = openpyxl.Workbook()
    for title in ("许可证", "2025年"):
        sheet = book.create_sheet(title)
        sheet.append(["证照编号", "发证日期"])
        sheet.append([f"{title}1", "2024-03-01"])
    book.remove(book.worksheets[0])
    path = office.folder / "book.xlsx"
    book.save(path)
    office.says(FILES % ", format: {kind: xlsx}")
    office.deliver("a.xlsx", path.read_bytes())
    seen = office.profile()
    assert seen.rows == 1
    assert "2025年" in str(seen)


@pytest.mark.parametrize("header_rows", [1, 2])
def test_header_of_a_spreadsheet_is_found_below_its_titles(office: Office, header_rows: int) -> None:
    from simulator.drops import _write_spreadsheet

    names = ("证照编号", "持证主体/名称", "持证主体/代码", "发证日期") if header_rows == 2 else ("证照编号", "发证日期")
    office.says(FILES % f", format: {{kind: xlsx, header_rows: {header_rows}}}")
    path = office.folder / "made.xlsx"
    rows = [[f"N{number}", "虚构公司", credit_code(number), "2024-03-01"][: len(names)] for number in range(30)]
    _write_spreadsheet(path, names, rows, 2)
    office.deliver("许可证.xlsx", path.read_bytes())
    seen = office.profile()
    assert tuple(column.name for column in seen.columns) == names
    assert seen.rows == 30


def test_an_interface_is_asked_for_no_more_pages_than_the_sample_needs(office: Office) -> None:
    system = SourceSystem(
        department="office",
        feed="permit",
        license_type="building_construction_permit",
        connection="office",
        place=HttpPlace(path="api/permit", signature="md5", paging="number", id_header="appkey",
                        time_header="rtime", signature_header="sign"),
        columns=tuple(Column(name, None) for name in permit(1)),
        row_id="id",
        time_column="cd_time",
    )  # fmt: skip
    rows = [permit(number) for number in range(1, 3001)]
    moment = datetime(2024, 3, 1, 8)
    write_state(office.folder / "service", system, [SourceRow(str(row["id"]), row, moment, 1) for row in rows])
    service = HttpService(office.folder / "service")
    asked: list[str] = []
    pace = service.pace
    service.pace = lambda department: (asked.append(department), pace(department))[1]  # type: ignore[method-assign]
    thread = Thread(target=service.serve_forever, daemon=True)
    thread.start()
    login = f"{app_id('office')}:{app_secret(office.folder / 'service', 'office')}"
    office.environment["ZHENGKU_CONN_OFFICE"] = f"http://{login}@127.0.0.1:{service.server_port}/office"
    office.says(
        "    transport: {kind: http, connection: office, path: api/permit, signature: {kind: md5}, paging: "
        "{kind: number, size: 50}, response: {total: data.total, code: code}, since_parameter: since, row_id: [id]}\n"
        "    window: {kind: watermark, column: cd_time}\n"
    )
    try:
        seen = office.profile(rows=60)
    finally:
        service.shutdown()
        service.server_close()
        thread.join()
    assert seen.rows == 60
    assert len(asked) < 30  # all of it would be 60 pages
    assert "holder_code: {column: CZZTDM}" in seen.yaml


def test_a_table_is_read_no_further_than_the_sample_needs(office: Office, exchange_server: ExchangeServer) -> None:
    exchange_server.run(
        "create table permit (id integer primary key, ZZHM varchar(40), CZZT varchar(200), CZZTDM varchar(40), "
        "FZRQ varchar(20), cd_time varchar(20))"
    )
    fold = str if exchange_server.is_mariadb else str.lower
    rows = [{fold(name): value for name, value in permit(number).items()} for number in range(1, 3001)]
    exchange_server.fill("permit", rows)
    office.environment["ZHENGKU_CONN_OFFICE"] = exchange_server.address
    office.says(
        "    transport: {kind: exchange_database, connection: office, table: permit, row_id: [id]}\n"
        "    window: {kind: watermark, column: cd_time}\n"
    )
    seen = office.profile(rows=50)
    assert seen.rows == 50
    assert [line.strip()[:13] for line in seen.yaml.splitlines() if "holder_code:" in line] == ["holder_code: "]
    assert "source_updated_at: {column: cd_time}" in seen.yaml


def test_command_prints_the_mapping_and_writes_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.says(FILES % "")
    office.deliver("a.csv", f"证照编号,社会信用代码\nXN1,{credit_code(1)}\n".encode())
    for name, value in office.environment.items():
        monkeypatch.setenv(name, value)
    before = sorted(path for path in office.folder.rglob("*"))
    result = CliRunner().invoke(app, ["feeds", "profile", "office/permit"])
    assert result.exit_code == 0, result.output
    assert "certificate_number: {column: 证照编号}" in result.stdout
    assert credit_code(1) not in result.stdout
    assert sorted(path for path in office.folder.rglob("*")) == before
    listed = CliRunner().invoke(app, ["feeds", "list", "--json"])
    assert '"is_mapped": false' in listed.stdout
    assert '"transport": "file_drop"' in listed.stdout


def test_what_is_wrong_with_a_draft_is_told_with_its_line(office: Office) -> None:
    office.says("    transport: {kind: file_drop}\n")
    with pytest.raises(CatalogError, match=r"office\.yaml:10: feeds\.permit\.transport\.connection: Field required"):
        office.profile()


def test_an_address_in_a_draft_is_refused_and_not_shown(office: Office) -> None:
    office.says("    transport: {kind: file_drop, connection: 'sftp://u:secret@h/x'}\n")
    with pytest.raises(CatalogError, match="looks like an address") as told:
        office.profile()
    assert "secret@" not in str(told.value)


def test_empty_sources_are_told(office: Office) -> None:
    office.says(FILES % "")
    with pytest.raises(DeliveryUnavailable, match="the file drop has no file"):
        office.profile()
    office.deliver("a.csv", "证照编号\n".encode())
    with pytest.raises(DeliveryRejected):
        office.profile()


def test_columns_of_a_table_that_hold_no_text_are_named_and_not_read(
    office: Office, exchange_server: ExchangeServer
) -> None:
    binary, text = ("longblob", "varbinary(60)") if exchange_server.is_mariadb else ("bytea", "varchar(60)")
    small = "binary(4)" if exchange_server.is_mariadb else "bytea"
    shape = "point" if exchange_server.is_mariadb else "bytea"
    exchange_server.run(
        f"create table permit (id integer primary key, zzhm varchar(40), remark {text}, photo {binary}, "
        f"mark {small}, place {shape}, cd_time varchar(20))"
    )
    rows = [
        {"id": number, "zzhm": f"XN{number:06d}", "remark": "说明".encode() if exchange_server.is_mariadb else "说明",
         "photo": b"\xff\xd8\x00\x81" * 9, "mark": b"\x00\xff\x00\x81", "cd_time": "2024-03-01 08:00:00"}
        for number in range(1, 31)
    ]  # fmt: skip
    exchange_server.fill("permit", rows)
    office.environment["ZHENGKU_CONN_OFFICE"] = exchange_server.address
    office.says(
        "    transport: {kind: exchange_database, connection: office, table: permit, row_id: [id]}\n"
        "    window: {kind: watermark, column: cd_time}\n"
    )
    seen = office.profile()
    assert (seen.rows, seen.bad) == (30, 0)
    assert [column.name for column in seen.columns] == ["id", "zzhm", "remark", "cd_time"]
    told = [line.strip() for line in seen.yaml.splitlines() if "holds no text" in line]
    assert [line.split()[1] for line in told] == ["photo", "mark", "place"]
    assert f"({'LONGBLOB' if exchange_server.is_mariadb else 'BYTEA'})" in told[0]


def test_what_is_wrong_names_the_file_the_row_and_the_column(office: Office) -> None:
    office.says(FILES % "")
    office.deliver("许可证0301.csv", "证照编号,证照编号\n1,2\n".encode())
    with pytest.raises(DeliveryRejected, match=r"许可证0301\.csv: Column 2 of the header, 证照编号, repeats"):
        office.profile()
    office.deliver("许可证0302.csv", "证照编号,持证主体\n只有一列\n2,丁\n".encode(), minutes_ago=30)
    assert "1 more are no records (row.ragged, row 2: " in str(office.profile())
    office.deliver("许可证0303.csv", "证照编号,持证主体\n只有一列\n".encode(), minutes_ago=20)
    with pytest.raises(DeliveryRejected, match=r"许可证0303\.csv has none that are records \(1 are none; row\.ragged"):
        office.profile()
