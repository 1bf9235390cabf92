"""The paths of what a finding links to, below the address of Airflow's API server."""

from urllib.parse import quote, urlencode

REVIEW = "zhengku/review/"


def run_path(dag_id: str, run_id: str) -> str:
    """Return the path of our page of a run: its report, its batches."""
    return f"{REVIEW}run?{urlencode({'dag': dag_id, 'run': run_id})}"


def airflow_run_path(dag_id: str, run_id: str) -> str:
    """Return the path of a run in Airflow's interface."""
    return f"dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"


def dag_path(dag_id: str) -> str:
    """Return the path of a DAG in Airflow's interface."""
    return f"dags/{quote(dag_id)}"


def runbook_path(runbook: str) -> str:
    """Return the path of a paragraph of a runbook, `<runbook>#<heading>`."""
    return f"{REVIEW}runbook/{runbook}"
