"""No batch is in a state that no command ends: of what steps die is rejected, and a person may reject the rest."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from psycopg import OperationalError
from typer.testing import CliRunner

import zhengku.pipeline.stage_step
from zhengku import ledger
from zhengku.cli.common import person
from zhengku.cli.main import app
from zhengku.database import store_connection
from zhengku.errors import DeliveryUnavailable, StoreUnavailable
from zhengku.review import decisions

pytestmark = pytest.mark.slow_except(
    "test_error_that_says_why_is_no_death",
    "test_error_that_nobody_foresaw_is_one",
    "test_person_can_reject_a_batch_whose_step_hangs",
)

DIE = "import os, signal\ndef die(*_, **__):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
STEPS = {
    "stage": "zhengku.pipeline.stage_step.copy_rows",
    "validate": "zhengku.pipeline.validate_step.load_suites",
    "load": "zhengku.pipeline.pipeline.load",
}


def walk(installation, batch_id: int, *, dies_in: str | None) -> int:
    """Load a batch in a process of its own, which may be killed within a step; return how it ended."""
    patched = f"import {STEPS[dies_in].rpartition('.')[0]}\n{STEPS[dies_in]} = die\n" if dies_in else ""
    code = (
        f"{DIE}{patched}from zhengku.pipeline.pipeline import Pipeline\nfrom zhengku.settings import Settings\n"
        f"Pipeline(Settings.load()).load({batch_id})"
    )
    environment = {**os.environ, **installation.settings.environment, "ZHENGKU_HOME": str(installation.settings.home)}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode


def collected(installation, *rows: str, name: str = "1.csv"):
    installation.deliver_rows(name, *rows)
    [batch] = installation.pipeline.collect("market_supervision", "business_license", "night")
    return batch


@pytest.mark.parametrize("step", ["stage", "validate", "load"])
def test_batch_whose_step_died_three_times_is_rejected_with_the_reason(installation, make_row, step):
    batch = collected(installation, make_row(1))
    for _ in range(3):
        assert walk(installation, batch.batch_id, dies_in=step) == -signal.SIGKILL
    assert walk(installation, batch.batch_id, dies_in=step) == 0
    [(status, rule_id, reason, detail)] = installation.query("select status, rule_id, reason, detail from ledger.batch")
    assert (status, rule_id) == ("rejected", "file.step_died")
    assert "连续3次异常中止" in reason
    assert f"its step {step} crashed 3 times" in detail
    assert installation.query("select nspname from pg_namespace where nspname like 'batch_%%'") == []
    # Later runs go on, and do not take the same file up once more.
    with pytest.raises(DeliveryUnavailable, match=r"1\.csv is the newest delivery.*--again"):
        installation.run()
    installation.deliver_rows("2.csv", make_row(2), minutes_ago=1)
    assert installation.run_one().inserted == 1
    [again, _] = installation.run(again=True)
    assert (again.source_name, again.inserted) == ("1.csv", 1)


def test_step_that_comes_through_is_not_held_against_the_next_one(installation, make_row):
    batch = collected(installation, make_row(1))
    for step in ("stage", "stage", "validate", "validate", "load", "load"):
        assert walk(installation, batch.batch_id, dies_in=step) == -signal.SIGKILL
    assert walk(installation, batch.batch_id, dies_in=None) == 0
    assert installation.query("select status, begun_step, step_deaths from ledger.batch") == [("loaded", None, 0)]


def test_error_that_says_why_is_no_death(installation, make_row, monkeypatch):
    batch = collected(installation, make_row(1))

    def refuse(*_, **__):
        raise OperationalError("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(zhengku.pipeline.stage_step, "copy_rows", refuse)
        for _ in range(5):
            with pytest.raises(Exception, match="store"):
                installation.pipeline.load(batch.batch_id)
    assert installation.pipeline.load(batch.batch_id).inserted == 1


def test_error_that_nobody_foresaw_is_one(installation, make_row, monkeypatch):
    batch = collected(installation, make_row(1))

    def fail(*_, **__):
        raise OverflowError("date value out of range")

    monkeypatch.setattr(zhengku.pipeline.stage_step, "copy_rows", fail)
    for _ in range(3):
        with pytest.raises(OverflowError):
            installation.pipeline.load(batch.batch_id)
    assert installation.pipeline.load(batch.batch_id).rule_id == "file.step_died"


@pytest.mark.parametrize("status", ["landed", "staged", "validated"])
def test_person_can_reject_a_batch_that_is_not_finished(installation, make_row, status):
    batch = collected(installation, make_row(1))
    if status != "landed":
        getattr(installation.pipeline, {"staged": "stage", "validated": "validate"}[status])(batch.batch_id)
    ran = CliRunner().invoke(
        app,
        ["reject", str(batch.batch_id), "--reason", "报错了月份"],
        env={**installation.settings.environment, "ZHENGKU_HOME": str(installation.settings.home)},
    )
    assert ran.exit_code == 0, ran.output
    [(now, rule_id, reason)] = installation.query("select status, rule_id, reason from ledger.batch")
    assert (now, rule_id, reason) == ("rejected", "file.given_back", "处理完成前由工作人员退回：报错了月份")
    assert installation.query("select decision, decided_by from ledger.decision") == [("rejected", person(None))]
    assert installation.query("select nspname from pg_namespace where nspname like 'batch_%%'") == []
    assert installation.pipeline.load(batch.batch_id).status == "rejected"
    with pytest.raises(DeliveryUnavailable, match="was given back"):
        installation.run()
    assert installation.store() == {}
    with pytest.raises(ledger.NotHeld, match="is rejected"):
        decisions.reject(installation.settings, installation.pipeline.catalog, batch.batch_id, "他人", "再退一次")


def test_person_can_reject_a_batch_whose_step_hangs(installation, make_row, monkeypatch):
    batch = collected(installation, make_row(1))
    hangs, go_on = threading.Event(), threading.Event()
    copy_rows = zhengku.pipeline.stage_step.copy_rows

    def hang(*arguments, **named):
        hangs.set()
        assert go_on.wait(60)
        return copy_rows(*arguments, **named)

    monkeypatch.setattr(zhengku.pipeline.stage_step, "copy_rows", hang)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            installation.pipeline.load(batch.batch_id)
        except StoreUnavailable as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    assert hangs.wait(60)
    rejected = decisions.reject(
        installation.settings, installation.pipeline.catalog, batch.batch_id, "工程师", "卡住了"
    )
    go_on.set()
    worker.join()
    assert rejected.status == "rejected"
    assert len(errors) == 1
    with store_connection(installation.settings.database_url) as connection:
        assert ledger.batch_by_id(connection, batch.batch_id).status == "rejected"
    assert installation.store() == {}
