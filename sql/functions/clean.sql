-- Cleaning, set by set. Each function is one expression, so that the planner inlines it; an argument that an
-- expression uses more than once must be a plain column, which `zhengku.stage.cleaning` sees to.

create schema if not exists clean;

-- Volatile on purpose: the planner does not fold a subquery that calls it into the query around it. It is inlined
-- afterwards and costs nothing. ("offset 0" would do the same, but keeps parallel workers out.)
create or replace function clean.fence() returns boolean
language sql volatile parallel safe
return true;

-- The bytes of a text, for the cheap looks at it. In a database in UTF-8 with a client in UTF-8 (`SESSION_OPTIONS`) it
-- is those that are stored. convert_to() gives the same for three times the time: it looks the encoding up by name.
create or replace function clean.bytes_of(value text) returns bytea
language sql stable parallel safe
return textsend(value);

-- What spreadsheets put around a value to say that it is a text, ="0042" and '0042, in text that is trimmed: where it
-- can be nothing else. An apostrophe may begin a name.
create or replace function clean.unmarked(trimmed text) returns text
language sql immutable parallel safe
return case
    when trimmed ~ '^''?="+[^"]*"+$'
        then btrim(substring(trimmed from '="+([^"]*)"+$'), e' \t\n\r\u3000\u00a0\ufeff\u200b''')
    when trimmed ~ '^''([0-9\u4e00-\u9fff][^'']*)?$' then substr(trimmed, 2)
    else trimmed
end;

-- The same in a code, of which no such mark is a part; some put it on both sides.
create or replace function clean.unmarked_code(half_width text) returns text
language sql immutable parallel safe
return case
    when half_width ~ '^[''\u2018\u2019`]*="+[^"]*"+$'
        then btrim(substring(half_width from '="+([^"]*)"+$'), e'''\u2018\u2019`')
    when half_width ~ '^[''\u2018\u2019`]' then btrim(half_width, e'''\u2018\u2019`')
    else half_width
end;

-- Blanks of every width around a value, and the marks of a text.
create or replace function clean.trimmed(value text) returns text
language sql stable parallel safe
return case
    -- No byte with which a blank or a mark begins or ends: trimming bytes costs a part of trimming characters.
    when octet_length(btrim(clean.bytes_of(value), '\x20090a0d80a0bfe3c2efe28b273d'::bytea)) = octet_length(value)
        then value
    when position('\x27'::bytea in clean.bytes_of(value)) = 0 and position('\x3d'::bytea in clean.bytes_of(value)) = 0
        then btrim(value, e' \t\n\r\u3000\u00a0\ufeff\u200b')
    else clean.unmarked(btrim(value, e' \t\n\r\u3000\u00a0\ufeff\u200b'))
end;

-- The words that exports write for "nothing" (domain: "NULL", "N/A").
create or replace function clean.without_null_word(trimmed text) returns text
language sql immutable parallel safe
return case
    -- None of the words is longer, and most values are.
    when octet_length(trimmed) > 6 then trimmed
    when lower(trimmed) in ('', 'null', '(null)', '<null>', 'n/a', '-', '--', '/') then null
    else trimmed
end;

-- Full-width letters, digits and brackets become half-width. Only text that holds something wide pays for it.
create or replace function clean.half_width(trimmed text) returns text
language sql stable parallel safe
return case
    when octet_length(trimmed) = length(trimmed) then trimmed
    -- The first byte of \uff01 to \uff5e, and the bytes of the two blanks: cheaper to look for than the expression is.
    when position('\xef'::bytea in clean.bytes_of(trimmed)) = 0
        and position('\xc2a0'::bytea in clean.bytes_of(trimmed)) = 0
        and position('\xe38080'::bytea in clean.bytes_of(trimmed)) = 0
        then trimmed
    when trimmed ~ '[\u00a0\u3000\uff01-\uff5e]' then normalize(trimmed, nfkc)
    else trimmed
end;

-- A code has no blanks inside and no lower-case letters ("x" at the end of an identity number). Most codes come clean.
create or replace function clean.code(half_width text) returns text
language sql stable parallel safe
return case
    when ltrim(clean.bytes_of(half_width), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-'::bytea) = '' then half_width
    -- A byte with which a mark of a text begins.
    when octet_length(ltrim(clean.bytes_of(half_width), '\x27603de2'::bytea)) < octet_length(half_width)
        then upper(translate(clean.unmarked_code(half_width), e' \t\n\r\u3000\u00a0\ufeff\u200b', ''))
    else upper(translate(half_width, e' \t\n\r\u3000\u00a0\ufeff\u200b', ''))
end;

-- Digits are written [0-9]: under some locales \d also takes digits of other scripts, which no cast accepts.
-- A date as the number yyyymmdd, from one form; null when the text is not of that form. A time behind it is dropped,
-- but not when it names a zone: then the day would be a guess.
create or replace function clean.date_iso(half_width text) returns integer
language sql stable parallel safe
return case
    -- The form that most systems write, without a regular expression, which costs more than all the rest.
    when half_width like '____-__-__' and half_width not like '%-%-%-%'
        and ltrim(clean.bytes_of(half_width), '0123456789-'::bytea) = ''
        then replace(half_width, '-', '')::integer
    when half_width ~ '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?$'
        then split_part(half_width, '-', 1)::integer * 10000 + split_part(half_width, '-', 2)::integer * 100
            + substring(split_part(half_width, '-', 3) from '^[0-9]+')::integer
end;

create or replace function clean.date_slash(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[0-9]{4}([/.])[0-9]{1,2}\1[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?$'
        then substring(half_width from '^[0-9]+')::integer * 10000
            + substring(half_width from '^[0-9]+.([0-9]+)')::integer * 100
            + substring(half_width from '^[0-9]+.[0-9]+.([0-9]+)')::integer
end;

create or replace function clean.date_compact(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[0-9]{8}([0-9]{6}|[ T]?[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?$'
        then left(half_width, 8)::integer
end;

create or replace function clean.date_chinese(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日'
        '( ?[0-9]{1,2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?|[时点][0-9]{1,2}分?([0-9]{1,2}秒?)?))?$'
        then substring(half_width from '^[0-9]+')::integer * 10000
            + substring(half_width from '年([0-9]+)')::integer * 100
            + substring(half_width from '月([0-9]+)')::integer
end;

-- Days since 1899-12-30, as spreadsheets count; from 1927 to 2119, so that a year or a code is not taken for one.
create or replace function clean.date_spreadsheet_serial(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[1-7][0-9]{4}([.][0-9]+)?$'
        then (
            extract(year from date '1899-12-30' + left(half_width, 5)::integer) * 10000
            + extract(month from date '1899-12-30' + left(half_width, 5)::integer) * 100
            + extract(day from date '1899-12-30' + left(half_width, 5)::integer)
        )::integer
end;

-- yyyymmdd as a date; null where the calendar has no such day.
create or replace function clean.date_from_number(yyyymmdd integer) returns date
language sql immutable parallel safe
return case
    when yyyymmdd < 10101 or yyyymmdd / 100 % 100 not between 1 and 12 or yyyymmdd % 100 not between 1 and 31 then null
    when yyyymmdd % 100 <= 28 then make_date(yyyymmdd / 10000, yyyymmdd / 100 % 100, yyyymmdd % 100)
    when
        yyyymmdd % 100
        <= extract(day from make_date(yyyymmdd / 10000, yyyymmdd / 100 % 100, 1) + interval '1 month - 1 day')
        then make_date(yyyymmdd / 10000, yyyymmdd / 100 % 100, yyyymmdd % 100)
end;

-- Seconds since midnight of the time that stands behind a date; 0 without one; null for a time that no clock shows.
create or replace function clean.seconds_of_day(half_width text) returns double precision
language sql immutable parallel safe
return case
    when half_width ~ '[ T日]([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?$'
        then substring(half_width from '([0-9]{1,2}):')::double precision * 3600
            + substring(half_width from ':([0-9]{2})')::double precision * 60
            + coalesce(substring(half_width from ':[0-9]{2}:([0-9.]+)$')::double precision, 0)
    when half_width ~ '^[0-9]{8}([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$'
        then substring(half_width from 9 for 2)::double precision * 3600
            + substring(half_width from 11 for 2)::double precision * 60
            + substring(half_width from 13 for 2)::double precision
    when half_width !~ '[:时点]|^[0-9]{14}$' then 0
end;

-- "No end": the words that systems write for a validity without end. The far days are told once they are read as days.
create or replace function clean.is_without_end(half_width text) returns boolean
language sql immutable parallel safe
return half_width in (
    '长期', '长期有效', '永久', '永久有效', '无固定期限', '无期限', '不约定期限'
);
