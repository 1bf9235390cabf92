-- Dates and times, from half-width text. A value that cannot be read is null, and never an error.

-- Digits are written [0-9]: under some locales \d also matches digits of other scripts, which no cast accepts.
-- Whether a time ends with a time zone. Names do not count: CST may be one of three zones. A name in brackets only
-- repeats the offset before it.
create or replace function clean.has_zone(half_width text) returns boolean
language sql immutable parallel safe
return case
    -- The shortest time with a zone is 20210304T1600Z, and most times have none.
    when octet_length(half_width) < 14 or half_width like '____-__-__ __:__:__' then false
    else half_width ~ '(:[0-9]{2}([.,][0-9]+)?|T[0-9]{4}([0-9]{2})?) ?'
        '([+-](0[0-9]|1[0-4])(:?[0-5][0-9]){0,2}|[Zz]|UTC|GMT)'
        '( ?\[[A-Za-z_/]+\])?$'
end;

create or replace function clean.without_zone(half_width text) returns text
language sql immutable parallel safe
return case
    when not clean.has_zone(half_width) then half_width
    else regexp_replace(half_width, ' ?([+-](0[0-9]|1[0-4])(:?[0-5][0-9]){0,2}|[Zz]|UTC|GMT)( ?\[[A-Za-z_/]+\])?$', '')
end;

-- An offset like +0800, -0330 or +08 in seconds east of Greenwich.
create or replace function clean.offset_seconds(zone text) returns integer
language sql immutable parallel safe
return case when zone like '-%' then -1 else 1 end * (
    3600 * substr(zone, 2, 2)::integer
    + 60 * substr(rpad(zone, 7, '0'), 4, 2)::integer
    + substr(rpad(zone, 7, '0'), 6, 2)::integer
);

-- The zone's seconds east of Greenwich; null without one.
create or replace function clean.zone_seconds(half_width text) returns integer
language sql immutable parallel safe
return case
    when not clean.has_zone(half_width) then null
    when half_width ~ '([Zz]|UTC|GMT)( ?\[[A-Za-z_/]+\])?$' then 0
    else clean.offset_seconds(translate(substring(half_width from '([+-][0-9:]+)( ?\[[A-Za-z_/]+\])?$'), ':', ''))
end;

-- A date as the number yyyymmdd, from one form; null when the text does not have that form. A time after it is dropped.
create or replace function clean.date_iso(half_width text) returns integer
language sql stable parallel safe
return case
    -- The forms that most systems write, without a regular expression, which would cost more than all other work.
    when half_width like '____-__-__' and half_width not like '%-%-%-%'
        and ltrim(clean.bytes_of(half_width), '0123456789-'::bytea) = ''
        then replace(half_width, '-', '')::integer
    when half_width like '____-__-__ __:__:__'
        and translate(half_width, '123456789', '000000000') = '0000-00-00 00:00:00'
        then replace(left(half_width, 10), '-', '')::integer
    when half_width ~ '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}'
        '([ T] ?(上午|早上|凌晨|中午|下午|傍晚|晚上)? ?[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?[AaPp][Mm])?)?$'
        then split_part(half_width, '-', 1)::integer * 10000 + split_part(half_width, '-', 2)::integer * 100
            + substring(split_part(half_width, '-', 3) from '^[0-9]+')::integer
end;

create or replace function clean.date_slash(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[0-9]{4}([/.])[0-9]{1,2}\1[0-9]{1,2}'
        '([ T] ?(上午|早上|凌晨|中午|下午|傍晚|晚上)? ?[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?[AaPp][Mm])?)?$'
        then substring(half_width from '^[0-9]+')::integer * 10000
            + substring(half_width from '^[0-9]+.([0-9]+)')::integer * 100
            + substring(half_width from '^[0-9]+.[0-9]+.([0-9]+)')::integer
end;

-- A numeric column writes such a date as 20210304.0, or as 2.0210304E7.
create or replace function clean.date_compact(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[0-9]{8}'
        '([.]0+|T?[0-9]{6}([.][0-9]+)?|T[0-9]{4}|[ T]?[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?$'
        then left(half_width, 8)::integer
    when half_width ~ '^[12][.][0-9]{7}[Ee][+]?0?7$' then replace(left(half_width, 9), '.', '')::integer
end;

create or replace function clean.date_chinese(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[0-9]{4} *年 *[0-9]{1,2} *月 *[0-9]{1,2} *[日号]( *(星期|周)[一二三四五六日天])?'
        '( *(上午|早上|凌晨|中午|下午|傍晚|晚上)? *[0-9]{1,2}'
        '(:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?|[时点](半|[0-9]{1,2}分?([0-9]{1,2}秒?)?)?))?$'
        then substring(half_width from '^[0-9]+')::integer * 10000
            + substring(half_width from '年 *([0-9]+)')::integer * 100
            + substring(half_width from '月 *([0-9]+)')::integer
end;

-- A number up to 99 in Chinese numerals or in digits; null for any other text.
create or replace function clean.chinese_number(numerals text) returns integer
language sql immutable parallel safe
return case
    when numerals ~ '^[0-9]{1,2}$' then numerals::integer
    when numerals ~ '^[1-9]?十[1-9]?$'
        then 10 * coalesce(nullif(split_part(numerals, '十', 1), ''), '1')::integer
            + coalesce(nullif(split_part(numerals, '十', 2), ''), '0')::integer
    when numerals ~ '^[廿卅][1-9]?$'
        then case left(numerals, 1) when '廿' then 20 else 30 end
            + coalesce(nullif(substr(numerals, 2), ''), '0')::integer
end;

-- 二〇一九年一月一日, with every sign that is used for zero, and with the numerals of cheques.
create or replace function clean.date_chinese_numerals(half_width text) returns integer
language sql immutable parallel safe
return case
    when half_width ~ '^[〇○Oo０零0一二三四五六七八九壹贰叁肆伍陆柒捌玖1-9]{4}年.{1,3}月.{1,3}[日号]$'
        then translate(left(half_width, 4), '〇○Oo０零一二三四五六七八九壹贰叁肆伍陆柒捌玖', '000000123456789123456789')::integer
            * 10000
            + 100 * clean.chinese_number(
                translate(
                    substring(half_width from '年(.+)月'),
                    '〇○零一二三四五六七八九壹贰叁肆伍陆柒捌玖拾正元',
                    '000123456789123456789十11'
                )
            )
            + clean.chinese_number(
                translate(
                    substring(half_width from '月(.+)[日号]$'),
                    '〇○零一二三四五六七八九壹贰叁肆伍陆柒捌玖拾初',
                    '000123456789123456789十'
                )
            )
end;

-- Seconds since 1970-01-01 00:00 in Greenwich, of nine or ten digits (1973 to 2286: fewer may be a compact date), or
-- milliseconds, of twelve or thirteen, so that neither is taken for the other.
create or replace function clean.epoch_moment(half_width text) returns timestamptz
language sql immutable parallel safe
return case
    when half_width ~ '^-?[0-9]{9,10}([.][0-9]{1,9})?$' then to_timestamp(half_width::double precision)
    when half_width ~ '^-?[0-9]{12,13}([.]0+)?$' then to_timestamp(half_width::double precision / 1000)
end;

create or replace function clean.date_epoch_seconds(half_width text) returns integer
language sql stable parallel safe
return case
    when half_width ~ '^-?[0-9]{9,10}([.][0-9]{1,9})?$'
        then to_char(clean.epoch_moment(half_width) at time zone 'Asia/Shanghai', 'YYYYMMDD')::integer
end;

create or replace function clean.date_epoch_milliseconds(half_width text) returns integer
language sql stable parallel safe
return case
    when half_width ~ '^-?[0-9]{12,13}([.]0+)?$'
        then to_char(clean.epoch_moment(half_width) at time zone 'Asia/Shanghai', 'YYYYMMDD')::integer
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
    when
        yyyymmdd not between 10101 and 99991231
        or yyyymmdd / 100 % 100 not between 1 and 12
        or yyyymmdd % 100 not between 1 and 31
        then null
    when yyyymmdd % 100 <= 28 then make_date(yyyymmdd / 10000, yyyymmdd / 100 % 100, yyyymmdd % 100)
    when
        yyyymmdd % 100
        <= extract(day from make_date(yyyymmdd / 10000, yyyymmdd / 100 % 100, 1) + interval '1 month - 1 day')
        then make_date(yyyymmdd / 10000, yyyymmdd / 100 % 100, yyyymmdd % 100)
end;

-- The hour of the day for a word and a number; null where it may be either of two (晚上1时, 上午12时).
create or replace function clean.hour_of_day(part text, hour integer) returns integer
language sql immutable parallel safe
return case
    when part is null then hour
    when part = 'AM' then case when hour <= 12 then hour % 12 end
    when part = 'PM' then case when hour between 1 and 12 then hour % 12 + 12 when hour between 13 and 23 then hour end
    when part in ('上午', '早上', '凌晨') then case when hour <= 11 then hour end
    when part = '中午' then case when hour in (11, 12) then hour when hour in (1, 2, 13, 14) then 12 + hour % 12 end
    when part = '下午' then case when hour between 1 and 11 then hour + 12 when hour between 12 and 23 then hour end
    when part in ('傍晚', '晚上', '晚')
        then case when hour between 5 and 11 then hour + 12 when hour between 17 and 23 then hour end
end;

-- Seconds since midnight of a time in words: 下午3时, 15时30分, 3:00 PM; null for a time that does not exist.
create or replace function clean.seconds_in_words(half_width text) returns double precision
language sql immutable parallel safe
begin atomic
    select case when told.seconds <= 86400 then told.seconds end
    from (
        select
            clean.hour_of_day(coalesce(t.parts[1], upper(t.parts[6])), t.parts[2]::integer) * 3600::double precision
            + case when t.parts[4] is not null then 30 else coalesce(t.parts[3]::integer, 0) end * 60
            + coalesce(t.parts[5]::double precision, 0) as seconds
        from (
            select regexp_match(
                half_width,
                '[ T日号一二三四五六天] *(上午|早上|凌晨|中午|下午|傍晚|晚上)? *([0-9]{1,2})'
                '[:时点](?:([0-5]?[0-9])分?|(半))?(?::?([0-5]?[0-9](?:[.][0-9]{1,9})?)秒?)? ?([AaPp][Mm])?$'
            ) as parts
        ) as t
    ) as told;
end;

-- Seconds since midnight from the fraction of a spreadsheet's day: 44260.75 is 18:00. Null for other values.
create or replace function clean.seconds_of_serial(half_width text) returns double precision
language sql immutable parallel safe
return case
    when half_width ~ '^[0-9]{5}[.][0-9]{1,15}$'
        then round(('0.' || split_part(half_width, '.', 2))::numeric * 86400)::double precision
end;

-- Seconds since midnight of the time after a date; 0 without one; null for a time that does not exist. The end of a
-- day, 24:00, is the start of the next.
create or replace function clean.seconds_of_day(half_width text) returns double precision
language sql immutable parallel safe
return case
    when half_width like '____-__-__ __:__:__'
        and translate(half_width, '123456789', '000000000') = '0000-00-00 00:00:00'
        and substr(half_width, 12, 2) < '24' and substr(half_width, 15, 2) < '60' and substr(half_width, 18, 2) < '60'
        then (
            substr(half_width, 12, 2)::integer * 3600 + substr(half_width, 15, 2)::integer * 60
            + substr(half_width, 18, 2)::integer
        )::double precision
    when half_width ~ '([0-9][ T]|[日号])([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?$'
        then substring(half_width from '([0-9]{1,2}):')::double precision * 3600
            + substring(half_width from ':([0-9]{2})')::double precision * 60
            + coalesce(
                replace(substring(half_width from ':[0-9]{2}:([0-9.,]+)$'), ',', '.')::double precision, 0
            )
    when half_width ~ '([0-9][ T]|[日号])24:00(:00([.,]0+)?)?$' then 86400
    when half_width ~ '^[0-9]{8}T?([01][0-9]|2[0-3])[0-5][0-9]([0-5][0-9]([.][0-9]{1,9})?)?$'
        then substring(half_width from '^[0-9]{8}T?([0-9]{2})')::double precision * 3600
            + substring(half_width from '^[0-9]{8}T?[0-9]{2}([0-9]{2})')::double precision * 60
            + coalesce(substring(half_width from '^[0-9]{8}T?[0-9]{4}([0-9.]+)$')::double precision, 0)
    when half_width !~ '[:时点]|^[0-9]{8}T?[0-9]{4}' then 0
    when half_width ~ '[ T日号一二三四五六天] *(上午|早上|凌晨|中午|下午|傍晚|晚上)? *[0-9]{1,2}[:时点]'
        then clean.seconds_in_words(half_width)
end;

-- The moment of a day with the time and the zone after it; null for a time that does not exist. Not inlined, like the
-- next function: few systems write a zone.
create or replace function clean.moment(written integer, half_width text) returns timestamptz
language sql immutable parallel safe
return (
    clean.date_from_number(written)::timestamp
    + make_interval(secs => clean.seconds_of_day(clean.without_zone(half_width)) - clean.zone_seconds(half_width))
) at time zone 'UTC';

-- A date without a time, from a system that delivers dates only, is the end of its day: who finished on that day had
-- finished by its end, and it belongs to no other day (decision 0042). A value at 00:00 counts as a date without a
-- time, unless it was delivered as 24:00 of the day before.
create or replace function clean.end_of_bare_day(moment timestamptz, told_seconds double precision) returns timestamptz
language sql stable parallel safe
return case
    when (moment at time zone 'Asia/Shanghai')::time = '00:00' and coalesce(told_seconds, 0) < 86400
        then moment + interval '23:59:59'
    else moment
end;

-- The day in Asia/Shanghai of a time with a zone, as yyyymmdd. The last day of a year that means "no end" stays as it
-- is written.
create or replace function clean.city_day_number(written integer, half_width text) returns integer
language sql stable parallel safe
return case
    when written in (20991231, 99991231) then written
    else to_char(clean.moment(written, half_width) at time zone 'Asia/Shanghai', 'YYYYMMDD')::integer
end;

-- "No end": the words that systems write for a validity without end, and PostgreSQL's value for it. Far days that mean
-- it are recognised after they are read as days.
create or replace function clean.is_without_end(half_width text) returns boolean
language sql immutable parallel safe
return half_width in (
    '长期', '长期有效', '永久', '永久有效', '永久性', '终身', '终身有效', '无固定期限', '无固定期', '无期限', '无限期', '不约定期限',
    'infinity', 'Infinity', 'INFINITY'
);

-- A validity in words (2年, 长期, 2020-05-01至长期) that has no end.
create or replace function clean.is_validity_without_end(half_width text) returns boolean
language sql immutable parallel safe
return half_width ~ '(^|[0-9日] ?[至到~—-]+ ?)(长期|永久|终身|无固定期限?|无期限|无限期|不约定期限)(有效)?$';
