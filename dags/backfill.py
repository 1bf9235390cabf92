"""# 证照回溯·按月

2019年1月以来各部门接口与前置库中的证照，按月回溯归集；每个分区一个月（如 2019-01），每个部门一个任务。

- 用法：在本页点“回填”选择起止月份，或 `zhengku backfill run --from 2019-01 --to 2026-10`；
  先打开本DAG的开关。已完成的月份跳过，中断后再次发起即从断处继续。
- 不动夜间归集的水位，不触发每日清单；每个部门另有限流的资源池（`<部门资源池>_backfill`），
  请求频次为夜间的四分之一，与夜间归集并行。
- 每月1日自动把上一个月再读一遍，迟提交的记录不会漏。
- 进度（月份 × 部门）：`zhengku backfill progress`，或“归集校验”页面的“回溯进度”。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理；有整批退回或暂扣时亦变红，提请人工处理。
见 `docs/runbooks/backfill.md`。
"""

from airflow.sdk import DAG
from backfill_dag import backfill

dag: DAG = backfill(__doc__)
