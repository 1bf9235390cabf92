-- Kept, because counting reads the whole store: a page must not do that, and weeks can be compared.
create table stock.collection_rate (
    day date not null,
    department text collate "C" not null,
    license_type text collate "C" not null,
    -- Of issue; 0 where nobody told it.
    year integer not null,
    collected bigint not null,
    lacking_of_cases bigint not null,
    lacking_of_problems bigint not null,
    lacking_of_comparison bigint not null,
    primary key (day, department, license_type, year)
);
comment on table stock.collection_rate is '归集率：每次统计、每部门、每类型、每年份一行；应归集＝已归集＋待归集';
comment on column stock.collection_rate.collected is '应归集且在库：2019年以来颁发的，或仍有效的，或办件结果所载的';
comment on column stock.collection_rate.lacking_of_cases is '待归集：办件结果所载而库中没有';
comment on column stock.collection_rate.lacking_of_problems is '待归集：因问题数据未入库';
comment on column stock.collection_rate.lacking_of_comparison is '待归集：比对发现来源有而库中没有';
