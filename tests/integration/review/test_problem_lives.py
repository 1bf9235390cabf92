"""The life of a problem record: what later deliveries make of it, and what people and time do."""

import shutil
from datetime import date, datetime, timedelta

import pytest
from tests.support.review_installation import NOW, TODAY

from zhengku.database import store_connection
from zhengku.errors import ConfigurationError
from zhengku.operations.redrive import redrive
from zhengku.operations.replay import replay, replayable
from zhengku.review import problems

pytestmark = pytest.mark.slow_except(
    "test_returned_waived_and_corrected",
    "test_redrive_loads_exactly_what_passes_now",
    "test_what_is_seen_of_a_problem_is_masked",
)


def test_wrong_fix_is_a_new_problem_as_old_as_the_first(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称=""))
    reviewed.run_one()
    reviewed.deliver_rows("b.csv", make_row(1, 注册日期="2020-02-30"), minutes_ago=30)
    assert reviewed.run_one().quarantined == 1
    assert reviewed.lives() == [("closed", "replaced", 1), ("open", None, 2)]
    [(replaced_by, old), (none, new)] = reviewed.query(
        "select replaced_by_problem_id, first_opened_at from quarantine.problem_row order by problem_id"
    )
    assert (replaced_by, none) == (2, None)
    assert old == new
    assert reviewed.events() == [(1, "replaced", None)]
    reviewed.deliver_rows("c.csv", make_row(1), minutes_ago=20)
    reviewed.run_one()
    assert reviewed.lives() == [("closed", "replaced", 1), ("corrected", "corrected", 2)]


def test_row_that_the_whole_register_no_longer_holds_is_gone(register, make_row):
    register.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=""), make_row(3, 企业名称=""))
    register.run_one()
    register.deliver_rows("b.csv", make_row(1), make_row(3, 企业名称=""), minutes_ago=30)
    register.run_one()
    assert register.lives() == [("closed", "gone", 1), ("open", None, 1)]
    assert register.query("select times_seen from quarantine.problem_row order by 1") == [(1,), (2,)]


def test_increment_that_does_not_hold_a_row_says_nothing_of_it(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(2, 企业名称=""))
    reviewed.run_one()
    reviewed.deliver_rows("b.csv", make_row(1), minutes_ago=30)
    reviewed.run_one()
    assert reviewed.lives() == [("open", None, 1)]


def test_returned_waived_and_corrected(reviewed, make_row):
    reviewed.deliver_rows("a.csv", *(make_row(number, 企业名称="") for number in (1, 2, 3)), make_row(9))
    reviewed.run_one()
    made = reviewed.returns().make("market_supervision", "zhang", NOW, problem_ids=[1, 2])
    # Five working days behind the Tuesday.
    assert (made.problems, made.waiting, made.due_on) == (2, 2, date(2026, 12, 1))
    with store_connection(reviewed.settings.database_url) as connection:
        assert problems.waive(connection, [2, 3], "zhang", "档案缺失，限期补录", TODAY, TODAY) == 2
    assert reviewed.lives() == [("returned", None, 1), ("waived", None, 1), ("waived", None, 1)]
    # What is waived and comes again is the same problem.
    reviewed.deliver_rows("b.csv", make_row(1), make_row(2, 企业名称=""), minutes_ago=30)
    reviewed.run_one()
    assert reviewed.lives() == [("corrected", "corrected", 1), ("waived", None, 1), ("waived", None, 1)]
    with store_connection(reviewed.settings.database_url) as connection:
        assert problems.end_waivers(connection, TODAY) == 0
        assert problems.end_waivers(connection, TODAY + timedelta(days=1)) == 2
        assert problems.close_corrected(connection, datetime.now(tz=NOW.tzinfo)) == 1
    assert reviewed.lives() == [("closed", "corrected", 1), ("open", None, 1), ("open", None, 1)]
    assert [event for problem, event, _ in reviewed.events() if problem == 1] == ["returned", "corrected", "closed"]
    assert [event for problem, event, _ in reviewed.events() if problem == 2] == ["returned", "waived", "waiver_ended"]
    [again] = [reviewed.returns().make("market_supervision", "zhang", NOW)]
    assert (again.return_id, again.problems) == (2, 2)


def test_only_what_is_solved_or_waived_for_good_is_written_off(reviewed, make_row):
    reviewed.deliver_rows("a.csv", *(make_row(number, 企业名称="") for number in (1, 2, 3)), make_row(9))
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        problems.waive(connection, [1], "zhang", "原件已毁", None, TODAY)
        problems.waive(connection, [2], "zhang", "限期补录", TODAY, TODAY)
        assert problems.close(connection, [1, 2, 3], "zhang", "核实") == 1
    assert reviewed.lives() == [("closed", "waived", 1), ("waived", None, 1), ("open", None, 1)]


@pytest.mark.parametrize(("done_by", "reason"), [("", "核实"), (" ", "核实"), ("zhang", " ")])
def test_nothing_is_decided_without_a_name_and_a_reason(reviewed, done_by, reason):
    with store_connection(reviewed.settings.database_url) as connection:
        with pytest.raises(ConfigurationError, match="who decides and why"):
            problems.waive(connection, [1], done_by, reason, None, TODAY)
        with pytest.raises(ConfigurationError, match="who decides and why"):
            problems.close(connection, [1], done_by, reason)
    with pytest.raises(ConfigurationError, match="who redrives and why"):
        redrive(reviewed.pipeline, "market_supervision", "business_license", done_by, reason)


def test_waiver_does_not_end_before_it_begins(reviewed):
    with (
        store_connection(reviewed.settings.database_url) as connection,
        pytest.raises(ConfigurationError, match="ends today"),
    ):
        problems.waive(connection, [1], "zhang", "x", TODAY - timedelta(days=1), TODAY)


def test_redrive_loads_exactly_what_passes_now(reviewed, make_row):
    reviewed.deliver_rows(
        "a.csv",
        make_row(1),
        make_row(2, 企业名称=""),
        make_row(3, 注册日期="1930-01-01"),
        make_row(4, 注册日期="1930-01-01", 企业名称=""),
        make_row(5, 注册日期="1900-01-01"),
        make_row(6),
    )
    assert reviewed.run_one().quarantined == 4
    reviewed.change_rule(
        "certificate.issue_date.not_before_1949", lambda rule: rule["kwargs"].update(earliest="1920-01-01")
    )
    [batch] = redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "旧证照颁发日期放宽")
    assert (batch.origin, batch.redrives_batch_id, batch.fetched) == ("redrive", 1, 4)
    assert (batch.inserted, batch.quarantined) == (1, 3)
    # The fourth row is wrong in one way less: another problem, for the same record.
    assert reviewed.lives() == [
        ("open", None, 1),
        ("corrected", "corrected", 1),
        ("closed", "replaced", 1),
        ("open", None, 1),
        ("open", None, 2),
    ]
    # A redriven row has not come again.
    assert reviewed.query("select distinct times_seen, last_batch_id from quarantine.problem_row order by 2") == [
        (1, 1),
        (1, 2),
    ]
    assert sorted(row[0] for row in reviewed.store().values()) == [
        f"鄂州市虚构第{number:04d}号商贸有限公司" for number in (1, 3, 6)
    ]
    with pytest.raises(ConfigurationError, match="no unsolved"):
        redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "又一次", [2])


def test_older_row_that_a_newer_wrong_one_replaced_is_named_by_the_redrive(reviewed, make_row, caplog):
    old = ("certificate.issue_date.not_before_1949", lambda rule: rule["kwargs"].update(earliest="1920-01-01"))
    reviewed.deliver_rows("a.csv", make_row(1, 注册日期="1930-01-01"), make_row(2))
    reviewed.run_one()
    reviewed.deliver_rows("b.csv", make_row(1, 企业名称=""), make_row(2), minutes_ago=30)
    reviewed.run_one()
    assert reviewed.lives() == [("closed", "replaced", 1), ("open", None, 2)]
    reviewed.change_rule(*old)
    [batch] = redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "旧证照颁发日期放宽")
    assert (batch.redrives_batch_id, batch.quarantined) == (2, 1)
    assert "1 older rows of records that are still wrong were not redriven" in caplog.text
    assert "`zhengku replay --batch 1`" in caplog.text
    # What it names does it.
    with store_connection(reviewed.settings.database_url) as connection:
        [again] = replay(reviewed.pipeline, replayable(connection, batch_ids=[1]), "zhang", "旧证照颁发日期放宽")
    assert again.inserted == 1
    assert reviewed.lives() == [("closed", "replaced", 1), ("open", None, 2)]
    # The row that is wrong in another way after its own redrive is no older one.
    caplog.clear()
    reviewed.deliver_rows("c.csv", make_row(3, 注册日期="1910-01-01", 企业名称=""), minutes_ago=20)
    reviewed.run_one()
    reviewed.change_rule(old[0], lambda rule: rule["kwargs"].update(earliest="1901-01-01"))
    redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "再放宽", reviewed.problem_ids()[-1:])
    assert reviewed.lives()[-2:] == [("closed", "replaced", 1), ("open", None, 2)]
    assert "older rows" not in caplog.text


def test_redriven_row_does_not_overtake_what_came_since(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 注册日期="1930-01-01", 企业名称="鄂州市虚构旧名商贸有限公司"))
    reviewed.run_one()
    reviewed.deliver_rows("b.csv", make_row(1), minutes_ago=30)
    reviewed.run_one()
    assert reviewed.lives() == [("corrected", "corrected", 1)]
    reviewed.query("update quarantine.problem_row set status = 'open', solution = null, solved_at = null")
    reviewed.change_rule(
        "certificate.issue_date.not_before_1949", lambda rule: rule["kwargs"].update(earliest="1920-01-01")
    )
    [batch] = redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "旧证照颁发日期放宽")
    assert batch.superseded == 1
    assert [row[0] for row in reviewed.store().values()] == ["鄂州市虚构第0001号商贸有限公司"]
    assert reviewed.lives() == [("corrected", "corrected", 1)]


def test_row_that_was_none_is_redriven_by_its_landed_file(reviewed, make_row):
    long = "虚" * 400_000
    reviewed.deliver_rows("a.csv", make_row(1), make_row(2, 经营范围=long), make_row(3, 企业名称=""))
    batch = reviewed.run_one()
    assert (batch.inserted, batch.quarantined) == (1, 2)
    folder = reviewed.drop.parents[1] / "catalog"
    shutil.copytree(reviewed.settings.catalog_folder, folder)
    path = folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    assert "kind: csv" in text
    path.write_text(text.replace("kind: csv", "kind: csv, max_record_bytes: 4000000"), encoding="utf-8")
    reviewed.settings = type(reviewed.settings)(
        home=reviewed.settings.home,
        environment={**reviewed.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)},
    )
    [batch] = redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "放宽行长")
    assert (batch.origin, batch.fetched, batch.inserted, batch.quarantined) == ("reread", 2, 1, 1)
    assert reviewed.lives() == [("corrected", "corrected", 1), ("open", None, 1)]
    assert [event for _, event, _ in reviewed.events()] == ["redriven", "redriven", "corrected"]


def test_redriven_row_says_nothing_of_another_row_of_its_record(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 注册日期="1930-01-01"), make_row(1, 企业名称=""))
    reviewed.run_one()
    reviewed.change_rule(
        "certificate.issue_date.not_before_1949", lambda rule: rule["kwargs"].update(earliest="1920-01-01")
    )
    [batch] = redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "旧证照颁发日期放宽")
    assert (batch.inserted, batch.quarantined) == (1, 1)
    assert reviewed.lives() == [("corrected", "corrected", 1), ("open", None, 1)]


def test_of_a_file_that_is_read_again_only_what_is_meant_goes_on(reviewed, make_row):
    reviewed.deliver_rows(
        "a.csv", "没有列", *(make_row(number, 企业名称="") for number in (1, 2, 3)), make_row(4), make_row(5)
    )
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        problems.waive(connection, [2], "zhang", "原件已毁", None, TODAY)
        problems.close(connection, [2], "zhang", "核实")
    reviewed.deliver_rows("b.csv", make_row(3, 注册日期="2020-02-30"), minutes_ago=30)
    reviewed.run_one()
    still, written_off, replaced = ("open", None, 1), ("closed", "waived", 1), ("closed", "replaced", 1)
    before = [still, written_off, still, replaced, ("open", None, 2)]
    assert reviewed.lives() == before
    # What was written off or replaced since is not opened anew, and what was not named is not looked at.
    [batch] = redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "又一次", [1])
    assert (batch.origin, batch.fetched, batch.quarantined) == ("reread", 1, 1)
    batches = redrive(reviewed.pipeline, "market_supervision", "business_license", "zhang", "又一次")
    assert [(batch.origin, batch.fetched) for batch in batches] == [("reread", 2), ("redrive", 1)]
    assert reviewed.lives() == before
    assert [problem for problem, event, _ in reviewed.events() if event == "redriven"] == [1, 1, 3, 5]


def test_redrive_that_died_is_taken_up_by_the_next_run(reviewed, make_row, monkeypatch):
    reviewed.deliver_rows("a.csv", make_row(1, 注册日期="1930-01-01"))
    reviewed.run_one()
    reviewed.change_rule(
        "certificate.issue_date.not_before_1949", lambda rule: rule["kwargs"].update(earliest="1920-01-01")
    )
    pipeline = reviewed.pipeline

    def die(batch_id: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "load", die)
    with pytest.raises(KeyboardInterrupt):
        redrive(pipeline, "market_supervision", "business_license", "zhang", "放宽")
    assert reviewed.lives() == [("open", None, 1)]
    reviewed.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    batches = reviewed.run()
    assert [(batch.origin, batch.inserted) for batch in batches] == [("redrive", 1), ("delivery", 1)]
    assert reviewed.lives() == [("corrected", "corrected", 1)]


def test_redriven_rows_of_a_whole_register_make_nothing_disappear(register, make_row):
    register.deliver_rows("a.csv", make_row(1), make_row(2, 注册日期="1930-01-01"))
    register.run_one()
    register.change_rule(
        "certificate.issue_date.not_before_1949", lambda rule: rule["kwargs"].update(earliest="1920-01-01")
    )
    [batch] = redrive(register.pipeline, "market_supervision", "business_license", "zhang", "放宽")
    assert (batch.inserted, batch.disappeared, batch.compared) == (1, 0, None)
    assert register.query("select count(*) from store.certificate where removal is null") == [(2,)]


def test_what_is_seen_of_a_problem_is_masked(reviewed, make_row):
    reviewed.deliver_rows("a.csv", make_row(1, 企业名称="", 法人代表="张三丰"), "李四喜,420700199001010014")
    reviewed.run_one()
    with store_connection(reviewed.settings.database_url) as connection:
        shown = list(problems.problem_records(connection, reviewed.pipeline.catalog, problems.ProblemFilter()))
    told = str(shown)
    assert len(shown) == 2
    for secret in ("三丰", "四喜", "199001010014"):
        assert secret not in told
    assert any(record.text and record.text.startswith("李**") for record in shown)
