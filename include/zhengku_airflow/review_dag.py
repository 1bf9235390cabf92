"""The DAGs of the validation review: the report of the night, the requests made on the pages, and the held batches.

Airflow asks a person about each held batch (human in the loop). Each batch is a task of its own, so that a decision
takes effect at once and does not wait for the decisions about the others. Who decided comes from the record that
Airflow's API server made of the answer; nothing of it passes through XCom, which others may write
(docs/decisions/0057).
"""

import logging
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from zhengku import clock
from zhengku.catalog.review_config import load_review
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.masking import mask_text
from zhengku.pages.access import DATA_SECTION
from zhengku.settings import Settings
from zhengku_airflow.defaults import FIRST_NIGHT, SECTION_TASK_ARGS
from zhengku_airflow.late_alert import late_alert
from zhengku_airflow.notices import MAIL_CONNECTION, ROBOT_CONNECTION, connection_or_skip, send_mail, send_to_robot
from zhengku_airflow.notifier import CityNotifier
from zhengku_airflow.review_notices import report_notice, review_address
from zhengku_airflow.section_dags import SECTION_DAGS

if TYPE_CHECKING:
    from zhengku.catalog import Catalog
    from zhengku.ledger import Batch

log = logging.getLogger(__name__)

REQUESTS_EVERY_MINUTES = 5

# Redriving or releasing may load a million rows.
LONGEST_LOAD = timedelta(hours=2)

RELEASE, REJECT, LATER = "放行入库", "整批退回", "暂不处理"

# How long a question waits for its answer; the next day's run asks again.
ANSWER_TIMEOUT = timedelta(hours=23)
MOST_QUESTIONS = 1_000
LONGEST_REASON = 500

# Night and version of a report, which one task passes to the next.
ReportName = tuple[str, int]


class ReasonMissing(ZhengkuError):
    """A decision without its reason: Airflow's form cannot require one for some options only."""


class Question(HITLOperator):
    """Asks a person to release or reject one held batch, and does it; without a reason the question is repeated.

    Text and options are made here, from the store: `batch_id` is all that comes through XCom. The options name the
    batch, and Airflow records which of them was chosen: an answer can only be about the batch that was shown.
    """

    def __init__(self, *, batch_id: int, **settings: Any) -> None:
        self.batch_id = batch_id
        self.release_option, self.reject_option = (f"批次 {batch_id} {option}" for option in (RELEASE, REJECT))
        super().__init__(
            subject=f"批次 {batch_id} 暂扣待审",
            options=[self.release_option, self.reject_option, LATER],
            defaults=LATER,
            **settings,
        )

    def execute(self, context: Any) -> None:
        """Ask about the batch; raises `AirflowSkipException` when it is decided about already."""
        settings = Settings.load()
        self.subject, self.body = _question(settings, self.batch_id)
        super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Release or reject the batch as the answer says; return its status.

        `event` is the record of the answer, with the login of the person who gave it: the API server or the scheduler
        stored it with the waiting task. Raises `ReasonMissing`; `ConfigurationError` for an answer about another batch.
        """
        [option] = event["chosen_options"]
        if option not in self.options:
            raise ConfigurationError(
                f"Expected an answer about batch {self.batch_id}, got {option!r}: the list of batches that `find` "
                "passed on was changed after the question was asked. Nothing was done; the next run asks again."
            )
        answer = super().execute_complete(context, event)
        if option == LATER:
            raise AirflowSkipException(f"batch {self.batch_id} is left for later")
        reason = str(answer["params_input"].get("reason") or "").strip()
        if not reason:
            raise ReasonMissing(
                "Expected why the batch is released or rejected, got a blank: the question is repeated."
            )
        return _decide(self.batch_id, option == self.release_option, answer["responded_by_user"]["name"], reason)


def validation_report(doc: str | None) -> DAG:
    """Build the DAG that publishes the report of the night every morning, and notifies people."""

    @task(task_display_name="处理到期事项")
    def let_time_pass() -> None:
        """End expired waivers, close problems that stay corrected, remind departments."""
        from zhengku.review import daily

        daily.apply_due_days(Settings.load(), clock.now())

    # A separate task: it may wait for a department's exchange database, and the report must not wait.
    @task(task_display_name="补写退回文件")
    def finish_returns() -> int:
        """Write the files that an interrupted return did not write; return their number."""
        from zhengku.review import daily

        return daily.finish_returns(Settings.load())

    @task(task_display_name="发布日报")
    def publish() -> list[ReportName]:
        """Publish the reports of this night and the previous one; return those that this run made."""
        return _publish_reports()

    @task(task_display_name="核对留痕封条")
    def verify_evidence() -> None:
        """Compare what was recorded with its seals; red when somebody changed it afterwards."""
        from zhengku.audit import require_unchanged
        from zhengku.database import store_connection

        with store_connection(Settings.load().database_url) as connection:
            require_unchanged(connection)

    @task(task_display_name="邮件通知")
    def notify_by_mail(names: list[ReportName]) -> int:
        """Send a mail that the report is published; return the number of addresses."""
        connection = connection_or_skip(MAIL_CONNECTION)
        return send_mail(report_notice(_or_skip(names)), connection)

    @task(task_display_name="群机器人通知")
    def notify_by_robot(names: list[ReportName]) -> None:
        """Send a message that the report is published by the robot of 企业微信 or 钉钉."""
        connection = connection_or_skip(ROBOT_CONNECTION)
        send_to_robot(report_notice(_or_skip(names)), connection)

    with _review_dag(
        "validation_report",
        "归集校验日报：到期事项、报告与问题台账、通知",
        doc,
        _every_day_at(load_review(Settings.load().catalog_folder).report_at),
        deadline=late_alert("归集校验日报未按时发布"),
    ) as dag:
        names: Any = publish()
        let_time_pass() >> [names, finish_returns()]
        names >> verify_evidence()
        notify_by_mail(names)
        notify_by_robot(names)
    return dag


def _publish_reports() -> list[ReportName]:
    from zhengku.database import store_connection
    from zhengku.review import daily
    from zhengku.review.night import nights

    context = get_current_context()
    settings = Settings.load()
    with store_connection(settings.database_url) as connection:
        known = dict(nights(connection))
    published = daily.publish_nights(settings, clock.now())
    # The notices also name the reports that an earlier try of this run published before it was killed.
    first_try = context["dag_run"].start_date if context["ti"].try_number > 1 else None
    return [
        (f"{report.night}", report.version)
        for report in published
        if known.get(report.night) != report.version or (first_try is not None and report.made_at >= first_try)
    ]


def review_requests(doc: str | None) -> DAG:
    """Build the DAG that carries out the requests made on the pages."""

    @task(task_display_name="办理请求", execution_timeout=LONGEST_LOAD)
    def work() -> int:
        """Carry out the waiting requests; return their number, failed ones included."""
        from zhengku.database import store_connection
        from zhengku.review import requests

        settings = Settings.load()
        with store_connection(settings.database_url) as connection:
            if not requests.list_requests(connection, waiting=True, limit=1):
                log.info("no request is waiting")
                return 0
        from zhengku.pipeline.pipeline import Pipeline

        done = requests.execute_requests(Pipeline(settings))
        for request in done:
            log.info("request %d (%s of %s): %s", request.request_id, request.kind, request.department, request.outcome)
        return len(done)

    with _review_dag(
        "review_requests",
        "执行页面上提出的退回、重新处理、放行请求",
        doc,
        CronTriggerTimetable(f"*/{REQUESTS_EVERY_MINUTES} * * * *", timezone="Asia/Shanghai"),
    ) as dag:
        work()
    return dag


def held_batches(doc: str | None) -> DAG:
    """Build the DAG that asks a person about each held batch, and carries out the decision."""

    @task(task_display_name="查找暂扣批次")
    def find() -> list[int]:
        """Return the number of each held batch, except those about which a decision was made on the page."""
        from zhengku import ledger
        from zhengku.database import store_connection
        from zhengku.review.requests import DECISIONS, list_requests

        settings = Settings.load()
        with store_connection(settings.database_url) as connection:
            held = ledger.batches(connection, status="held", limit=MOST_QUESTIONS)
            waiting = list_requests(connection, waiting=True, limit=MOST_QUESTIONS)
        decided = {request.batch_id for request in waiting if request.kind in DECISIONS}
        return [batch.batch_id for batch in reversed(held) if batch.batch_id not in decided]

    with _review_dag(
        "held_batches",
        "逐一询问暂扣批次放行还是退回，并照办",
        doc,
        _every_day_at(load_review(Settings.load().catalog_folder).held_batches_at),
        access_control={DATA_SECTION: {"DAGs": {"can_read", "can_edit"}}},
    ) as dag:
        Question.partial(
            task_id="ask",
            task_display_name="审批",
            map_index_template="批次 {{ task.batch_id }}",
            params={
                "reason": Param(
                    "",
                    type="string",
                    maxLength=LONGEST_REASON,
                    title="处理意见",
                    description="放行或退回时必填，存档备查。",
                )
            },
            response_timeout=ANSWER_TIMEOUT,
            # Of the load after the answer.
            execution_timeout=LONGEST_LOAD,
            retry_delay=timedelta(seconds=5),
            notifiers=[CityNotifier("question")],
        ).expand(batch_id=find())
    return dag


def _review_dag(dag_id: str, description: str, doc: str | None, schedule: CronTriggerTimetable, **settings: Any) -> DAG:
    return DAG(
        dag_id=dag_id,
        dag_display_name=SECTION_DAGS[dag_id],
        description=description,
        doc_md=doc,
        schedule=schedule,
        start_date=FIRST_NIGHT,
        catchup=False,
        max_active_runs=1,
        tags=["归集校验"],
        default_args=SECTION_TASK_ARGS,
        **settings,
    )


def _every_day_at(moment: time) -> CronTriggerTimetable:
    return CronTriggerTimetable(f"{moment.minute} {moment.hour} * * *", timezone="Asia/Shanghai")


def _or_skip(names: list[ReportName]) -> list[ReportName]:
    if not names:
        raise AirflowSkipException("this run published no report: the report of the night was already published")
    return names


def _question(settings: Settings, batch_id: int) -> tuple[str, str]:
    """Return subject and body of the question about a batch, without personal data.

    A batch that is not held is decided about: what its decision began is finished, and `AirflowSkipException` raised.
    """
    from zhengku import ledger
    from zhengku.catalog import load_catalog
    from zhengku.database import store_connection

    with store_connection(settings.database_url) as connection:
        batch = ledger.batch_by_id(connection, batch_id)
    if batch.status == "held":
        return _text_of_question(load_catalog(settings.catalog_folder), batch)
    from zhengku.pipeline.pipeline import Pipeline
    from zhengku.review import decisions

    # An earlier try may have crashed after the decision was recorded.
    batch = decisions.finish(Pipeline(settings), batch_id)
    raise AirflowSkipException(f"batch {batch_id} is {batch.status}: it was decided about already")


def _text_of_question(catalog: "Catalog", batch: "Batch") -> tuple[str, str]:
    title = catalog.feed_title(batch.department, batch.feed)
    file_name = mask_text(batch.source_name).replace("`", "'")
    lines = (
        f"- 部门与数据：{title}",
        f"- 文件或来源：`{file_name}`",
        f"- 行数：{batch.fetched or 0:,}",
        f"- 暂扣原因：{mask_text(batch.reason or '') or '整批数据未通过校验'}",
        f"- 规则：`{batch.rule_id}`",
        f"- 归集时间：{batch.recorded_at.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M}",
        "",
        f"**{RELEASE}**：逐行校验后入库，有问题的行照常隔离。**{REJECT}**：整批不入库，请部门重新提供。",
        f"两者均须填写处理意见，否则本问题会再次提出；选择{LATER}或未答复的，次日再次询问。",
        "",
        f"[待审批次]({review_address('batches')})",
    )
    return f"批次 {batch.batch_id}：{title} 暂扣待审", "\n".join(lines)


def _decide(batch_id: int, is_release: bool, login: str, reason: str) -> str:
    from zhengku.ledger import NotHeld
    from zhengku.pipeline.pipeline import Pipeline
    from zhengku.review import decisions

    pipeline = Pipeline(Settings.load())
    try:
        if is_release:
            batch = decisions.release(pipeline, batch_id, login, reason)
        else:
            batch = decisions.reject(pipeline.settings, pipeline.catalog, batch_id, login, reason)
    except NotHeld as error:
        raise AirflowSkipException(f"batch {batch_id} was decided about elsewhere meanwhile: {error}") from None
    log.info("batch %d is %s by the decision of %s", batch_id, batch.status, login)
    return batch.status
