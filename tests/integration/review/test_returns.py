"""Return files: the department's own words, unmasked, for that department's channel alone."""

import csv
import stat
from datetime import date, timedelta

import pytest
from openpyxl import load_workbook
from tests.support.review_installation import NOW

from zhengku.catalog.review_config import load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.database import store_connection
from zhengku.errors import ConfigurationError, RecordNotFound
from zhengku.review import problems, return_files, return_records


@pytest.fixture
def returned(reviewed, make_row):
    reviewed.deliver_rows(
        "a.csv",
        make_row(1),
        make_row(2, 企业名称="", 注册日期="2020-02-30"),
        make_row(3, 统一社会信用代码="91420700MA4X00001A", 经营范围="=1+1"),
        "李四喜,420700199001010014",
    )
    assert reviewed.run_one().quarantined == 3
    return reviewed, reviewed.returns().make("market_supervision", "zhang", NOW)


def test_workbook_and_table_hold_the_departments_own_words(returned):
    reviewed, made = returned
    folder = reviewed.settings.return_folder / "market_supervision" / "000001"
    assert sorted(path.name for path in folder.iterdir()) == sorted(file["name"] for file in made.files)
    [workbook] = folder.glob("*.xlsx")
    book = load_workbook(workbook)
    assert book.sheetnames == ["封面", "1.营业执照登记簿"]
    header, *rows = book["1.营业执照登记簿"].iter_rows(values_only=True)
    assert len(rows) == 3
    told = [dict(zip(header, row, strict=True)) for row in rows]
    two, three, four = told
    assert two["问题列"] == "1. 企业名称\n2. 注册日期"
    assert two["送来的值"] == "1. （空）\n2. 2020-02-30"
    assert "缺少持证主体" in two["问题说明"]
    assert "必填" in two["应为"]
    assert two["法人代表"] == "张某某"
    assert three["问题列"] == "统一社会信用代码"
    # A text stays a text.
    assert three["经营范围"] == "=1+1"
    assert four["来源位置"] == "a.csv 第5行"
    assert four["送来的值"] == "李四喜,420700199001010014"
    for line in told:
        assert line["应为"]
        assert line["首次发现"] is not None
    with next(folder.glob("*.csv")).open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["问题编号"], row["整改期限"]) for row in table] == [
        ("1", "2026-12-01"),
        ("2", "2026-12-01"),
        ("3", "2026-12-01"),
    ]
    assert table[0]["企业名称"] == ""
    assert table[1]["统一社会信用代码"] == "91420700MA4X00001A"


def test_only_the_pipelines_account_can_read_them(returned):
    reviewed, _made = returned
    folder = reviewed.settings.return_folder / "market_supervision" / "000001"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_each_hand_over_is_recorded(returned):
    reviewed, made = returned
    [workbook, table] = [file["name"] for file in made.files]
    with reviewed.returns().hand_over(1, workbook, "li") as file:
        assert file.read() == next(reviewed.settings.return_folder.rglob("*.xlsx")).read_bytes()
    with store_connection(reviewed.settings.database_url) as connection:
        found = [(one.channel, one.item, one.handed_over_by) for one in return_records.hand_overs(connection, 1)]
    assert found == [("folder", workbook, "zhengku"), ("folder", table, "zhengku"), ("download", workbook, "li")]


def test_only_a_file_of_the_return_is_handed_over(returned):
    reviewed, _ = returned
    folder = reviewed.returns().folder("market_supervision")
    for path in (folder / "000001" / "other.csv", folder / "other.csv", folder.parent / "secret"):
        path.write_text("not of this return")
    for name in ("other.csv", "../other.csv", "../../secret", str(folder.parent / "secret"), "", ".", "/etc/passwd"):
        with pytest.raises(RecordNotFound, match="has no file"):
            reviewed.returns().hand_over(1, name, "li")
    assert reviewed.query("select count(*) from quarantine.hand_over where channel = 'download'") == [(0,)]


def test_return_whose_files_were_not_written_is_finished_later(reviewed, make_row, monkeypatch):
    reviewed.deliver_rows("a.csv", make_row(2, 企业名称=""))
    reviewed.run_one()

    def die(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(return_files.ReturnFiles, "write_csv", die)
    with pytest.raises(OSError, match="No space"):
        reviewed.returns().make("market_supervision", "zhang", NOW)
    assert reviewed.lives() == [("returned", None, 1)]
    monkeypatch.undo()
    [made] = reviewed.returns().finish()
    assert len(made.files) == 2
    assert reviewed.returns().finish() == []


def test_nothing_open_is_no_return(reviewed):
    with pytest.raises(ConfigurationError, match="no open problem records"):
        reviewed.returns().make("market_supervision", "zhang", NOW)
    assert reviewed.query("select count(*) from quarantine.problem_return") == [(0,)]


def test_departments_are_reminded_of_what_is_due(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""), make_row(2, 企业名称=""))
    reviewed.run_one()
    returned = reviewed.returns()
    made = returned.make("market_supervision", "zhang", NOW, problem_ids=[1])
    path = returned.folder("market_supervision") / "整改提醒.txt"
    assert (returned.remind(NOW), path.exists()) == ([], False)
    day_before = NOW + (made.due_on - NOW.date()) - timedelta(days=1)
    assert returned.remind(day_before) == ["market_supervision"]
    assert "第1号退回单：1 条，整改期限 2026-12-01（即将到期）" in path.read_text(encoding="utf-8-sig")
    assert returned.remind(day_before + timedelta(days=2)) == ["market_supervision"]
    assert "（已逾期）" in path.read_text(encoding="utf-8-sig")
    reviewed.deliver_rows("b.csv", make_row(1), minutes_ago=30)
    reviewed.run_one()
    assert (returned.remind(day_before), path.exists()) == ([], False)


def test_what_waits_too_long_is_counted(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""), make_row(2, 企业名称=""))
    reviewed.run_one()
    reviewed.query("update quarantine.problem_row set opened_at = %s", NOW)
    made = reviewed.returns().make("market_supervision", "zhang", NOW, problem_ids=[1])
    folder = reviewed.settings.catalog_folder

    def counted(day: date) -> dict[str, tuple[int, int, int]]:
        calendar = WorkingCalendar.load(folder, day)
        with store_connection(reviewed.settings.database_url) as connection:
            found = problems.tally(connection, day, load_review(folder), calendar)
        return {one.status: (one.overdue, one.due_soon, one.unreturned) for one in found}

    assert counted(NOW.date()) == {"open": (0, 0, 0), "returned": (0, 0, 0)}
    assert counted(made.due_on)["returned"] == (0, 1, 0)
    assert counted(made.due_on + timedelta(days=1))["returned"] == (1, 0, 0)
    assert counted(NOW.date() + timedelta(days=2))["open"] == (0, 0, 0)
    assert counted(NOW.date() + timedelta(days=3))["open"] == (0, 0, 1)


def test_cells_that_a_spreadsheet_would_run_are_harmless_in_csv(reviewed, make_row):
    runs = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "＝1"]
    quoted = [make_row(number, 企业名称="", 注册地址=cell) for number, cell in enumerate(runs)]
    reviewed.deliver_rows("=1.csv", *quoted, *(make_row(number) for number in range(20, 26)))
    assert reviewed.run_one().quarantined == len(runs)
    reviewed.returns().make("market_supervision", "zhang", NOW)
    [path] = reviewed.settings.return_folder.rglob("*.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["注册地址"] for row in rows] == [f"'{cell}" for cell in runs]
    assert {row["来源位置"][:7] for row in rows} == {"'=1.csv"}
    assert {row["企业类型"] for row in rows} == {"有限责任公司"}
