"""The DAG of the retention as Airflow sees it, and Airflow's own command for its own tables."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from tests.support.airflow_tasks import call, skipped
from tests.support.temporary_database import as_account

from zhengku import clock
from zhengku.catalog.retention_config import load_retention
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import NotRemoved
from zhengku.settings import project_home
from zhengku_airflow.airflow_tables import clean_airflow_tables, counts_of, environment_of_command

CONFIG = load_retention(project_home() / "include" / "catalog")
MONDAY, SUNDAY = datetime(2028, 2, 28, 12, tzinfo=CITY_TIME_ZONE), datetime(2028, 2, 27, 12, tzinfo=CITY_TIME_ZONE)


def test_dag_tells_what_it_does_and_when(dags):
    dag = dags["retention"]
    assert dag.dag_display_name == "清理·保存期限"
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("40 12 * * *", "Asia/Shanghai")
    assert {task.task_id for task in dag.tasks} == {"remove_old", "clean_airflow"}
    for task in dag.tasks:
        assert f"**{task.task_id}**" in dag.doc_md
        assert task.task_display_name != task.task_id
        assert (task.owner, task.retries) == ("big-data-section", 2)


@pytest.mark.parametrize("dry_run", [True, False])
def test_dry_run_removes_nothing(dags, reviewed, make_row, monkeypatch, dry_run):
    reviewed.deliver_rows("a.csv", make_row(1), minutes_ago=90)
    reviewed.run_one()
    reviewed.deliver_rows("b.csv", make_row(2), minutes_ago=60)
    reviewed.run_one()
    reviewed.rewrite(
        "update ledger.batch set recorded_at = now() - interval '2 years', landed_at = now() - interval '2 years',"
        " finished_at = now() - interval '2 years'"
    )
    for name, value in reviewed.settings.environment.items():
        monkeypatch.setenv(name, value)
    found = call(dags, "retention", "remove_old", params={"dry_run": dry_run})
    assert found["landed"] == 1
    assert len(list(Path(reviewed.settings.landing_url).rglob("*.csv"))) == (2 if dry_run else 1)


def test_airflows_tables_are_cleaned_on_their_day_only_and_a_missing_address_is_told(dags, monkeypatch):
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", "postgresql://nowhere/x")

    def run(due: datetime | None) -> Any:
        return call(
            dags, "retention", "clean_airflow", params={"dry_run": False}, dag_run=SimpleNamespace(logical_date=due)
        )

    with pytest.raises(skipped(), match="Not today"):
        run(MONDAY)
    for due in (SUNDAY, None):
        with pytest.raises(skipped(), match="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"):
            run(due)


def test_command_gets_the_address_that_the_task_may_not_have():
    blocked = "airflow-db-not-allowed:///"
    given = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": blocked,
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": blocked,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "cat x",
        "TZ": "Asia/Shanghai",
    }
    assert environment_of_command(given) == {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "cat x", "TZ": "Asia/Shanghai"}


def test_output_that_tells_no_rows_is_an_error():
    assert counts_of("Checking table log\nFound 12 rows meeting deletion criteria.\n") == {"log": 12}
    with pytest.raises(NotRemoved, match="in another way"):
        counts_of("Cleaned.")


@pytest.mark.slow
def test_airflows_own_command_cleans_its_tables_from_a_task(database_url, empty_database_url, monkeypatch, tmp_path):
    """As in a task: the address in the environment is replaced, as `block_orm_access` of Airflow does."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for name in ("CONN", "CONN_ASYNC"):
        monkeypatch.setenv(f"AIRFLOW__DATABASE__SQL_ALCHEMY_{name}_CMD", f"printf %s {empty_database_url}")
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True, env=os.environ)
    address = empty_database_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        for days in (1, 300, 400):
            connection.execute(
                "insert into log (dttm, event) values (%s, 'made up')", [clock.now() - timedelta(days=days)]
            )
        # As a command leaves it that was killed.
        connection.execute("create table _airflow_deleted__log__20200101000000 as select * from log")
    for name in ("DATABASE", "CORE"):
        monkeypatch.setenv(f"AIRFLOW__{name}__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///")
    url = as_account(database_url, "zhengku_pipeline")
    assert clean_airflow_tables(url, CONFIG, clock.now(), dry_run=True)["log"] == 2
    assert clean_airflow_tables(url, CONFIG, clock.now(), dry_run=False)["log"] == 2
    with psycopg.connect(address) as connection:
        assert connection.execute("select count(*) from log where event = 'made up'").fetchone() == (1,)
        left = "select count(*) from pg_class where relname like '\\_airflow\\_deleted%'"
        assert connection.execute(left).fetchone() == (0,)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        recorded = connection.execute("select kind, name, removed_rows, removed_at is not null from ledger.removal")
        assert recorded.fetchall() == [("airflow", "log", 2, True)]
