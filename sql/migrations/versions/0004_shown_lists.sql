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

-- Rates are shown by service item, with its name.
create table clearance.service_item (
    service_item_code text collate "C" primary key,
    service_item_name text collate "C" not null
);
comment on table clearance.service_item is '事项编码与最近一次所见的事项名称，供比率按事项列示';
insert into clearance.service_item (service_item_code, service_item_name)
select distinct on (service_item_code)
    service_item_code,
    service_item_name
from store.service_case
where service_item_code is not null and service_item_name is not null
order by service_item_code asc, source_updated_at desc nulls last, record_key asc;

-- What ended alone is looked for by its end; what stands has none, and a million of it cost an index nothing.
drop index clearance.entry_until;
create index entry_until on clearance.entry (until_list) where until_list is not null;
