"""# 归集校验 · 处理请求

每 5 分钟运行一次，执行大数据科在“归集校验”页面上提出的请求：退回部门、重新处理、放行批次。没有请求时即行结束。

- **work**：按提出的先后逐一执行；结果与失败原因见页面“处理请求”。某个请求失败，不影响其他请求；
  库或来源暂时不可用的，留待下一次。

变红时：日志最后一行说明应为何、实为何、在何处、如何处理。重跑不会重复执行已完成的请求。
处理办法见 `docs/runbooks/validation-review.md`。
"""

from zhengku_airflow.review_dag import review_requests

dag = review_requests(__doc__)
