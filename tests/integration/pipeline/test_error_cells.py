"""Errors of a spreadsheet's cells are no values, whether they come in a workbook or in a text file."""

import pytest
from tests.support.workbooks import COLUMNS, cells, feed_of_workbooks, workbook

ERRORS = ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "########", "#n/a", "＃Ｎ／Ａ", "Err:502", "##")


def problems(installation) -> list[tuple[object, ...]]:
    return installation.query("select last_row_no, rules, reasons[1] from quarantine.problem_row order by 1")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_error_as_holder_or_code_is_quarantined_with_its_reason(installation, make_row, tmp_path, form):
    if form == "csv":
        rows = [make_row(number, 企业名称=error) for number, error in enumerate(ERRORS)]
        installation.deliver_rows("1.csv", *rows, *(make_row(number) for number in range(20, 80)))
    else:
        feed_of_workbooks(installation, tmp_path)
        rows = [cells(number, 企业名称=error) for number, error in enumerate(ERRORS)]
        good = [cells(20), cells(21, "#REF!"), *(cells(number) for number in range(22, 80))]
        installation.deliver("1.xlsx", workbook({"数据": [COLUMNS, *rows, *good]}))
    batch = installation.run_one()
    found = problems(installation)
    wrong = [*range(2, 12), *([13] if form == "xlsx" else [])]
    assert (batch.quarantined, batch.inserted) == (len(wrong), 70 - len(wrong))
    assert [row_no for row_no, _, _ in found] == wrong
    assert all("certificate.error_cells.none" in rules for _, rules, _ in found)
    assert any("错误值" in reason for _, _, reason in found)


def test_error_in_the_key_does_not_become_a_certificate(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1, 统一社会信用代码="#N/A"), *(make_row(n) for n in range(2, 12)))
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (10, 1)
    assert "certificate.error_cells.none" in problems(installation)[0][1]


def test_error_in_an_extra_field_is_told_and_costs_no_row(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1, 企业类型="#VALUE!"), make_row(2))
    assert installation.run_one().inserted == 2
    failed = installation.query("select failed_rows from ledger.rule_result where rule_id like '%%no_error_cells'")
    assert failed == [(1,)]


def test_what_only_looks_like_an_error_is_a_value(installation, make_row):
    names = ("#1号虚构商店", "E虚构商贸有限公司", "#N/A虚构有限公司", "Err虚构有限公司")
    installation.deliver_rows("1.csv", *(make_row(n, 企业名称=name) for n, name in enumerate(names)))
    assert installation.run_one().inserted == 4
