-- What a list is judged against is what was out before its day: corrections made with it are not.
alter table clearance.list add column last_shown bigint;
comment on column clearance.list.last_shown is
'本日首张清单发布之前已发布的最后一版：结转与重现只对照到它为止，无则为 0';
update clearance.list as l
set last_shown = f.first_list - 1
from (
    select
        day,
        min(list_id) as first_list
    from clearance.list
    group by day
) as f
where l.day = f.day;
alter table clearance.list alter column last_shown set not null;
comment on column clearance.list.yesterday_list is
'判断结转、重现所对照的上一日终版清单版本：本日首张清单发布之前最新的一版，本日各版相同';
drop function if exists clearance.listings_before(text, bigint, date);
