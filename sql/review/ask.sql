insert into review.request (kind, department, feed, batch_id, problem_ids, asked_by, reason)
values (%(kind)s, %(department)s, %(feed)s, %(batch_id)s, %(problem_ids)s::bigint[], %(asked_by)s, %(reason)s)
returning request_id
