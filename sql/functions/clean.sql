-- Functions for cleaning in sets. Each is one expression, so that the planner inlines it; an argument that an
-- expression uses more than once must be a plain column, which `zhengku.stage.cleaning` ensures.

create schema if not exists clean;

-- Volatile on purpose: the planner does not merge a subquery that calls it into the query around it. It is inlined
-- afterwards and costs nothing. ("offset 0" would do the same, but excludes parallel workers.)
create or replace function clean.fence() returns boolean
language sql volatile parallel safe
return true;

-- The bytes of a text, for cheap tests of single bytes. In a UTF-8 database with a UTF-8 client (`SESSION_OPTIONS`)
-- these are the stored bytes. convert_to() returns the same in three times the time: it looks the encoding up by name.
create or replace function clean.bytes_of(value text) returns bytea
language sql stable parallel safe
return textsend(value);

-- Removes the marks with which spreadsheets say that a value is text, ="0042" and '0042, from trimmed text, where they
-- cannot be part of the value. A name may start with an apostrophe.
create or replace function clean.unmarked(trimmed text) returns text
language sql immutable parallel safe
return case
    when trimmed ~ '^''?="+[^"]*"+$'
        then btrim(substring(trimmed from '="+([^"]*)"+$'), e' \t\n\r\u3000\u00a0\ufeff\u200b''')
    when trimmed ~ '^''([0-9\u4e00-\u9fff][^'']*)?$' then substr(trimmed, 2)
    else trimmed
end;

-- The same for a code, of which no such mark can be a part; some systems write it on both sides.
create or replace function clean.unmarked_code(half_width text) returns text
language sql immutable parallel safe
return case
    when half_width ~ '^[''\u2018\u2019`]*="+[^"]*"+$'
        then btrim(substring(half_width from '="+([^"]*)"+$'), e'''\u2018\u2019`')
    when half_width ~ '^[''\u2018\u2019`]' then btrim(half_width, e'''\u2018\u2019`')
    else half_width
end;

-- What a spreadsheet shows in a cell whose formula fails, or whose column is too narrow for a number: not a value. Most
-- start with "#" (35), those of LibreOffice with "E" (69).
create or replace function clean.is_error_cell(cleaned text) returns boolean
language sql immutable parallel safe
return case
    when ascii(cleaned) <> 35 and ascii(cleaned) <> 69 then false
    -- #REF!, #DIV/0!, #NAME?, in whatever language of the program.
    else cleaned ~* '^(#[A-Z\u00c0-\u024f/0]{2,}[!?]|#(N/A|GETTING_DATA)!?|##+|Err:5[0-9][0-9])$'
end;

-- Blanks and control characters of ASCII.
create or replace function clean.ascii_unseen() returns text
language sql immutable parallel safe
return e' \t\n\r\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c'
'\x1d\x1e\x1f\x7f';

-- Characters that send a text to the slow path of cleaning: control characters, invisible characters, blanks of other
-- widths, and private-use characters. One regular expression costs less than several tests for single bytes.
create or replace function clean.unusual() returns text
language sql immutable parallel safe
return '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f\u0085\u00a0\u00ad\u034f\u061c\u115f\u1160\u180e\u2000-\u200f'
'\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U000e0000-\U000e0fff]';

-- In addition the full-width forms, which are folded in names, codes and dates.
create or replace function clean.unusual_or_wide() returns text
language sql immutable parallel safe
return '[\uff01-\uff5e' || substr(clean.unusual(), 2);

-- Whether a text contains nothing unusual; tested once for all texts of a row, most of which are plain. Its few wide
-- ranges include rare scripts and signs, which only sends these to the slow path: each further range costs time for
-- every character.
create or replace function clean.is_plain(value text) returns boolean
language sql immutable parallel safe
return value !~ '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f\u0085\u00a0\u00ad\u034f\u061c\u0800-\u200f\u2028-\u3000'
'\u3164\ua000-\uff00\uff5f-\U0010ffff]';

-- Characters that were in the private-use area until GB 18030 assigned them a code point: 24 with GB 18030-2022 (18
-- whose code points it moved, 6 ideographs), the others with earlier editions. Systems with older tables still send the
-- private ones. Other characters of that area are somebody's own glyphs, which a rule on names finds.
create or replace function clean.private_use_named(value text) returns text
language sql immutable parallel safe
return translate(
    value,
    e'\ue76c\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7\ue7c8\ue7e7\ue7e8\ue7e9'
    '\ue7ea\ue7eb\ue7ec\ue7ed\ue7ee\ue7ef\ue7f0\ue7f1\ue7f2\ue7f3\ue815\ue816\ue817\ue818\ue819\ue81a'
    '\ue81b\ue81c\ue81d\ue81e\ue81f\ue820\ue821\ue822\ue823\ue824\ue825\ue826\ue827\ue828\ue829\ue82a'
    '\ue82b\ue82c\ue82d\ue82e\ue82f\ue830\ue831\ue832\ue833\ue834\ue835\ue836\ue837\ue838\ue839\ue83a'
    '\ue83b\ue83c\ue83d\ue83e\ue83f\ue840\ue841\ue842\ue843\ue844\ue845\ue846\ue847\ue848\ue849\ue84a'
    '\ue84b\ue84c\ue84d\ue84e\ue84f\ue850\ue851\ue852\ue853\ue854\ue855\ue856\ue857\ue858\ue859\ue85a'
    '\ue85b\ue85c\ue85d\ue85e\ue85f\ue860\ue861\ue862\ue863\ue864',
    e'\u20ac\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f\u01f9\u303e\u2ff0\u2ff1'
    '\u2ff2\u2ff3\u2ff4\u2ff5\u2ff6\u2ff7\u2ff8\u2ff9\u2ffa\u2ffb\u2e81\U00020087\U00020089\U000200cc'
    '\u2e84\u3473\u3447\u2e88\u2e8b\u9fb4\u359e\u361a\u360e\u2e8c\u2e97\u396e\u3918\u9fb5\u39cf\u39df'
    '\u3a73\u39d0\u9fb6\u9fb7\u3b4e\u3c6e\u3ce0\u2ea7\U000215d7\u9fb8\u2eaa\u4056\u415f\u2eae\u4337'
    '\u2eb3\u2eb6\u2eb7\U0002298f\u43b1\u43ac\u2ebb\u43dd\u44d6\u4661\u464c\u9fb9\u4723\u4729\u477c'
    '\u478d\u2eca\u4947\u497a\u497d\u4982\u4983\u4985\u4986\u499f\u499b\u49b7\u49b6\u9fba\U000241fe'
    '\u4ca3\u4c9f\u4ca0\u4ca1\u4c77\u4ca2\u4d13\u4d14\u4d15\u4d16\u4d17\u4d18\u4d19\u4dae\u9fbb'
);

-- A text without invisible characters. Between two Latin letters a blank of another width separates words and becomes a
-- plain one. Characters that a script needs stay: joiners between the letters of Arabic, Indic, Tibetan, Burmese, Khmer
-- and Mongolian, and Mongolian's own separators.
create or replace function clean.without_unseen(value text) returns text
language sql immutable parallel safe
return regexp_replace(
    regexp_replace(
        regexp_replace(
            value,
            '(?<=[A-Za-z\u00c0-\u024f])[\u0085\u2000-\u200a\u2028\u2029\u202f\u205f]+(?=[A-Za-z\u00c0-\u024f])',
            ' ',
            'g'
        ),
        '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f\u0085\u00ad\u034f\u061c\u115f\u1160\u2000-\u200b\u200e\u200f'
        '\u2028-\u202e\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U000e0000-\U000e0fff]',
        '',
        'g'
    ),
    '(?<![\u0600-\u0dff\u0f00-\u109f\u1780-\u18aa\ufb50-\ufdff\ufe70-\ufefc])[\u200c\u200d]'
    '|[\u200c\u200d](?![\u0600-\u0dff\u0f00-\u109f\u1780-\u18aa\ufb50-\ufdff\ufe70-\ufefc])'
    '|(?<![\u1820-\u18aa])[\u180e\u202f]|[\u180e\u202f](?![\u1820-\u18aa])',
    '',
    'g'
);

-- The slow path of `trimmed` and, with the full-width forms (U+FF01 to U+FF5E) and the wide blank folded, of `folded`.
-- Nothing else is folded: ①, Ⅱ, ㎡ and № are characters of their own, and two numbers may differ only by them.
create or replace function clean.tidied(value text) returns text
language sql immutable parallel safe
return btrim(
    translate(clean.without_unseen(clean.private_use_named(value)), e'\u00a0', ' '), e' \t\n\r\u3000'
);

create or replace function clean.folded(value text) returns text
language sql immutable parallel safe
return btrim(
    translate(
        value,
        e'\u00a0\u3000'
        '！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ'
        '［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～',
        '  '
        '!"#$%&''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ'
        '[\]^_`abcdefghijklmnopqrstuvwxyz{|}~'
    ),
    e' \t\n\r'
);

-- Most text to be folded has only a pair of full-width brackets.
create or replace function clean.tidied_and_folded(value text) returns text
language sql immutable parallel safe
return case
    when value ~ clean.unusual() then clean.folded(clean.without_unseen(clean.private_use_named(value)))
    else clean.folded(value)
end;

-- A text without unusual characters, and without blanks around it.
create or replace function clean.bared(value text) returns text
language sql stable parallel safe
return case
    -- No byte of a blank, or of a text mark, at either end: trimming bytes costs less than trimming characters.
    when octet_length(btrim(clean.bytes_of(value), '\x20090a0d273d'::bytea)) = octet_length(value) then value
    else clean.unmarked(btrim(value, e' \t\n\r'))
end;

-- Free text, without invisible characters and blanks around it.
create or replace function clean.trimmed(value text) returns text
language sql stable parallel safe
return case
    when octet_length(value) <> length(value) and value ~ clean.unusual() then clean.unmarked(clean.tidied(value))
    else clean.bared(value)
end;

-- The same where it is known whether the value is plain.
create or replace function clean.trimmed(value text, is_plain boolean) returns text
language sql stable parallel safe
return case when is_plain then clean.bared(value) else clean.trimmed(value) end;

-- The same with half-width letters, digits and brackets: names and dates. Only text with unusual characters takes
-- longer.
create or replace function clean.half_width(value text) returns text
language sql stable parallel safe
return case
    when octet_length(value) <> length(value) and value ~ clean.unusual_or_wide()
        then clean.unmarked(clean.tidied_and_folded(value))
    else clean.bared(value)
end;

-- The same where it is known whether the value is plain: then only full-width forms have the byte EF.
create or replace function clean.half_width(value text, is_plain boolean) returns text
language sql stable parallel safe
return case
    when not is_plain then clean.half_width(value)
    when position('\xef'::bytea in clean.bytes_of(value)) = 0 then clean.bared(value)
    else clean.unmarked(clean.folded(value))
end;

-- A code that a spreadsheet, a JSON writer or a numeric column stores as a number: 20200001.0, or 2.0200002E7 where all
-- its digits are given. A value with two points, such as a section or an identifier, is not a number, and 1.10 stays as
-- it is.
create or replace function clean.is_whole_number(half_width text) returns boolean
language sql immutable parallel safe
return case
    when half_width not like '%.%' or half_width like '%.%.%' then false
    when half_width ~ '^[0-9]+[.]0+$' then true
    -- As many digits after the point as the exponent moves it, all others zero; and no more digits than a double holds.
    when half_width ~ '^[0-9][.][0-9]+[Ee][+]?[0-9]{1,2}$'
        then length(split_part(upper(half_width), 'E', 1)) - 2 >= split_part(upper(half_width), 'E', 2)::integer
            and split_part(upper(half_width), 'E', 2)::integer <= 14
            and half_width::numeric % 1 = 0
    else false
end;

-- Such a number as the digits of its code. Not inlined: few values are one.
create or replace function clean.whole_number(half_width text) returns text
language sql immutable parallel safe
return case
    when half_width ~ '[Ee]' then trunc(half_width::numeric)::text
    else split_part(half_width, '.', 1)
end;

-- What software has made of a code and cannot be converted back: a rounded number (4.20703E+17), true or false, a time
-- of day (12:00:00, also after a day), a program's text for an object. A code like 12E4 has neither a point nor a plus
-- and is valid.
create or replace function clean.is_distorted(code text) returns boolean
language sql immutable parallel safe
return case
    -- Most codes are longer than the words, and have neither mark.
    when octet_length(code) > 5 and code not like '%+%' and code not like '%.%' and code not like '%:%'
        and code not like '[%' then false
    when code like '%E+%' or (code like '%.%E%' and code not like '%.%.%')
        then code ~ '^-?[0-9]+([.][0-9]+E[+-]?|E[+])[0-9]{1,3}$'
    when code like '%:%'
        then code ~ '^([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}T?)?[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?$'
    when code like '[%' then lower(code) like '[object%]'
    else code in ('TRUE', 'FALSE')
end;

-- The same in a spreadsheet, which makes a day of 3-5: the reader writes cells that are days like 2021-03-05.
create or replace function clean.is_distorted_cell(code text) returns boolean
language sql immutable parallel safe
return clean.is_distorted(code)
or (code like '____-__-__' and code ~ '^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$');

-- A code in the form before software stored it as a number.
create or replace function clean.kept_as_number(code text) returns text
language sql immutable parallel safe
return case when clean.is_whole_number(code) then clean.whole_number(code) else code end;

-- A code as it was delivered, in half width and without blanks. Most codes need no cleaning, which their bytes show.
create or replace function clean.code_as_written(value text) returns text
language sql stable parallel safe
return case
    when
        ltrim(
            clean.bytes_of(value), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz'::bytea
        ) = ''
        then value
    when octet_length(value) <> length(value) and value ~ clean.unusual_or_wide()
        then clean.kept_as_number(
                clean.unmarked_code(translate(clean.tidied_and_folded(value), e' \t\n\r', ''))
            )
    else clean.kept_as_number(clean.unmarked_code(translate(value, clean.ascii_unseen(), '')))
end;

-- A code without lower-case letters ("x" at the end of an identity number).
create or replace function clean.code(value text) returns text
language sql stable parallel safe
return case
    when ltrim(clean.bytes_of(value), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-'::bytea) = '' then value
    -- Identifiers have several points, and few values with only one are numbers.
    when ltrim(clean.bytes_of(value), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-.'::bytea) = ''
        then case when clean.is_whole_number(value) then clean.whole_number(value) else value end
    else upper(clean.code_as_written(value))
end;

-- The form in which codes are compared, from a code as `code` returns it: every kind of bracket is one bracket and
-- every kind of dash one dash, since 〔2022〕, [2022] and （2022） are used for one another. Keys are made of it; the code
-- itself stays as delivered.
create or replace function clean.comparison(code text) returns text
language sql stable parallel safe
return case
    when ltrim(clean.bytes_of(code), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-.'::bytea) = '' then code
    -- Testing by a regular expression costs a tenth of rewriting the code, and most have plain brackets.
    when code !~ '[][{}<>〔〕【】［］（）〖〗〘〙｛｝「」『』〈〉《》＜＞﹙﹚﹝﹞｟｠—–‐‑‒―−－﹣﹘─━ー⁃]' then code
    else translate(
            -- The Chinese dash (——) is one mark of two characters.
            replace(replace(code, '——', '-'), '──', '-'),
            '〔〕[]【】［］（）〖〗〘〙{}｛｝「」『』〈〉《》<>＜＞﹙﹚﹝﹞｟｠—–‐‑‒―−－﹣﹘─━ー⁃',
            '()()()()()()()()()()()()()()()()()()--------------'
        )
end;

-- The key of a record that a person typed: its parts as for delivered values, for a type that distinguishes upper and
-- lower case and for all others.
create or replace function clean.key_as_written(named text) returns text
language sql stable parallel safe
return clean.comparison(clean.code_as_written(named));

create or replace function clean.key(named text) returns text
language sql stable parallel safe
return clean.comparison(clean.code(named));

-- Whether the value of a number field says that there is no number: only zeros and marks, no digit, letter or numeral
-- at all ("待办理"), a word, or a pattern whose number was never filled in. Null words are null before this is called.
create or replace function clean.is_no_number(part text) returns boolean
language sql stable parallel safe
return case
    -- Most numbers start with a digit that is not 0.
    when part collate "C" >= '1' and part collate "C" < ':' then false
    else part ~ '^[-_./*#() 0]*$'
        or part !~ '[0-9A-Za-z〇零一二三四五六七八九十壹贰叁肆伍陆柒捌玖拾甲乙丙丁戊己庚辛壬癸]'
        or upper(part) ~ '^(NONE|NULL|NIL|NAN|NAT|NA|N/A|UNKNOWN|UNDEFINED|TBD|TBA|TEST|X{2,})$'
        or part ~ '^(详见|请见|参见|见|附)(附|备|原|正|副|证|纸)?[件表页录本注书照]'
        or part ~ '^(待|暂无|暂缺|暂未|尚未|未办|未发|未取|未制|无编号|无证|无号|没有|不详|同上|同前|另行|正在|办理中|遗失|丢失)'
        or part ~ '第[_.…*]*号$'
end;
