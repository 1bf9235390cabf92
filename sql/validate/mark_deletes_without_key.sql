-- The suites look at certificates as they are; of a row that deletes one, only the key matters.
insert into mark (row_no, critical, warning)
select
    row_no,
    array['certificate.certificate_key.present'],
    '{}'
from certificate
where removes and certificate_key is null
