"""A whole run: rows, reports, returns and logs of tasks; what is planned is what is removed."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import zhengku

from zhengku import clock
from zhengku.catalog.retention_config import load_retention
from zhengku.errors import ConfigurationError
from zhengku.retention.run import Retention
from zhengku.settings import Settings, project_home

# The others are long.
pytestmark = pytest.mark.slow_except("test_what_is_planned_is_removed_and_recorded")

CONFIG = load_retention(project_home() / "include" / "catalog")
LATER = timedelta(days=1200)


def with_logs(installation: Any, folder: Path) -> Settings:
    environment = {**installation.settings.environment, "ZHENGKU_TASK_LOG_DIR": str(folder)}
    return Settings(home=installation.settings.home, environment=environment)


@pytest.fixture
def used(reviewed, make_row, tmp_path):
    """Two nights with a warning, a problem that is returned, reports, and the logs of two runs."""
    for number in (1, 2):
        reviewed.deliver_rows(
            f"{number}.csv", make_row(number, 注册资金="一百"), make_row(9, 企业名称=""), minutes_ago=60 - number
        )
        reviewed.run_one()
    reviewed.returns().make("market_supervision", "z", clock.now())
    reports = reviewed.settings.report_folder
    for day in ("2020-01-01", "2020-01-02"):
        for name in ("a.html", "b.xlsx"):
            path = reports / "nights" / day / "v1" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x", encoding="utf-8")
            moment = (clock.now() - timedelta(days=1000 - int(day[-1]))).timestamp()
            os.utime(path, (moment, moment))
    log = tmp_path / "logs" / "dag_id=x" / "run_id=1" / "a.log"
    log.parent.mkdir(parents=True)
    log.write_text("x", encoding="utf-8")
    return reviewed


def test_what_is_planned_is_removed_and_recorded(used, tmp_path):
    settings = with_logs(used, tmp_path / "logs")
    now = clock.now() + LATER
    plan = {one.name or one.kind: one for one in Retention(settings, CONFIG, now).plan()}
    assert plan["report"].number == 1
    assert plan["report"].kept == {"newest": 1}
    # The problem record is still open: its return stays, and the delivery that it came with last.
    assert (plan["return"].number, plan["return"].kept) == (0, {"unsettled": 1})
    assert "problem" in plan["landed"].kept
    assert plan["task_log"].number == 1
    results = used.query("select batch_id, count(*) from ledger.rule_result group by 1 order by 1")
    assert plan["ledger.rule_result"].number == results[0][1]
    assert used.query("select count(*) from ledger.removal") == [(0,)]
    removed = Retention(settings, CONFIG, now).apply()
    assert {name: number for name, number in removed.items() if name != "unfinished"} == {
        name: one.number for name, one in plan.items()
    }
    assert sorted(path.name for path in (settings.report_folder / "nights").iterdir()) == ["2020-01-02"]
    assert not (tmp_path / "logs" / "dag_id=x").exists()
    # The newest delivery's rows stay: the next one is compared with them.
    assert used.query("select batch_id, count(*) from ledger.rule_result group by 1") == results[1:]
    recorded = used.query(
        "select kind, name, rule, coalesce(files, removed_rows) from ledger.removal where removed_at is not null"
    )
    assert ("report", "nights/2020-01-01", "report_days: 1095", 2) in recorded
    assert ("rows", "ledger.rule_result", "rule_result_days: 1095", results[0][1]) in recorded
    assert set(Retention(settings, CONFIG, now).apply().values()) == {0}


def test_one_kind_that_fails_stops_no_other(used, tmp_path, monkeypatch):
    settings = with_logs(used, tmp_path / "logs")
    retention = Retention(settings, CONFIG, clock.now() + LATER)

    def refuse() -> int:
        raise ConfigurationError("refused")

    monkeypatch.setattr(retention, "_remove_landed", refuse)
    with pytest.raises(ConfigurationError, match="refused"):
        retention.apply()
    assert not (tmp_path / "logs" / "dag_id=x").exists()
    assert used.query("select count(*) > 0 from ledger.removal where kind = 'rows'") == [(True,)]


def test_folder_that_contains_another_is_refused(used, tmp_path):
    with pytest.raises(ConfigurationError, match="ZHENGKU_TASK_LOG_DIR: expected a folder with nothing else in it"):
        Retention(with_logs(used, tmp_path), CONFIG, clock.now())


def test_command_line_plans_removes_and_shows(used, tmp_path):
    environment = with_logs(used, tmp_path / "logs").environment
    old = (clock.now() - timedelta(days=300)).timestamp()
    os.utime(tmp_path / "logs" / "dag_id=x" / "run_id=1" / "a.log", (old, old))
    assert "task_log_days: 190" in zhengku(environment, "retention", "plan").stdout
    assert "task_log: 1 removed" in zhengku(environment, "retention", "apply").stdout
    assert "task_log_days: 190" in zhengku(environment, "retention", "removals").stdout
