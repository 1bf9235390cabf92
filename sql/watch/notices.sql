-- name: told
select
    finding_key,
    urgency,
    text,
    state
from watch.told
where channel = %(channel)s;

-- name: record_told
insert into watch.told (channel, finding_key, urgency, text, state)
select
    %(channel)s,
    f.finding_key,
    f.urgency,
    f.text,
    f.state
from unnest(%(keys)s::text[], %(urgencies)s::text[], %(texts)s::text[], %(states)s::text[])
        as f (finding_key, urgency, text, state)
on conflict (channel, finding_key) do update set
    urgency = excluded.urgency,
    text = excluded.text,
    state = excluded.state,
    told_at = clock_timestamp();

-- name: forget_told
delete from watch.told
where channel = %(channel)s and finding_key <> all(%(keys)s::text[]);

-- name: record_message
insert into watch.message (channel, title, lines, failure)
values (%(channel)s, %(title)s, %(lines)s, %(failure)s);

-- name: messages
select
    channel,
    title,
    sent_at,
    failure
from watch.message
order by message_id desc
limit %(limit)s;

-- name: forget_messages
delete from watch.message
where sent_at < now() - interval '400 days';
