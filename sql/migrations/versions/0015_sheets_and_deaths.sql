-- What became of each sheet of a workbook; null for what is no workbook.
alter table ledger.batch add column sheets jsonb;
comment on column ledger.batch.sheets is '工作簿各工作表：name，rows，first_row_no（行号自此之上起算），skipped 未读取的原因';
-- A step that begins says so, and when it has ended, well or not. One that is found begun has died.
alter table ledger.batch add column begun_step text check (begun_step in ('stage', 'validate', 'load'));
alter table ledger.batch add column step_deaths integer not null default 0;
comment on column ledger.batch.step_deaths is 'begun_step 中途终止的次数，满三次整批退回';
