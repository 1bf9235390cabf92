-- Whether a column holds anything but blanks.
select exists(
    select from text_row
    where {name} <> '' and btrim({name}, e' \t\n\r\u3000\u00a0\u200b\ufeff') <> ''
)
