-- Whether a column holds anything but blanks.
select exists(
        select from text_row
        where {column} <> '' and btrim({column}, e' \t\n\r\u3000\u00a0\u200b\ufeff') <> ''
    )
