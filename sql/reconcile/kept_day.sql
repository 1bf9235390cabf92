create temporary table kept_day on commit drop as
select *
from reconciliation.store_day
