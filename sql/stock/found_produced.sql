-- Which of the certificates that cases produced are in the store, under their number. One that was removed since does
-- not lack: its department said that it is no more.
create temporary table produced_in_store on commit drop as
select distinct
    p.license_type,
    p.certificate_number,
    p.other_name,
    s.record_key
from pg_temp.produced as p
inner join store.certificate as s
    on
        p.license_type = s.license_type
        and clean.comparison(p.certificate_number) = clean.comparison(s.certificate_number)
where p.other_name is null or p.other_name in (s.license_type_name, s.certificate_name)
