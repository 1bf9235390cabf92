-- docs/decisions/0041: its parameter last_shown was taken for the column clearance.list.last_shown. A function whose
-- parameters are named otherwise cannot replace it.
drop function if exists clearance.listings_before(text, bigint, date, bigint);

-- docs/decisions/0043: 日清率 as it was counts what was finished after the working cut-off in its denominator alone. The
-- other reading counts what was finished until then.
alter table clearance.rate_count add column early_unrated bigint not null default 0;
alter table clearance.rate_count add column early_cleared bigint not null default 0;
comment on column clearance.rate_count.early_unrated is '当日工作清单截止前办结、截止时未评的办件服务';
comment on column clearance.rate_count.early_cleared is '其中当日 24 时之前已由本人评价的';
-- Counted anew, and by docs/decisions/0042: 24:00 of a day belongs to the next.
insert into clearance.touched_day (day)
select distinct day
from clearance.rate_count;

-- What a version of a list shows is what was known when it was published: the batches that were taken in before it.
alter table clearance.applied_batch add column before_list bigint;
update clearance.applied_batch as a
set before_list = coalesce(
    (
        select min(l.list_id)
        from clearance.list as l
        where l.published_at >= a.applied_at
    ),
    (
        select coalesce(max(l.list_id), 0) + 1
        from clearance.list as l
    )
);
alter table clearance.applied_batch alter column before_list set not null;
-- Why each row left, as it was told: the facts go on. Lists published before have their counts alone.
create table clearance.departure (
    list_id bigint not null,
    record_key text collate "C" not null,
    reason text collate "C" not null check (reason in ('cleared', 'withdrawn', 'archived')),
    primary key (list_id, record_key)
);
comment on table clearance.departure is '上一日终版清单所列、本版不再列出的办件服务及其原因，按发布时所知';

create index evaluation_history_bad on store.evaluation_history (evaluated_at)
where level in ('dissatisfied', 'very_dissatisfied') and is_effective = 'yes';
comment on column clearance.applied_batch.before_list is
'计入时下一版清单的编号：编号不小于它的各版清单发布时已知此批';
