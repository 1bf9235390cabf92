"""One process at a time works on a batch, and each step that begins is noted, so that a step that dies is found."""

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
        self._begun: set[int] = set()
        """Batches of which this process has begun a step."""

    @contextmanager
    def hold(self, batch_id: int) -> Iterator[tuple[ledger.Connection, Batch]]:
        """Open the store and read a batch, once no other process works on it any more."""
        with store_connection(self._database_url) as connection:
            # The lock belongs to the session and goes with it, however that ends.
            connection.execute(
                "select pg_advisory_lock(hashtextextended('zhengku.batch.' || %(id)s, 0))", {"id": batch_id}
            )
            batch = ledger.batch_by_id(connection, batch_id)
            try:
                yield connection, batch
            except (ZhengkuError, psycopg.Error, KeyboardInterrupt):
                if batch_id in self._begun and not connection.broken:
                    connection.rollback()
                    ledger.end_step(connection, batch_id, done=False)
                    connection.commit()
                raise
            else:
                if batch_id in self._begun:
                    ledger.end_step(connection, batch_id, done=True)
            finally:
                self._begun.discard(batch_id)

    def begin(self, connection: ledger.Connection, batch: Batch, step: str) -> Batch | None:
        """Note, for good, that a step of a batch begins; return the batch rejected when it died of it too often.

        What ends without a word has died: the process was killed, the machine lost its memory, or an error came that
        nobody foresaw. A department's other files must not wait for that to happen every night.
        """
        deaths = ledger.begin_step(connection, batch.batch_id, step)
        if deaths < ledger.MAX_STEP_CRASHES:
            connection.commit()
            self._begun.add(batch.batch_id)
            return None
        discard(connection, batch.batch_id)
        detail = (
            f"{batch.source_name}: its step {step} died {deaths} times without a word, as a process does that is "
            "killed or runs out of memory. Look at the worker's log, fix the cause or ask for another file, then let "
            "it be read again (`zhengku collect --again`)."
        )
        log.warning("Batch %d is rejected: %s", batch.batch_id, detail)
        return ledger.reject(
            connection,
            batch.batch_id,
            ledger.STEP_CRASHED,
            f"处理该批数据时程序连续{deaths}次异常中止，已停止处理。请核对文件后重新报送。",
            detail,
        )
