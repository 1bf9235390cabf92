-- A landed file goes the road again in two forms: whole (replay), or its unsolved problem records alone (reread).
alter table ledger.batch drop constraint batch_origin_check;
update ledger.batch set origin = 'reread'
where origin = 'replay';
alter table ledger.batch add constraint batch_origin_check
check (origin in ('delivery', 'replay', 'redrive', 'reread', 'reconciliation'));
comment on column ledger.batch.origin is
'delivery 部门送来；replay 原落地文件整批重走；redrive 由留存的问题数据重走；reread 由原落地文件中的问题数据重走；'
'reconciliation 比对发现的差异';
