delete from stock.expiry
where day = %(day)s
