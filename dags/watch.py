"""# 巡检 · 异常通知

每五分钟检查一次：部门与公共任务的失败、暂扣与退回的批次、未按时发布的清单与日报、久未更新的数据源、被暂停或到点未运行的任务流、
磁盘空间、工作日安排、将到期的证书与密钥。

- **look_and_tell**：把当前异常记入 `watch.finding`，有新情况即以邮件、企业微信或钉钉通知。紧急的立即通知；
  其余的待当夜各部门运行结束后合并为一条；情况不变的不再重复；全部恢复后再通知一次。未配置连接的，只记入日志。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理；下一次运行会补发未发出的通知。
口径见 `docs/notices.md`，参数见 `include/catalog/notices.yaml`，处理办法见 `docs/runbooks/notices.md`。
"""

from zhengku_airflow.watch_dag import watch

dag = watch(__doc__)
