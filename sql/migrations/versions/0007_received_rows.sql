-- What was received of a row in the store, so that it is recognised when it comes again before it is read and
-- validated once more: docs/decisions/0027.
create table ledger.warning_set (
    warning_set integer generated always as identity primary key,
    rules text[] not null unique check (cardinality(rules) > 0)
);
comment on table ledger.warning_set is '入库而有警告的行：警告规则的组合';

alter table ledger.batch add column recognised bigint not null default 0;
alter table ledger.batch add column recognised_after bigint;
comment on column ledger.batch.recognised is '与库中现有版本来时逐字相同、未再清洗和校验的行数，计入未变';
comment on column ledger.batch.recognised_after is '认出这些行时，此前写过同一类型的批次数';

alter table store.certificate add column received_hash bigint;
alter table store.certificate add column warning_set integer;
alter table store.service_case add column received_hash bigint;
alter table store.service_case add column warning_set integer;
alter table store.evaluation add column received_hash bigint;
alter table store.evaluation add column warning_set integer;
comment on column store.certificate.received_hash is '来时各列原文的散列，含当时的配置';
comment on column store.certificate.warning_set is '当时的警告';
