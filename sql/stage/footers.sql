-- name: may_be_footer
-- Rows that may be sums or remarks below a table: by the first two characters of the first cell that is not empty,
-- where there is one, or by a word in one of the first cells where the key is short and has few digits. Every row gets
-- these tests, the cheapest first; Python decides about the rows that match.
select
    row_no,
    array[{cells}]
from text_row
where
    (
        (c1 is null or left(c1, 1) = any(%(firsts)s::text[]))
        and coalesce(left(ltrim({first}, %(blanks)s), 2) = any(%(begins)s::text[]), true)
    )
    or (
        octet_length({keys}) < 12
        and octet_length({keys}) - octet_length(translate({keys}, '0123456789', '')) < 5
        and translate(concat({first_cells}), %(blanks)s, '') ~* %(words)s
    );

-- name: forget_text_rows
delete from text_row
where row_no = any(%(rows)s::bigint[]);
