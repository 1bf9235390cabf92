"""# 归集校验 · 每日报告

每天早晨在各部门夜间归集之后（`report_at`）运行，发布当夜的归集校验日报；前一夜的数据其后有变的，另发一版。

- **let_time_pass**：到期的豁免失效，已整改的问题数据按期销号，提醒将到期和逾期的部门。
- **finish_returns**：补写未写完的退回文件和前置库中的退回表；部门的前置库不可用时只影响该步。
- **publish**：发布日报（页面与表格），并更新问题台账；数字没有变化的不另发。此前的留痕一并封存，链首印在日报上。
- **verify_evidence**：把留痕与封条逐条核对；有人事后改动、删除或补插的，变红并指出是哪一条
  （见 `docs/runbooks/evidence.md`）。
- **notify_by_mail**、**notify_by_robot**：发布后即以邮件、企业微信或钉钉通知；
  未配置连接时跳过并说明。通知失败只影响该步，报告照常。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理；处理后清除变红的步骤重跑，重跑不会重复发布。
口径见 `docs/validation-review.md`，
参数见 `include/catalog/review.yaml`，处理办法见 `docs/runbooks/validation-review.md`。
"""

from zhengku_airflow.review_dag import validation_report

dag = validation_report(__doc__)
