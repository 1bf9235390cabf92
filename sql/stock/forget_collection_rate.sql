delete from stock.collection_rate
where day = %(day)s
