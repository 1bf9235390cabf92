"""# 日清清单 · 定时发布

每天在规定时刻（工作清单 `working_latest`、终清单次日 `final_latest`）运行，把到期而未发布的清单以现有数据发布；
截止时刻之后未再读取的来源，在清单上逐一注明。已由 `daily_clearance` 发布的不再重复。

- **publish**：发布到期的工作清单、终清单；近几日终清单所据事实有变的，另发一版并列出差异。
- **rates**：重算有变动日子的评价指标（分子、分母）。
- **workbooks**：写出全市及各区划的表格（XLSX），仅本账号可读。
- **notify_by_mail**、**notify_by_robot**：发布后即以邮件、企业微信或钉钉通知；
  未配置连接时跳过并说明。通知失败只影响该步，清单照常。

到规定时刻后 20 分钟清单仍未发布的，触发“清单未按时发布”告警，并按已配置的方式通知。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理。口径见 `docs/daily-clearance.md`，
参数见 `include/catalog/clearance.yaml`，处理办法见 `docs/runbooks/daily-clearance.md`。
"""

from zhengku_airflow.clearance_dag import by_the_clock

dag = by_the_clock(__doc__)
