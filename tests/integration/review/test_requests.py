"""What is asked for on the pages and done by a worker, and what is decided about held batches."""

import pytest
from tests.support.review_installation import NOW

from zhengku.database import store_connection
from zhengku.errors import ConfigurationError, StoreUnavailable
from zhengku.review import decisions, requests
from zhengku.review.requests import enter_request, execute_requests
from zhengku.review.returns import Returns

pytestmark = pytest.mark.slow_except(
    "test_requests_are_done_once_and_tell_what_came_of_them",
    "test_term_of_a_return_is_of_its_own_day",
    "test_nothing_is_asked_without_a_name_and_a_reason",
)


def asked(reviewed, kind: str, **values: object) -> int:
    with store_connection(reviewed.settings.database_url) as connection:
        return enter_request(connection, kind, "market_supervision", "zhang", "核实", **values)


def test_requests_are_done_once_and_tell_what_came_of_them(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""), make_row(2, 注册日期="1930-01-01"))
    reviewed.run_one()
    reviewed.change_rule(
        "certificate.issue_date.not_before_1949", lambda rule: rule["kwargs"].update(earliest="1920-01-01")
    )
    asked(reviewed, "redrive", feed="business_license")
    asked(reviewed, "return", problem_ids=[1])
    asked(reviewed, "return")
    done = {request.request_id: request for request in execute_requests(reviewed.pipeline)}
    assert done[1].outcome == "重新处理 2 行：入库 1，仍未通过 1"
    assert done[2].outcome.startswith("第 1 号退回单：1 条，")
    assert (done[3].failed, "nothing is returned" in done[3].outcome) == (True, True)
    assert execute_requests(reviewed.pipeline) == []
    assert reviewed.lives() == [("returned", None, 1), ("corrected", "corrected", 1)]


def test_request_whose_worker_died_finds_what_was_done(reviewed, make_row, monkeypatch):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""))
    reviewed.run_one()
    asked(reviewed, "return")

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Returns, "write", die)
    with pytest.raises(KeyboardInterrupt):
        execute_requests(reviewed.pipeline)
    monkeypatch.undo()
    [done] = execute_requests(reviewed.pipeline)
    assert not done.failed
    assert done.outcome.startswith("第 1 号退回单：1 条，")
    assert reviewed.query("select count(*), min(problems) from quarantine.problem_return") == [(1, 1)]


def test_request_waits_while_the_store_is_away_and_keeps_no_other(reviewed, make_row, monkeypatch):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""))
    reviewed.run_one()
    asked(reviewed, "redrive", feed="business_license")
    asked(reviewed, "return")

    def away(*arguments: object) -> None:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(requests, "redrive", away)
    with pytest.raises(StoreUnavailable):
        execute_requests(reviewed.pipeline)
    with store_connection(reviewed.settings.database_url) as connection:
        assert [request.kind for request in requests.list_requests(connection, waiting=True)] == ["redrive"]
    monkeypatch.undo()
    assert [request.kind for request in execute_requests(reviewed.pipeline)] == ["redrive"]


@pytest.fixture
def held(reviewed, make_row):
    reviewed.deliver_rows(
        "a.csv", *(make_row(number, 企业名称="" if number % 3 else "某公司") for number in range(300))
    )
    batch = reviewed.run_one()
    assert batch.status == "held"
    return reviewed


def notice(reviewed, batch_id: int) -> str:
    path = reviewed.settings.return_folder / "market_supervision" / f"批次处理通知_{batch_id}.txt"
    return path.read_text(encoding="utf-8-sig")


def test_held_batch_that_is_released_is_loaded_and_the_department_is_told(held):
    asked(held, "release", batch_id=1)
    [done] = execute_requests(held.pipeline)
    assert done.outcome == "批次 1 已放行：入库 100 行，隔离 200 行"
    assert held.query("select decision, decided_by, reason from ledger.decision") == [("released", "zhang", "核实")]
    told = notice(held, 1)
    assert "放行入库" in told
    assert "问题数据超过本批次的20%" in told


def test_held_batch_that_is_rejected_is_given_back_and_the_department_is_told(held):
    catalog = held.pipeline.catalog
    batch = decisions.reject(held.settings, catalog, 1, "zhang", "只导出了一部分")
    assert (batch.status, batch.rule_id) == ("rejected", "batch.quarantined_share.at_most_a_fifth")
    assert held.query("select decision, decided_by from ledger.decision") == [("rejected", "zhang")]
    assert "整批退回" in notice(held, 1)
    assert "只导出了一部分" in notice(held, 1)
    assert held.store() == {}
    with pytest.raises(ConfigurationError, match="nothing to decide"):
        decisions.reject(held.settings, catalog, 1, "zhang", "再一次")
    with pytest.raises(ConfigurationError, match="nothing to decide"):
        decisions.release(held.pipeline, 1, "zhang", "再一次")


def test_decision_whose_process_died_before_the_notice_is_finished_and_nothing_else_is_done(held):
    assert decisions.finish(held.pipeline, 1).status == "held"
    decisions.reject(held.settings, held.pipeline.catalog, 1, "zhang", "只导出了一部分")
    written = notice(held, 1)
    [path] = held.settings.return_folder.rglob("批次处理通知_1.txt")
    path.unlink()
    assert decisions.finish(held.pipeline, 1).status == "rejected"
    assert notice(held, 1) == written
    path.write_text("收到", encoding="utf-8")
    decisions.finish(held.pipeline, 1)
    assert path.read_text(encoding="utf-8") == "收到"
    assert held.query("select decision, decided_by from ledger.decision") == [("rejected", "zhang")]


def test_nothing_is_asked_without_a_name_and_a_reason(reviewed):
    with store_connection(reviewed.settings.database_url) as connection:
        for name, reason in (("", "x"), ("x", " ")):
            with pytest.raises(ConfigurationError, match="who asks and why"):
                enter_request(connection, "return", "market_supervision", name, reason)


def test_term_of_a_return_is_of_its_own_day(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""))
    reviewed.run_one()
    with pytest.raises(ConfigurationError, match="who returns"):
        reviewed.returns().make("market_supervision", " ", NOW)
