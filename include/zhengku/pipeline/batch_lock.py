"""Locks on batches, and records of started steps: a step that started and never ended has crashed or was killed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from zhengku import ledger
from zhengku.database import store_connection
from zhengku.errors import ZhengkuError
from zhengku.ledger import Batch
from zhengku.stage.staging import discard

log = logging.getLogger(__name__)


class BatchLock:
    """The locks of one process on batches of the store at `database_url`."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._started: set[int] = set()
        """Batches of which this process has started a step."""

    @contextmanager
    def hold(self, batch_id: int) -> Iterator[tuple[ledger.Connection, Batch]]:
        """Open the store and read a batch, once no other process works on it."""
        with store_connection(self._database_url) as connection:
            # The lock belongs to the session and is released with it, also when the process is killed.
            connection.execute(
                "select pg_advisory_lock(hashtextextended('zhengku.batch.' || %(id)s, 0))", {"id": batch_id}
            )
            batch = ledger.batch_by_id(connection, batch_id)
            try:
                yield connection, batch
            except (ZhengkuError, psycopg.Error, KeyboardInterrupt):
                if batch_id in self._started and not connection.broken:
                    connection.rollback()
                    ledger.end_step(connection, batch_id, done=False)
                    connection.commit()
                raise
            else:
                if batch_id in self._started:
                    ledger.end_step(connection, batch_id, done=True)
            finally:
                self._started.discard(batch_id)

    def start_step(self, connection: ledger.Connection, batch: Batch, step: str) -> Batch | None:
        """Record and commit that a step of a batch starts; return the rejected batch if the step crashed too often.

        A step has crashed when its end was not recorded: the process was killed, the machine ran out of memory, or an
        unexpected error was raised. Without the limit, the department's other files would wait for it every night.
        """
        crashes = ledger.begin_step(connection, batch.batch_id, step)
        if crashes < ledger.MAX_STEP_CRASHES:
            connection.commit()
            self._started.add(batch.batch_id)
            return None
        discard(connection, batch.batch_id)
        detail = (
            f"{batch.source_name}: its step {step} crashed {crashes} times without an error of zhengku: the process "
            "was killed, ran out of memory or met an unexpected error. Look at the worker's log, fix the cause or ask "
            "for another file, then read it again (`zhengku collect --again`)."
        )
        log.warning("Batch %d is rejected: %s", batch.batch_id, detail)
        return ledger.reject(
            connection,
            batch.batch_id,
            ledger.STEP_CRASHED,
            f"处理该批数据时程序连续{crashes}次异常中止，已停止处理。请核对文件后重新报送。",
            detail,
        )
