"""The dashboard of docker/metrics: it asks for metrics that are exported, in words that Prometheus reads."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from zhengku.metrics import WORK_METRICS, Metric
from zhengku.operations.standing import STANDING_METRICS
from zhengku.settings import project_home

FOLDER = project_home() / "docker" / "metrics"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
UNITS = {"s": "seconds", "By": "bytes"}


def exported_names(metric: Metric) -> dict[str, set[str]]:
    """The names that Prometheus has for a metric, with their labels.

    As the collector's exporter translates them (OpenTelemetry, "Prometheus and OpenMetrics Compatibility"): dots
    become underscores, a unit is added in words, one in braces is none, and `_total` to counters.
    """
    name = metric.name.replace(".", "_")
    if not metric.unit.startswith("{"):
        name += f"_{UNITS[metric.unit]}"
    labels = {*metric.labels}
    if metric.kind == "counter":
        return {f"{name}_total": labels}
    if metric.kind == "histogram":
        return {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
    return {name: labels}


EXPORTED = {
    name: labels for metric in (*WORK_METRICS, *STANDING_METRICS) for name, labels in exported_names(metric).items()
}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_queries_ask_for_metrics_and_labels_that_are_exported() -> None:
    asked: set[str] = set()
    for query in queries():
        names = set(re.findall(r"\b(zhengku_\w+)", query))
        assert names <= EXPORTED.keys(), query
        asked |= names
        known = set.union(*(EXPORTED[name] for name in names))
        named = [name for text in re.findall(r"(?:by|without) \(([^)]*)\)", query) for name in text.split(", ")]
        named += re.findall(r"(\w+)(?:=~|!=|!~|=)\"", query)
        assert set(named) <= known, query
        legends = re.findall(r"{{(\w+)}}", query)
        assert set(legends) <= known
    # What nobody looks at need not be exported.
    seen = {name for name in asked for metric in (*WORK_METRICS, *STANDING_METRICS) if name in exported_names(metric)}
    for metric in (*WORK_METRICS, *STANDING_METRICS):
        assert exported_names(metric).keys() & seen, metric.name


def test_legends_name_labels_that_their_query_keeps() -> None:
    for panel in panels():
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), target


def test_dashboard_has_what_grafana_needs() -> None:
    source = YAML(typ="safe").load((FOLDER / "datasource.yaml").read_text(encoding="utf-8"))["datasources"][0]
    assert DASHBOARD["uid"]
    assert DASHBOARD["schemaVersion"] >= 39
    assert "id" not in DASHBOARD
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert re.search("[\u4e00-\u9fff]", panel["title"])
    for panel in panels():
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert [target["refId"] for target in panel["targets"]] == ["A"]
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    [variable] = DASHBOARD["templating"]["list"]
    name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
    assert label in EXPORTED[name]
    assert {text for query in queries() for text in re.findall(r"\$(\w+)", query)} <= {"department", "__rate_interval"}


def test_collector_uses_what_it_defines_and_prometheus_asks_where_it_answers() -> None:
    collector = YAML(typ="safe").load((FOLDER / "collector.yaml").read_text(encoding="utf-8"))
    service = collector["service"]
    pipeline = service["pipelines"]["metrics"]
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) == collector[part].keys()
    assert set(service["extensions"]) == collector["extensions"].keys()
    # Sums of differences are made before anything is exported, and nothing runs over beforehand.
    assert pipeline["processors"][0] == "memory_limiter"
    assert "deltatocumulative" in pipeline["processors"]
    prometheus = YAML(typ="safe").load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    [scraped] = prometheus["scrape_configs"]
    port = collector["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]
    assert scraped["static_configs"] == [{"targets": [f"collector:{port}"]}]
    compose = YAML(typ="safe").load((project_home() / "docker-compose.yml").read_text(encoding="utf-8"))
    received = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    address = compose["x-zhengku-environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert address == f"${{ZHENGKU_COLLECTOR_URL:-http://collector:{received}}}"
    health = collector["extensions"]["health_check"]["endpoint"].rpartition(":")[2]
    assert f"http://collector:{health}/" in compose["services"]["observer"]["healthcheck"]["test"][-1]


def test_page_has_every_metric_with_its_names_unit_and_labels() -> None:
    page = (project_home() / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(" `"): cells for line in page.splitlines() if len(cells := line.split("|")) == 7}
    for metric in (*WORK_METRICS, *STANDING_METRICS):
        _, _, shown, unit, labels, words, _ = rows.pop(metric.name)
        first, *endings = re.findall("`([^`]+)`", shown)
        assert {first, *(first.removesuffix("_bucket") + ending for ending in endings)} == exported_names(metric).keys()
        assert (unit.strip(), words.strip()) == (metric.unit.strip("{}"), metric.description)
        assert labels.strip() == (", ".join(metric.labels) or "—")
    assert not [name for name in rows if name.startswith("zhengku.")]


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    return found


def test_prometheus_reads_its_settings_and_every_query(promtool: str, tmp_path: Path) -> None:
    subprocess.run([promtool, "check", "config", FOLDER / "prometheus.yml"], check=True, capture_output=True)
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$department", ".*")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", file], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {len(rules)} rules found" in checked.stdout
    file.write_text(json.dumps({"groups": [{"name": "wrong", "rules": [{"record": "a", "expr": "sum by (x"}]}]}))
    assert subprocess.run([promtool, "check", "rules", file], check=False, capture_output=True).returncode != 0
