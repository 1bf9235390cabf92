"""The results of comparisons, for people."""

from typing import Any, Final

from psycopg.rows import dict_row

from zhengku.database import statement
from zhengku.ledger import Connection

METHOD_NAMES: Final = {
    "day_sums": "逐日条数与校验和",
    "keys": "逐条核对",
    "snapshot": "与全量数据核对",
    "not_comparable": "无法比对",
}

EXPLANATION_NAMES: Final = {
    "problem_record": "已有问题数据",
    "waiting_batch": "批次暂扣、退回或未完成",
    "changed_since": "比对之后才变动",
    "other_feed": "以另一来源为准",
}


def newest_runs(connection: Connection) -> list[dict[str, Any]]:
    """Return the newest row of `reconciliation.run` of each feed, those with differences first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement("reconcile/comparison.newest_runs")).fetchall()
