-- The rows that delete a certificate: few rules are asked of them.
create view deleting_certificate as
select *
from certificate
where removes
