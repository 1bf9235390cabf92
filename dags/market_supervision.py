"""# 市市场监督管理局 · 证照归集

每晚从市市场监督管理局的文件投递目录取回登记簿，按 **collect → load → conclude** 入市电子证照库。

- **collect**（每个来源系统一个）：原样落地，核对清单的行数与摘要；同一文件再次送达会被认出。
- **load**：逐批暂存、清洗（全角、空白、各种日期写法、“N/A”），按 `expectations/` 的规则逐行校验，
  合并入库、保留旧版本、写入台账；
  取得 = 新增 + 更新 + 未变 + 删除 + 过期 + 重复 + 隔离 + 暂扣，不平则整批不提交。
- **conclude**：写出本次运行的校验报告；有文件整份退回或批次暂扣时变红，提请人工处理。

某步变红时：日志最后一行说明应为何、实为何、在何处、如何处理。文件整体有误（rejected）时库内不变，待部门重送；
批次暂扣（held）时由大数据科核对后用 `zhengku release` 放行。数据来源、字段映射与运行时刻见
`include/catalog/departments/market_supervision.yaml`。
"""

from airflow.sdk import DAG
from department_dag import department_dag

dag: DAG = department_dag("market_supervision", __doc__)
