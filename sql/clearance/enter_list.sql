-- A version of a list before its rows; count_list.sql completes it in the same transaction.
insert into clearance.list (
    list_id, day, kind, version, cutoff_at, published_at, is_trunk, base_list, corrections, yesterday_list,
    last_shown, oldest_finish, calendar_id, calendar_note, archive_after_working_days, deadline_working_days, stale
)
values (
    %(list_id)s, %(day)s, %(kind)s, %(version)s, %(cutoff_at)s, %(published_at)s, %(is_trunk)s, %(base_list)s,
    %(corrections)s, %(yesterday_list)s, %(last_shown)s, %(oldest_finish)s, %(calendar_id)s, %(calendar_note)s,
    %(archive_after_working_days)s, %(deadline_working_days)s, %(stale)s
)
