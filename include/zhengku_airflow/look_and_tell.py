"""Looking at what is out of order, and telling people by mail, robot and log what they do not know yet."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Variable

from zhengku import clock
from zhengku.catalog import load_catalog
from zhengku.catalog.notices_config import load_notices
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.errors import CatalogError, ConfigurationError, StoreUnavailable
from zhengku.ledger import Connection
from zhengku.settings import Settings
from zhengku.watch import state
from zhengku.watch.certificates import READ_EVERY, https_addresses, read_last_days, record_last_days
from zhengku.watch.finding import KINDS, Finding
from zhengku.watch.late import find_late
from zhengku.watch.machine import find_on_machine
from zhengku.watch.paths import REVIEW, runbook_path
from zhengku.watch.store import find_in_store
from zhengku.watch.telling import SIGNATURE, Message, telling
from zhengku_airflow import airflow_state
from zhengku_airflow.notices import (
    ASYNC_SENDERS,
    SENDERS,
    Notice,
    NoticeFailed,
    connection_of,
    find_connection,
    find_connection_async,
    page_address,
)
from zhengku_airflow.section_dags import SECTION_DAGS
from zhengku_airflow.task_failures import reason_of

log = logging.getLogger(__name__)

LOG_CHANNEL = "log"
"""What is always there: the messages in the log, for those who collect logs, and where nothing else is set up."""

_MACHINES_FORGOTTEN_AFTER = timedelta(days=1)
_LOOKS: Mapping[str, str] = {
    "airflow": "任务流的运行情况",
    "late": "清单与日报是否按时",
    "machine": "磁盘与口令",
    "store": "批次、数据源与工作日安排",
}
_STORE_AWAY = "zhengku_store_away"
"""The variable of Airflow that says since when the store cannot be reached: people are told of it once."""


def watch() -> None:
    """Look at everything and tell it; raises `NoticeFailed` when a channel did not take its message.

    When the store cannot be reached, people are told of that alone, once, and `StoreUnavailable` is raised.
    """
    try:
        tell(is_quiet=_look_at_all(Settings.load()))
    except StoreUnavailable as error:
        _tell_store_is_away(error)
        raise
    _tell_store_is_back()


def tell(*, is_quiet: bool) -> None:
    """Tell what is recorded as out of order; raises `NoticeFailed` when a channel did not take its message."""
    settings = Settings.load()
    channels = [LOG_CHANNEL, *(name for name in SENDERS if find_connection(name) is not None)]
    failures = []
    with telling(settings.database_url, load_notices(settings.catalog_folder), page_address) as now_telling:
        if now_telling is None:
            log.info("somebody else is telling now")
            return
        for message in now_telling.due(channels, clock.now(), is_quiet=is_quiet):
            failure = _send(message)
            now_telling.record(message, failure)
            failures += [failure] if failure else []
    if failures:
        raise NoticeFailed("; ".join(failures))


async def tell_what_is_late(run: Mapping[str, Any]) -> None:
    """Look at lists and reports, with the list that was due for a run, and tell what is late.

    When the store cannot be reached, people are told that nobody knows. Raises `NoticeFailed` when a channel did not
    take its message.
    """
    moment = datetime.fromisoformat(run["logical_date"] or run["run_after"])
    try:
        await _tell_what_is_late(Settings.load(), moment)
    except StoreUnavailable as error:
        log.warning("Whether a list is late is unknown: %s", error)
        notice = _store_is_away(
            error, f"- {moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M} 应发布的清单或日报是否已发布不明"
        )
        await _send_to_all_async(notice)


async def _tell_what_is_late(settings: Settings, moment: datetime) -> None:
    await asyncio.to_thread(_look_at_late, settings, moment)
    found = [name for name in ASYNC_SENDERS if await find_connection_async(name) is not None]
    failures = []
    store = telling(settings.database_url, load_notices(settings.catalog_folder), page_address)
    now_telling = await asyncio.to_thread(store.__enter__)
    try:
        if now_telling is None:
            log.info("somebody else is telling now")
            return
        for message in await asyncio.to_thread(now_telling.due, [LOG_CHANNEL, *found], clock.now(), is_quiet=False):
            failure = await _send_async(message)
            await asyncio.to_thread(now_telling.record, message, failure)
            failures += [failure] if failure else []
    finally:
        await asyncio.to_thread(store.__exit__, None, None, None)
    if failures:
        raise NoticeFailed("; ".join(failures))


# ---- looking


def _look_at_all(settings: Settings) -> bool:
    """Record all that is out of order; return whether no run of a department is active or due soon.

    Raises `StoreUnavailable`, and `CatalogError` for a mistake in the catalogue that all departments share.
    """
    now = clock.now()
    config = load_notices(settings.catalog_folder)
    machine = socket.gethostname()
    catalog = load_catalog(settings.catalog_folder)
    departments = {name: catalog.department_name(name) for name in catalog.department_ids}
    titles = {**departments, **SECTION_DAGS}
    states = [airflow_state.read_dag(dag_id, now) for dag_id in titles]
    _read_certificates(settings, now)
    with store_connection(settings.database_url) as connection:
        failed = airflow_state.settle_runs(connection, state.failed_tasks(connection))
        looks: dict[str, Callable[[], list[Finding]]] = {
            "airflow": lambda: airflow_state.find_in_airflow(states, titles, departments, config, failed, now),
            "late": lambda: find_late(connection, settings, now),
            "store": lambda: find_in_store(connection, catalog, now),
            f"machine:{machine}": lambda: find_on_machine(settings, config, machine, now, [_log_folder()]),
        }
        stopped = [one for name, look in looks.items() for one in _look(connection, name, look)]
        state.record_look(connection, "looks", stopped)
        state.forget_silent_observers(connection, "machine:", now - _MACHINES_FORGOTTEN_AFTER)
    return airflow_state.is_quiet(states, departments, config, now)


def _look(connection: Connection, observer: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Record what an observer sees; one that a mistake of the configuration stops is told of, and keeps what it saw."""
    try:
        state.record_look(connection, observer, look())
    except (CatalogError, ConfigurationError) as error:
        log.warning("%s cannot be looked at: %s", observer, error)
        return [Finding("look_failed", observer, f"{_LOOKS[observer.partition(':')[0]]}：{reason_of(error)}")]
    return []


def _look_at_late(settings: Settings, moment: datetime) -> None:
    with store_connection(settings.database_url) as connection:
        state.record_look(connection, "late", find_late(connection, settings, clock.now(), moment))


def _read_certificates(settings: Settings, now: datetime) -> None:
    """Read the last days of certificates once a day; `find_in_store` says which are near."""
    with store_connection(settings.database_url) as connection:
        read_at = state.looked_at(connection, "certificates")
    if read_at is not None and now - read_at < READ_EVERY:
        return
    addresses = https_addresses(settings.environment, [page_address("/")])
    # Servers that do not answer take their time: meanwhile no transaction is open.
    last_days = read_last_days(addresses)
    with store_connection(settings.database_url) as connection:
        record_last_days(connection, addresses, last_days)
        state.record_look(connection, "certificates", [])


def _log_folder() -> Path:
    from airflow.sdk.configuration import conf

    return Path(str(conf.get("logging", "base_log_folder")))


# ---- sending


def _notice(message: Message) -> Notice:
    return Notice(message.title, message.lines, page_address(f"/{REVIEW}notices"), "当前异常")


def _send(message: Message) -> str | None:
    """Send a message; return why it was not sent, None when it was."""
    if message.channel == LOG_CHANNEL:
        _write_to_log(message)
        return None
    try:
        SENDERS[message.channel](_notice(message), connection_of(message.channel))
    except Exception as error:  # noqa: BLE001  # The other channels may work; the failure is recorded and raised.
        return _failure(message.channel, error)
    return None


async def _send_async(message: Message) -> str | None:
    if message.channel == LOG_CHANNEL:
        _write_to_log(message)
        return None
    try:
        connection = await find_connection_async(message.channel)
        if connection is None:
            return f"{message.channel}: it was removed meanwhile"
        await ASYNC_SENDERS[message.channel](_notice(message), connection)
    except Exception as error:  # noqa: BLE001  # As above.
        return _failure(message.channel, error)
    return None


def _write_to_log(message: Message) -> None:
    log.warning("%s", "\n".join([message.title, *message.lines]))


def _failure(channel: str, error: Exception) -> str:
    text = f"{channel}: {error}"
    log.error("The message was not sent by %s", text)
    return text


# ---- the store itself


def _store_is_away(error: StoreUnavailable, *more: str) -> Notice:
    kind = KINDS["store_away"]
    heading = f"**【紧急】{kind.name_zh}** [处理办法]({page_address('/' + runbook_path(kind.runbook))})"
    lines = (heading, f"- {reason_of(error)}", *more)
    return Notice(f"{SIGNATURE}：紧急 1 项", lines, page_address("/"), "任务流")


def _tell_store_is_away(error: StoreUnavailable) -> None:
    """Tell once that the store cannot be reached: what was told is not known then, so Airflow remembers it."""
    if Variable.get(_STORE_AWAY, default=None) is not None:
        return
    _send_directly(_store_is_away(error))
    Variable.set(_STORE_AWAY, f"{clock.now():%Y-%m-%d %H:%M}")


def _tell_store_is_back() -> None:
    since = Variable.get(_STORE_AWAY, default=None)
    if since is None:
        return
    _send_directly(
        Notice(f"{SIGNATURE}：证照库已恢复连接", (f"自 {since} 起无法连接，现已恢复。",), page_address("/"), "任务流")
    )
    Variable.delete(_STORE_AWAY)


def _send_directly(notice: Notice) -> None:
    failures = []
    for channel, send in SENDERS.items():
        connection = find_connection(channel)
        if connection is None:
            continue
        try:
            send(notice, connection)
        except Exception as error:  # noqa: BLE001  # The other channel may work.
            failures.append(_failure(channel, error))
    if failures:
        raise NoticeFailed("; ".join(failures))


async def _send_to_all_async(notice: Notice) -> None:
    failures = []
    for channel, send in ASYNC_SENDERS.items():
        try:
            connection = await find_connection_async(channel)
            if connection is not None:
                await send(notice, connection)
        except Exception as error:  # noqa: BLE001  # The other channel may work.
            failures.append(_failure(channel, error))
    if failures:
        raise NoticeFailed("; ".join(failures))
