-- name: quarantine
-- Rows that cannot be used, stored as they came. A row that is wrong in the same way again is the same problem record;
-- the place distinguishes identical wrong rows of one batch. A replay opens no problem record that was settled since.
with problem as (
    select
        m.row_no,
        m.critical as rules,
        c.record_key,
        c.version_at,
        delivered.payload,
        null::bytea as payload_bytes,
        null::bigint as payload_length,
        null::bigint as payload_offset,
        null::text as payload_sha256,
        md5(delivered.payload::text) as content,
        null::text as detail
    from mark as m
    inner join outcome as o on m.row_no = o.row_no
    inner join staged_row as c on m.row_no = c.row_no
    inner join failed_text as t on m.row_no = t.row_no
    cross join
        lateral (
            select jsonb_object_agg(d.name, to_jsonb(t) ->> ('c' || d.place)) as payload
            from delivered_column as d
        ) as delivered
    where o.outcome = 'quarantined'
    union all
    select
        b.row_no,
        array[b.rule_id] as rules,
        null as record_key,
        null as version_at,
        null as payload,
        b.payload as payload_bytes,
        b.byte_length as payload_length,
        b.byte_offset as payload_offset,
        b.sha256 as payload_sha256,
        b.sha256 as content,
        b.detail
    from bad_row as b
),

placed as (
    select
        p.*,
        row_number() over (partition by p.content, p.rules order by p.row_no) as place
    from problem as p
)

insert into quarantine.problem_row as q (
    department, feed, dataset, license_type, record_key, first_batch_id, first_row_no, last_batch_id, last_row_no,
    rules, reasons, payload, payload_bytes, payload_length, payload_offset, payload_sha256, fingerprint,
    version_at, opened_at, first_opened_at, updated_at
)
select
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    p.record_key,
    %(batch_id)s,
    p.row_no,
    %(batch_id)s,
    p.row_no,
    p.rules,
    case
        when p.detail is not null then array[p.detail]
        else array(
                select coalesce(%(reasons)s::jsonb ->> r.rule_id, r.rule_id)
                from unnest(p.rules) with ordinality as r (rule_id, place)
                order by r.place
            )
    end,
    p.payload,
    p.payload_bytes,
    p.payload_length,
    p.payload_offset,
    p.payload_sha256,
    md5(p.content || array_to_string(p.rules, ',') || p.place),
    p.version_at,
    now(),
    now(),
    now()
from placed as p
where
    not %(is_replay)s
    or not exists (
        select from quarantine.problem_row as settled
        where
            settled.department = %(department)s and settled.feed = %(feed)s
            and settled.fingerprint = md5(p.content || array_to_string(p.rules, ',') || p.place)
            and settled.status in ('corrected', 'closed')
    )
-- Numbered in the order of delivery.
order by p.row_no
on conflict (department, feed, fingerprint) where status in ('open', 'returned', 'waived')
do update set
    -- A held batch that is released late is not the last one, and a redriven row was not delivered again.
    last_batch_id = case
        when %(is_delivery)s then greatest(q.last_batch_id, excluded.last_batch_id) else q.last_batch_id
    end,
    last_row_no = case
        when %(is_delivery)s and excluded.last_batch_id > q.last_batch_id then excluded.last_row_no else q.last_row_no
    end,
    version_at = greatest(q.version_at, excluded.version_at),
    times_seen = q.times_seen + %(is_delivery)s::boolean::integer,
    updated_at = now();
