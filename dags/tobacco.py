"""# 市烟草专卖局 · 证照归集

每晚归集：烟草专卖零售许可证。来源：文件投递（CSV，GB18030，每次为全量，须附清单）。

- **collect**（每个来源系统一个）：原样落地投递文件，核对清单的行数与摘要；
  同一文件再次送达会被认出。每个文件即全部登记，消失的记录另作标记。
- **load**：逐批暂存、清洗，按 `expectations/` 的规则逐行校验，合并入库、保留旧版本、写入台账；
  取得 = 新增 + 更新 + 未变 + 删除 + 过期 + 重复 + 隔离 + 暂扣，不平则整批不提交。
- **conclude**：写出本次运行的校验报告；有整批退回或暂扣时变红，提请人工处理。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理。数据来源、字段映射与运行时刻见
`include/catalog/departments/tobacco.yaml`。
"""

from airflow.sdk import DAG
from department_dag import department_dag

dag: DAG = department_dag("tobacco", __doc__)
