"""# 归集校验 · 暂扣批次审批

每天在日报之后（`held_batches_at`）运行，也可随时手动运行：就每个暂扣的批次询问大数据科放行还是退回。
在“待处理操作”（Required Actions）或页面“待审批次”上答复均可，先答复者为准。

- **find**：找出暂扣的批次；已在页面上请求放行的不再询问。
- **ask**（每个批次一个）：等待答复：放行入库、整批退回（须填写处理意见，否则再次询问）或暂不处理；
  等待期间不占用资源，23 小时未答复的作暂不处理，次日再次询问。答复后随即照办，记入台账，并通知部门；
  处理人为答复者的登录账号，取自 Airflow 服务端对答复的记录，不经 XCom。
  暂不处理的、其间已在别处处理的，跳过并说明。

只有角色 `data_section`（大数据科）的账号可以答复。
变红时：日志最后一行说明应为何、实为何、在何处、如何处理。口径见 `docs/validation-review.md`，
参数见 `include/catalog/review.yaml`，处理办法见 `docs/runbooks/validation-review.md`。
"""

from zhengku_airflow.review_dag import held_batches

dag = held_batches(__doc__)
