-- All that the account of the pages may change (docs/decisions/0059): each function runs with the rights of the owner.
-- Who acts is the login that the pages know from Airflow.

create or replace function review.ask(
    what text, of_department text, of_feed text, of_batch bigint, of_problems bigint[], who text, why text
)
returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into review.request (kind, department, feed, batch_id, problem_ids, asked_by, reason)
    values ($1, $2, $3, $4, $5, $6, $7)
    returning request_id
$$;
comment on function review.ask is '提出处理请求，返回请求编号';

-- Waive open or returned problem records until the end of a day (null: for good); returns how many were waived.
create or replace function quarantine.waive(of_problems bigint[], who text, why text, until_day date)
returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    with waived as (
        update quarantine.problem_row as q
        set
            status = 'waived',
            waived_until = $4,
            updated_at = now()
        where q.problem_id = any($1) and q.status in ('open', 'returned')
        returning q.problem_id
    ),

    told as (
        insert into quarantine.problem_event (problem_id, event, done_by, reason, until_on)
        select
            w.problem_id,
            'waived',
            $2,
            $3,
            $4
        from waived as w
        returning event_id
    )

    select count(*)
    from told
$$;
comment on function quarantine.waive is '豁免问题数据，返回条数';

-- Written off by a person: corrected problem records, and records that are waived for good; returns how many.
create or replace function quarantine.write_off(of_problems bigint[], who text, why text)
returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    with closed as (
        update quarantine.problem_row as q
        set
            status = 'closed',
            solution = coalesce(q.solution, 'waived'),
            solved_at = coalesce(q.solved_at, now()),
            closed_at = now(),
            updated_at = now()
        where
            q.problem_id = any($1)
            and (q.status = 'corrected' or (q.status = 'waived' and q.waived_until is null))
        returning q.problem_id
    ),

    told as (
        insert into quarantine.problem_event (problem_id, event, done_by, reason)
        select
            c.problem_id,
            'closed',
            $2,
            $3
        from closed as c
        returning event_id
    )

    select count(*)
    from told
$$;
comment on function quarantine.write_off is '销号问题数据，返回条数';

create or replace function quarantine.record_download(
    of_return bigint, file_name text, who text, file_digest text
)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into quarantine.hand_over (return_id, channel, item, handed_over_by, sha256)
    values ($1, 'download', $2, $3, $4)
$$;
comment on function quarantine.record_download is '记下一次退回文件的下载';

create or replace function clearance.record_opening(of_list bigint, who text)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into clearance.opened (list_id, login)
    values ($1, $2)
    on conflict do nothing
$$;
comment on function clearance.record_opening is '记下账号首次打开一版清单';

-- 通报: a department was notified of an entry of the problem ledger; returns how many entries of that number stand.
create or replace function review.record_notification(number_of_entry text, who text, on_day date)
returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    with notified as (
        update review.ledger_entry as e
        set
            notified_on = $3,
            notified_by = $2
        where e.entry_no = $1 and e.written_off_on is null
        returning e.entry_id
    )

    select count(*)
    from notified
$$;
comment on function review.record_notification is '登记一次通报，返回条目数';
