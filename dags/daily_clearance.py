"""# 日清清单 · 入库后发布

办件（`store.service_case`）与评价（`store.evaluation`）都有新数据入库后运行；各来源均已读取到截止时刻之后的清单即行发布，
尚未读全的留待下一次，到规定时刻由 `daily_clearance_cutoff` 照发。同一清单只发布一次。

- **publish**：发布到期的工作清单、终清单；近几日终清单所据事实有变的，另发一版并列出差异。
- **rates**：重算有变动日子的评价指标（分子、分母）。
- **workbooks**：写出全市及各区划的表格（XLSX），仅本账号可读。
- **notify_by_mail**、**notify_by_robot**：发布后即以邮件、企业微信或钉钉通知；
  未配置连接时跳过并说明。通知失败只影响该步，清单照常。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理。口径见 `docs/daily-clearance.md`，
参数见 `include/catalog/clearance.yaml`，处理办法见 `docs/runbooks/daily-clearance.md`。
"""

from zhengku_airflow.clearance_dag import by_loaded_data

dag = by_loaded_data(__doc__)
