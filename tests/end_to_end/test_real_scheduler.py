"""The department's DAG in a real Airflow: scheduler, DAG processor and API server as processes of their own."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.otlp_sink import Sink, otlp_sink
from tests.support.small_city import SmallCity, running

from local_stack.demo import run_departments
from simulator.business_licenses import write_file_drop
from zhengku.errors import ZhengkuError
from zhengku.ledger import OUTCOMES

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]

DAG = "market_supervision"
EVENTS = "lineage.jsonl"


class ObservedCity(SmallCity):
    """Its Airflow writes OpenLineage's events to a file, and its steps send metrics to `sink`."""

    sink: Sink

    def _our_settings(self) -> dict[str, str]:
        transport = {"type": "file", "log_file_path": str(self.state / EVENTS), "append": True}
        return {
            **super()._our_settings(),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "ZHENGKU_METRICS": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.sink.address,
        }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservedCity]:
    # No feed but the business licenses, laid by hand.
    city = ObservedCity(tmp_path_factory.mktemp("stack"), {DAG: ["business_license"]}, retry_delay_seconds=1)
    with otlp_sink() as city.sink, running(city):
        yield city


@pytest.fixture
def drop(stack: SmallCity) -> Path:
    """An empty file drop and an empty license store."""
    folder = stack.city.drop_folder / "business_license"
    shutil.rmtree(stack.city.drop_folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stack.query(
        "zhengku",
        "set session_replication_role = replica; truncate store.certificate, store.certificate_history,"
        " quarantine.problem_row, ledger.rule_result, ledger.watermark, ledger.batch cascade",
    )
    return folder


def run(stack: SmallCity) -> str:
    with stack.api() as api:
        return run_departments(stack, api, [DAG], print)[DAG]


def lay(folder: Path, source: Path) -> None:
    target = folder / source.name
    shutil.copyfile(source, target)
    moment = time.time() - 3600
    os.utime(target, (moment, moment))


def counts(stack: SmallCity) -> list[tuple]:
    return stack.query(
        "zhengku", "select fetched, inserted, unchanged, quarantined, status from ledger.batch order by batch_id"
    )


def test_made_up_delivery_ends_as_the_truth_says(stack, drop):
    truth = write_file_drop(stack.city.drop_folder, 300, 7)
    run_id = run(stack)
    found = stack.query("zhengku", "select source_name, fetched, run_id from ledger.batch order by batch_id")
    assert found == [(file.name, file.fetched, run_id) for file in truth.files]
    for file in truth.files:
        [(row,)] = stack.query("zhengku", "select to_jsonb(b) from ledger.batch as b where source_name = %s", file.name)
        assert {fate: row[fate] for fate in file.fates} == file.fates
    # What a person and the next DAG see of it.
    names = stack.query(
        "airflow",
        "select distinct rendered_map_index from task_instance where run_id = %s and map_index >= 0",
        run_id,
    )
    assert names == [("营业执照登记簿",)]
    [(events,)] = stack.query(
        "airflow",
        "select count(*) from asset_event as e join asset as a on a.id = e.asset_id"
        " where a.name = 'store.business_license' and e.source_run_id = %s",
        run_id,
    )
    assert events == 1
    assert list((stack.state / "reports").rglob("*.html"))


def lineage(stack: SmallCity, run_id: str, task: str) -> dict[str, Any]:
    """The event of the completion of a task of a run, which Airflow's listener wrote."""
    for line in (stack.state / EVENTS).read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        facet = event["run"]["facets"].get("airflow", {})
        is_of_task = event["eventType"] == "COMPLETE" and event["job"]["name"] == f"{DAG}.{task}"
        if is_of_task and facet["dagRun"]["run_id"] == run_id:
            return event
    raise AssertionError(f"no event of {task} of {run_id}")


def test_metrics_are_those_of_the_ledger_and_lineage_names_columns_and_no_value(stack, drop):
    truth = write_file_drop(stack.city.drop_folder, 300, 9)
    stack.sink.delta.clear()
    run_id = run(stack)

    # What the tasks, processes that end without a word, have sent.
    batches = [row for (row,) in stack.query("zhengku", "select to_jsonb(b) from ledger.batch as b")]
    sums = {outcome: sum(batch[outcome] for batch in batches) for outcome in OUTCOMES}
    sent = {dict(labels)["outcome"]: rows for labels, rows in stack.sink.delta["zhengku.rows"].items()}
    assert sent.pop("fetched") == sum(sums.values())
    assert sent == {outcome: rows for outcome, rows in sums.items() if rows}

    collected = lineage(stack, run_id, "collect")
    [source] = collected["inputs"]
    assert source["namespace"] == "file_drop://market_supervision"
    assert source["name"].startswith("market_supervision_drop/business_license/")
    [landed] = collected["outputs"]
    assert landed["name"].endswith("/landing/market_supervision/business_license")
    columns = {field["name"]: field.get("description") for field in landed["facets"]["schema"]["fields"]}
    assert columns["企业名称"] == "持证主体"
    [origin] = landed["facets"]["columnLineage"]["fields"]["企业名称"]["inputFields"]
    assert (origin["namespace"], origin["name"], origin["field"]) == (source["namespace"], source["name"], "企业名称")

    loaded = lineage(stack, run_id, "load")
    [read] = loaded["inputs"]
    assert (read["namespace"], read["name"]) == (landed["namespace"], landed["name"])
    [store] = loaded["outputs"]
    assert re.fullmatch(r"postgres://[^@/]+:\d+", store["namespace"])
    assert store["name"].endswith(".store.certificate")
    described = {field["name"]: field["description"] for field in store["facets"]["schema"]["fields"]}
    assert described["holder"] == "持证主体"
    [origin] = store["facets"]["columnLineage"]["fields"]["holder"]["inputFields"]
    assert (origin["name"], origin["field"]) == (landed["name"], "企业名称")
    written = stack.query("zhengku", "select sum(inserted + updated + deleted) from ledger.batch")
    assert [(store["outputFacets"]["outputStatistics"]["rowCount"],)] == written

    told = (stack.state / EVENTS).read_text(encoding="utf-8")
    assert not [file.name for file in truth.files if file.name in told]
    values = stack.query("zhengku", "select holder, holder_code, certificate_number from store.certificate")
    assert values
    assert not [value for row in values for value in row if value and value in told]
    assert not [password for password in [stack.airflow.passwords()["admin"]] if password in told]


def test_rejected_file_turns_the_run_red_and_the_others_load(stack, drop):
    truth = write_file_drop(stack.city.drop_folder, 300, 8, with_rejected=True)
    with pytest.raises(ZhengkuError, match="Failed: market_supervision;"):
        run(stack)
    assert [status for *_, status in counts(stack)] == ["rejected" if f.rejected_by else "loaded" for f in truth.files]
    states = dict(
        stack.query(
            "airflow",
            "select task_id, state from task_instance where run_id ="
            " (select run_id from dag_run order by id desc limit 1)",
        )
    )
    assert states["conclude"] == "failed"
    assert states["load"] == "success"


@pytest.mark.skipif(
    not os.environ.get("ZHENGKU_REGISTER_DIR"),
    reason="ZHENGKU_REGISTER_DIR names no folder: the real registers are not part of this project",
)
def test_real_registers_go_through_the_pipeline(stack, drop):
    registers = Path(os.environ["ZHENGKU_REGISTER_DIR"])
    lay(drop, registers / "business_licences_hubei_2019.csv")
    run(stack)
    assert counts(stack) == [(5687, 5687, 0, 0, "loaded")]
    before = stack.query("zhengku", "select record_key, xmin::text from store.certificate order by 1")
    run(stack)
    assert counts(stack)[1:] == [(5687, 0, 5687, 0, "loaded")]
    assert stack.query("zhengku", "select record_key, xmin::text from store.certificate order by 1") == before
    lay(drop, registers / "business_licences_hubei_2015.csv")
    run(stack)
    assert counts(stack)[2:] == [(6296, 6279, 0, 17, "loaded")]
