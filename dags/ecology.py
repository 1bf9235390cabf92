"""# 市生态环境局 · 证照归集

每晚归集：排污许可证。来源：前置库，更新时间为文本。

- **collect**（每个来源系统一个）：只读读取前置库各表并原样落地；
  窗口自上次水位（cd_time）起，并回看重叠时段，迟提交的记录不会漏。
- **load**：逐批暂存、清洗，按 `expectations/` 的规则逐行校验，合并入库、保留旧版本、写入台账；
  取得 = 新增 + 更新 + 未变 + 删除 + 过期 + 重复 + 隔离 + 暂扣，不平则整批不提交。
- **conclude**：写出本次运行的校验报告；有整批退回或暂扣时变红，提请人工处理。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理。数据来源、字段映射与运行时刻见
`include/catalog/departments/ecology.yaml`。
"""

from airflow.sdk import DAG
from department_dag import department_dag

dag: DAG = department_dag("ecology", __doc__)
