"""`zhengku problems` and `zhengku report`: from a wrong row to its write-off without a page."""

import json

import pytest
from openpyxl import load_workbook
from tests.support import command_line

from zhengku.cli.common import person


@pytest.fixture
def zhengku(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称="", 法人代表="张三丰"), make_row(3, 企业名称=""))
    reviewed.run_one()

    def run(*arguments: str, status: int = 0) -> str:
        result = command_line.zhengku(reviewed.settings.environment, *arguments)
        assert result.returncode == status, result.stderr
        assert "三丰" not in result.stdout
        return result.stdout or result.stderr

    return run


def test_from_the_return_to_the_write_off(zhengku, reviewed, make_row):
    [made] = json.loads(zhengku("problems", "return", "market_supervision", "--for", "大数据科", "--json"))
    assert (made["problems"], made["waiting"]) == (2, 2)
    assert made["made_by"] == person("大数据科")
    assert "2 of 2 are waived" in zhengku(
        "problems", "waive", "1", "2", "--reason", "限期补录", "--until", "2099-01-01"
    )
    reviewed.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    reviewed.run_one()
    assert [row["problem_id"] for row in json.loads(zhengku("problems", "list", "--json"))] == [2]
    assert len(json.loads(zhengku("problems", "list", "--all", "--rule", "certificate.holder.present", "--json"))) == 2
    shown = json.loads(zhengku("problems", "show", "1", "--json"))
    assert [event["event"] for event in shown["events"]] == ["returned", "waived", "corrected"]
    assert "corrected" in zhengku("problems", "show", "1")
    assert "1 of 2 are written off" in zhengku("problems", "close", "1", "2", "--reason", "核实")
    assert "market_supervision" in zhengku("problems", "returns")
    assert "第1号" in zhengku("problems", "return", "--again", "1")


def test_redrive_and_what_was_asked_for(zhengku):
    [batch] = json.loads(
        zhengku("problems", "redrive", "market_supervision/business_license", "--reason", "规则已改", "--json")
    )
    assert (batch["origin"], batch["fetched"], batch["quarantined"]) == ("redrive", 2, 2)
    assert "request" in zhengku("problems", "work")
    assert json.loads(zhengku("problems", "work", "--json")) == []


def test_report_and_ledger(zhengku, reviewed, tmp_path):
    [report] = json.loads(zhengku("report", "publish", "--json"))
    assert (report["version"], len(report["figures"]["feeds"])) == (1, 1)
    assert "1 of 1" not in zhengku("report", "publish", "--night", report["night"])
    reviewed.rewrite(
        "update ledger.batch set recorded_at = recorded_at - interval '20 days',"
        " finished_at = finished_at - interval '20 days'"
    )
    zhengku("report", "publish")
    [entry] = json.loads(zhengku("problems", "ledger", "--json"))
    assert entry["kind"] == "stale_feed"
    zhengku("problems", "notify", entry["entry_no"])
    assert "通报" in zhengku("problems", "ledger")
    file = tmp_path / "ledger.xlsx"
    zhengku("problems", "ledger", "--file", str(file))
    assert len(list(load_workbook(file)["问题台账"].iter_rows(min_row=2))) == 1


REFUSED = [
    (("problems", "show", "99"), "There is no problem record 99"),
    (("problems", "return"), "Expected a department, or --again"),
    (("problems", "return", "--again", "7"), "There is no return 7"),
    (("problems", "return", "nowhere"), "nowhere"),
    (("problems", "redrive", "market_supervision", "--reason", "x"), "Expected DEPARTMENT/FEED"),
    (("problems", "waive", "1", "--reason", " "), "who decides and why"),
    (("problems", "waive", "1", "--reason", "x", "--until", "soon"), "Expected a day as YYYY-MM-DD"),
    (("problems", "notify", "2026-9999"), "No entry"),
    (("reject", "1", "--reason", "x"), "nothing to decide"),
]


def test_what_cannot_be_done_is_one_clear_line(zhengku):
    for arguments, told in REFUSED:
        line = zhengku(*arguments, status=1).strip()
        assert line.startswith("zhengku: "), arguments
        assert told in line, arguments
        assert "\n" not in line, arguments
