"""The DAG of a replay, started by hand: landed files are processed again completely.

Who replays is the login that started the run, as Airflow's API server recorded it; no parameter names a person.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param, get_current_context, task

from zhengku.settings import Settings
from zhengku_airflow.defaults import FINAL_ERRORS
from zhengku_airflow.last_lines import end_plainly

LONGEST_REPLAY = timedelta(hours=6)


def replay(doc: str | None) -> DAG:
    """Build the DAG that replays the deliveries that its parameters choose."""

    # A second try continues with the batches of the first.
    @task(task_display_name="整批重走", retries=2, retry_delay=timedelta(minutes=5), execution_timeout=LONGEST_REPLAY)
    def take_again() -> list[int]:
        """Replay the chosen deliveries, the oldest first; return the numbers of their new batches."""
        from datetime import date

        from zhengku.database import store_connection
        from zhengku.errors import BatchesFailed, ConfigurationError
        from zhengku.operations.replay import replay as replay_batches
        from zhengku.operations.replay import replayable
        from zhengku.pipeline.pipeline import Pipeline

        context = get_current_context()
        params, run = context["params"], context["dag_run"]
        if not run.triggering_user_name:
            raise ConfigurationError(
                f"Expected a run that a person started, got {run.run_id} ({run.run_type}), which no login started. "
                "Start the DAG in Airflow, or run `zhengku replay`: the ledger records who replays."
            )
        if bool(params["batches"]) == bool(params["department"]):
            raise ConfigurationError("Expected either numbers of batches or a department, got both or neither.")
        pipeline = Pipeline(Settings.load())
        with store_connection(pipeline.settings.database_url) as connection:
            chosen = replayable(
                connection,
                batch_ids=params["batches"] or None,
                department=params["department"],
                feed=params["feed"],
                first_day=date.fromisoformat(params["since"]) if params["since"] else None,
                last_day=date.fromisoformat(params["until"]) if params["until"] else None,
            )
        done = replay_batches(pipeline, chosen, run.triggering_user_name, params["reason"], run.run_id)
        if wrong := [
            f"batch {batch.batch_id} is {batch.status}: {batch.detail}" for batch in done if batch.status != "loaded"
        ]:
            raise BatchesFailed(" | ".join(wrong))
        return [batch.batch_id for batch in done]

    with DAG(
        dag_id="replay",
        dag_display_name="落地文件重走",
        description="已落地的批次按现行映射与规则整批重走，不再向部门取数",
        doc_md=doc,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        tags=["证照归集", "重走"],
        params={
            "batches": Param([], type="array", items={"type": "integer"}, title="批次号"),
            "department": Param(None, type=["null", "string"], title="部门", description="与批次号二者选一。"),
            "feed": Param(None, type=["null", "string"], title="来源", description="留空为该部门全部来源。"),
            "since": Param(None, type=["null", "string"], format="date", title="起（含）"),
            "until": Param(None, type=["null", "string"], format="date", title="止（含）"),
            "reason": Param(type="string", minLength=1, title="何故"),
        },
        default_args={"on_execute_callback": end_plainly, "owner": "data-engineers", "retry_policy": FINAL_ERRORS},
    ) as dag:
        take_again()
    return dag
