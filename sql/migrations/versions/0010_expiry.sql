create schema stock;

-- Kept, because counting reads the whole store: a page must not do that, and weeks can be compared.
create table stock.expiry (
    day date not null,
    department text collate "C" not null,
    license_type text collate "C" not null,
    later bigint not null,
    endless bigint not null,
    expiring bigint not null,
    expired bigint not null,
    expired_as_valid bigint not null check (expired_as_valid <= expired),
    expiring_days integer not null,
    primary key (day, department, license_type)
);
comment on table stock.expiry is '在库证照按有效期的条数：每次统计、每部门、每类型一行';
comment on column stock.expiry.later is '有效期截止于 expiring_days 日之后';
comment on column stock.expiry.endless is '长期有效，或未填有效期截止日期';
comment on column stock.expiry.expiring is '临期：截止日期在统计日起 expiring_days 日内';
comment on column stock.expiry.expired is '已过期：截止日期早于统计日，或状态为过期';
comment on column stock.expiry.expired_as_valid is '已过期而状态仍为有效';
