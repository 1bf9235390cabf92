"""# 比对 · 来源与证照库

每周运行一次：证明部门系统里有的，证照库里一条不少。

- 每个部门一个任务，占用该部门自己的资源池；某部门的系统连不上，只影响它自己。
- 能在来源处清点的（前置库），逐日比条数与校验和，不一致的日子逐条核对；只能列出的（接口），逐条核对；
  全量文件与最近一次入库的全量比对；增量文件无法比对，照实说明。
- 差异记入问题数据，随退回送部门核实；已有问题数据、暂扣批次、比对之后才变动的，不算差异，分别计数。

结果在 `reconciliation.run`。变红时：日志最后一行说明应为何、实为何、在何处、如何处理。
口径见 `docs/reconciliation.md`，时间见 `include/catalog/review.yaml`。
"""

from zhengku_airflow.reconcile_dag import reconcile

dag = reconcile(__doc__)
