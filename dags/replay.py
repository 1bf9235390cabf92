"""# 落地文件重走

映射或规则改正之后，已落地的批次按现行映射与规则整批重走，不再向部门取数；手动触发，填写批次号或部门与起止日期。

- **take_again**：逐批核对落地文件的摘要，再走暂存、校验、入库；与当初送达时一样新，不覆盖其后送来的数据，
  不动水位，不计入各夜报告。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理；重跑即从断处继续。
见 `docs/runbooks/replay-and-time-travel.md`。
"""

from zhengku_airflow.replay_dag import replay

dag = replay(__doc__)
