-- Which versions of a list a login has opened: the page says what changed since the last of them.
create table clearance.opened (
    list_id bigint not null references clearance.list (list_id),
    login text collate "C" not null check (btrim(login) <> ''),
    opened_at timestamptz not null default clock_timestamp(),
    primary key (list_id, login)
);
comment on table clearance.opened is '账号首次打开（或下载）清单各版次的时间，用于提示上次打开以来的变动';
