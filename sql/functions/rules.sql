-- Functions of the rules in `expectations/`. Each is one pure expression that the planner inlines. They read bytes: a
-- byte is reached in constant time, a character is not. A function that reads its argument several times is inlined
-- only when the argument is cheap: a column, or clean.bytes_of(column), which is computed again each time and is still
-- fastest, since parallel workers can do it. More expensive arguments are computed in a subquery with offset 0. Any
-- bytes give true or false, never an error; null gives false.

create schema if not exists rules;

-- Whether all bytes are among the given ones. A regular expression for the same takes ten times as long.
create or replace function rules.consists_of(code bytea, alphabet bytea) returns boolean
language sql immutable parallel safe
return octet_length(ltrim(code, alphabet)) = 0;

-- GB 32100-2015: the value of a digit or a letter (there is no I, O, S, V, Z), found by its ASCII code, '0' to 'Y'.
create or replace function rules.credit_code_value(byte integer) returns integer
language sql immutable parallel safe
return get_byte(
    '\x00010203040506070809000000000000000a0b0c0d0e0f101100121314151600171819001a1b001c1d1e'::bytea, byte - 48
);

-- Unified social credit code, GB 32100-2015: 18 characters; the first is the registering department (1 staffing, 2
-- foreign affairs, 3 justice, 4 culture, 5 civil affairs, 6 tourism, 7 religion, 8 trade unions, 9 industry and
-- commerce, A the military, N agriculture, Y others); the division of the registering authority (3 to 8) is digits;
-- weights 3^i modulo 31.
create or replace function rules.is_credit_code(code bytea) returns boolean
language sql immutable parallel safe
return case
    when octet_length(code) = 18
        and rules.consists_of(code, '0123456789ABCDEFGHJKLMNPQRTUWXY'::bytea)
        and rules.consists_of(substr(code, 1, 1), '123456789ANY'::bytea)
        and rules.consists_of(substr(code, 3, 6), '0123456789'::bytea)
        then (
            rules.credit_code_value(get_byte(code, 0)) + 3 * rules.credit_code_value(get_byte(code, 1))
            + 9 * rules.credit_code_value(get_byte(code, 2)) + 27 * rules.credit_code_value(get_byte(code, 3))
            + 19 * rules.credit_code_value(get_byte(code, 4)) + 26 * rules.credit_code_value(get_byte(code, 5))
            + 16 * rules.credit_code_value(get_byte(code, 6)) + 17 * rules.credit_code_value(get_byte(code, 7))
            + 20 * rules.credit_code_value(get_byte(code, 8)) + 29 * rules.credit_code_value(get_byte(code, 9))
            + 25 * rules.credit_code_value(get_byte(code, 10)) + 13 * rules.credit_code_value(get_byte(code, 11))
            + 8 * rules.credit_code_value(get_byte(code, 12)) + 24 * rules.credit_code_value(get_byte(code, 13))
            + 10 * rules.credit_code_value(get_byte(code, 14)) + 30 * rules.credit_code_value(get_byte(code, 15))
            + 28 * rules.credit_code_value(get_byte(code, 16)) + rules.credit_code_value(get_byte(code, 17))
        ) % 31 = 0
    else false
end;

-- Two ASCII digits as a number.
create or replace function rules.two_digits(code bytea, place integer) returns integer
language sql immutable parallel safe
return 10 * get_byte(code, place) + get_byte(code, place + 1) - 528;

-- Whether the calendar has this day; the century is that of the year number: 1999 is century 19, year 99.
create or replace function rules.is_day(century integer, year integer, month integer, day integer) returns boolean
language sql immutable parallel safe
return month between 1 and 12
and (
    day between 1 and 28
    or (day between 29 and 30 and month <> 2)
    or (day = 31 and month in (1, 3, 5, 7, 8, 10, 12))
    or (day = 29 and month = 2 and case when year = 0 then century else year end % 4 = 0)
);

create or replace function rules.day_number(on_day date) returns integer
language sql immutable parallel safe
return (extract(year from on_day) * 10000 + extract(month from on_day) * 100 + extract(day from on_day))::integer;

-- Resident identity number, GB 11643-1999: 17 digits and a check character by ISO 7064 MOD 11-2, born on a day that
-- exists, from 1800 to the given day. The division is not looked up: those codes change, and 81, 82, 83 are residents
-- from Hong Kong, Macao and Taiwan. 15 digits, born 19YY, are the numbers issued until 1999 that old stock still
-- carries; they have no check character, so only their date can be checked.
create or replace function rules.is_identity_number(code bytea, on_day date) returns boolean
language sql immutable parallel safe
return case
    when octet_length(code) = 18
        and rules.consists_of(substr(code, 1, 17), '0123456789'::bytea)
        and rules.consists_of(substr(code, 18), '0123456789X'::bytea)
        then rules.is_day(
                rules.two_digits(code, 6),
                rules.two_digits(code, 8),
                rules.two_digits(code, 10),
                rules.two_digits(code, 12)
            )
            and rules.two_digits(code, 6) * 1000000 + rules.two_digits(code, 8) * 10000
            + rules.two_digits(code, 10) * 100 + rules.two_digits(code, 12)
            between 18000101 and rules.day_number(on_day)
            and (
                7 * get_byte(code, 0) + 9 * get_byte(code, 1) + 10 * get_byte(code, 2) + 5 * get_byte(code, 3)
                + 8 * get_byte(code, 4) + 4 * get_byte(code, 5) + 2 * get_byte(code, 6) + get_byte(code, 7)
                + 6 * get_byte(code, 8) + 3 * get_byte(code, 9) + 7 * get_byte(code, 10) + 9 * get_byte(code, 11)
                + 10 * get_byte(code, 12) + 5 * get_byte(code, 13) + 8 * get_byte(code, 14) + 4 * get_byte(code, 15)
                + 2 * get_byte(code, 16) + case get_byte(code, 17) when 88 then 58 else get_byte(code, 17) end
                - 48 * 101
            ) % 11 = 1
    when octet_length(code) = 15 and rules.consists_of(code, '0123456789'::bytea)
        then rules.is_day(19, rules.two_digits(code, 6), rules.two_digits(code, 8), rules.two_digits(code, 10))
    else false
end;

-- A code that was never issued: one repeated character, in the code or between the first two and the check characters
-- of a code of 18; digits counted up or down.
create or replace function rules.is_made_up(code text) returns boolean
language sql stable parallel safe
return case
    -- A code that is too long is wrong for that reason already.
    when octet_length(code) not between 6 and 100 then false
    when ltrim(clean.bytes_of(code), substr(clean.bytes_of(code), 1, 1)) = '' then true
    when octet_length(code) = 18
        and ltrim(substr(clean.bytes_of(code), 3, 14), substr(clean.bytes_of(code), 3, 1)) = '' then true
    when code like '0123%' or code like '1234%' then strpos('01234567890123456789012345', code) > 0
    when code like '9876%' then strpos('98765432109876543210', code) > 0
    else false
end;

-- The birthday in a resident identity number of 18 or 15 digits, as yyyymmdd; null for other values.
create or replace function rules.birthday_of(code text) returns integer
language sql immutable parallel safe
return case
    when code ~ '^[0-9]{17}[0-9X]$' then substr(code, 7, 8)::integer
    when code ~ '^[0-9]{15}$' then 19000000 + substr(code, 7, 6)::integer
end;

-- Whether a resident identity number (GB 11643-1999) belongs to somebody born on the given day; true where either
-- cannot be read. Not inlined, like the next one: few feeds deliver the fields.
create or replace function rules.agrees_on_birthday(code text, told text) returns boolean
language sql stable parallel safe
return coalesce(
    rules.birthday_of(code) = coalesce(
        clean.date_iso(clean.without_zone(btrim(normalize(told, nfkc)))),
        clean.date_slash(clean.without_zone(btrim(normalize(told, nfkc)))),
        clean.date_compact(btrim(normalize(told, nfkc))),
        clean.date_chinese(btrim(normalize(told, nfkc))),
        clean.date_chinese_numerals(btrim(normalize(told, nfkc)))
    ),
    true
);

-- Whether a resident identity number belongs to somebody of the given sex (GB/T 2261.1: 1, 2): its sequence number is
-- odd for men, even for women (GB 11643-1999).
create or replace function rules.agrees_on_sex(code text, told text) returns boolean
language sql immutable parallel safe
return coalesce(
    case
        when code ~ '^[0-9]{17}[0-9X]$' then substr(code, 17, 1)::integer
        when code ~ '^[0-9]{15}$' then substr(code, 15, 1)::integer
    end % 2
    = case
        when upper(btrim(normalize(told, nfkc))) in ('男', '男性', '男士', '1', '01', '1.0', '1-男', 'M', 'MALE') then 1
        when upper(btrim(normalize(told, nfkc))) in ('女', '女性', '女士', '2', '02', '2.0', '2-女', 'F', 'FEMALE') then 0
    end,
    true
);

-- ISO 7064 MOD 37,36 (GB/T 17710): a digit or letter is worth 0 to 35; here with 35 added, which is
-- 1 less modulo 36, and found by its ASCII code, '0' to 'Z'.
create or replace function rules.mod_37_36_term(byte integer) returns integer
language sql immutable parallel safe
return get_byte(
    '\x232425262728292a2b2c000000000000002d2e2f303132333435363738393a3b3c3d3e3f40414243444546'::bytea, byte - 48
);

-- One character more; the carry starts at 36.
create or replace function rules.mod_37_36_step(carry integer, byte integer) returns integer
language sql immutable parallel safe
return 2 * ((carry + rules.mod_37_36_term(byte)) % 36 + 1) % 37;

-- 2, 4, 8, 16 and 32 characters from a place on (counted from 0).
create or replace function rules.mod_37_36_by_2(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_37_36_step(
    rules.mod_37_36_step(carry, get_byte(code, place)), get_byte(code, place + 1)
);

create or replace function rules.mod_37_36_by_4(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_37_36_by_2(rules.mod_37_36_by_2(carry, code, place), code, place + 2);

create or replace function rules.mod_37_36_by_8(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_37_36_by_4(rules.mod_37_36_by_4(carry, code, place), code, place + 4);

create or replace function rules.mod_37_36_by_16(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_37_36_by_8(rules.mod_37_36_by_8(carry, code, place), code, place + 8);

create or replace function rules.mod_37_36_by_32(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_37_36_by_16(rules.mod_37_36_by_16(carry, code, place), code, place + 16);

-- The check over 96 characters and a check character after them. A leading 'I' (18) leaves the carry at 36, so a
-- shorter text is checked by padding it with 'I' on the left.
create or replace function rules.passes_mod_37_36(padded bytea) returns boolean
language sql immutable parallel safe
return (
    rules.mod_37_36_by_32(
        rules.mod_37_36_by_32(rules.mod_37_36_by_32(36, padded, 0), padded, 32), padded, 64
    )
    + rules.mod_37_36_term(get_byte(padded, 96))
) % 36 = 0;

-- Certificate identifier, GB/T 36904-2018: 1.2.156.3005.2.<type 21>.<issuer 18>.<serial>.<version 3>.<check>, the check
-- character over all four parts. The serial may have up to 54 characters (7 to 32 were seen). `padded` is the
-- identifier without root and dots, padded with 'I' on the left to 97 characters.
create or replace function rules.is_certificate_identifier(identifier bytea, padded bytea) returns boolean
language sql immutable parallel safe
return case
    when identifier like '1.2.156.3005.2._____________________.__________________.%_.___._'::bytea
        and octet_length(identifier) <= 116
        and octet_length(padded) = 97
        and rules.consists_of(substr(identifier, 16, 18), '0123456789ABCDEFGHJKLMNPQRTUWXY'::bytea)
        and rules.consists_of(substr(identifier, 34, 3), '0123456789'::bytea)
        and rules.consists_of(substr(identifier, 38, 18), '0123456789ABCDEFGHJKLMNPQRTUWXY'::bytea)
        and position('.'::bytea in substr(identifier, 57, octet_length(identifier) - 62)) = 0
        and rules.consists_of(substr(identifier, octet_length(identifier) - 4, 3), '0123456789'::bytea)
        and rules.consists_of(padded, 'I0123456789ABCDEFGHJKLMNOPQRSTUVWXYZ'::bytea)
        then rules.passes_mod_37_36(padded)
    else false
end;

-- The text that passes_mod_37_36 reads, from an identifier. Stable, because clean.bytes_of is.
create or replace function rules.identifier_check_input(identifier text) returns bytea
language sql stable parallel safe
return clean.bytes_of(lpad(replace(substr(identifier, 16), '.', ''), 97, 'I'));

-- ISO 7064 MOD 11,10 (GB/T 17710): one digit more, by its ASCII code; the carry starts at 10 and is never 0.
create or replace function rules.mod_11_10_step(carry integer, byte integer) returns integer
language sql immutable parallel safe
return ((carry + byte - 39) % 10 + 1) * 2 % 11;

-- 2, 4 and 8 digits from a place on (counted from 0).
create or replace function rules.mod_11_10_by_2(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_11_10_step(rules.mod_11_10_step(carry, get_byte(code, place)), get_byte(code, place + 1));

create or replace function rules.mod_11_10_by_4(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_11_10_by_2(rules.mod_11_10_by_2(carry, code, place), code, place + 2);

create or replace function rules.mod_11_10_by_8(carry integer, code bytea, place integer) returns integer
language sql immutable parallel safe
return rules.mod_11_10_by_4(rules.mod_11_10_by_4(carry, code, place), code, place + 4);

-- Number of a food license: two letters and 14 digits, the last of them the check digit over the 13 before. The
-- algorithm was confirmed on numbers that companies publish, for business (JY) and production (SC).
create or replace function rules.is_food_license_number(code bytea) returns boolean
language sql immutable parallel safe
return case
    when octet_length(code) = 16
        and rules.consists_of(substr(code, 3), '0123456789'::bytea)
        then (
            rules.mod_11_10_step(
                rules.mod_11_10_by_4(rules.mod_11_10_by_8(10, code, 2), code, 10), get_byte(code, 14)
            )
            + get_byte(code, 15) - 48
        ) % 10 = 1
    else false
end;

-- Characters that the first two bytes of a Chinese character in UTF-8 become when they are read as GBK.
create or replace function rules.utf8_read_as_gbk() returns text
language sql immutable parallel safe
return '妗妞妤妫妯妲妾姊姒姗姘姝姣姹娅娆娈娉娌娑娓娣娲娴娼婀婊婕婢婧婵宀宄宓宕宥宸寤寮寰搴杈杌杓杞杩棣棰椁椋椐椤椴椹楂楗楝楠楣楦楫楱楸楹榀榄榇榈榉榘榛榧榫榭榻槌槎洄洇洌洎洙洚洧洫洮洳洵洹浃浈浍浏浒浔浜浞浠浣浯'
'浼涑涓涔涞涠淇渚澧澶澹濂濉濞濠濡濮濯瀚瀛瀣瀵瀹灏灞琚琛瑁瑕瑗瑙瑜瑭瑷瑾璀璁璇璋璎璐璜璞璧璨璩璺瓒甯纭纰纾绀绁绂绉绋绌绐绔绗绛绠绡绨绫绮绯绱绲绶绺绻绾缁缂缃缇缈缍褰蹇鋩鋪鋫鋬鋭鋮鋯鋰鋱鋲鋳鋴鋵鋶鋷鋸鋹鋺'
'鋻鋼鋽鋾鋿錀錁錂錃錄錅錆錇錈錉鍊鍋鍌鍍鍎鍏鍐鍑鍒鍓鍔鍕鍖鍗鍘鍙鍚鍛鍜鍝鍞鍟鍠鍡鍢鍣鍤鍥鍦鍧鍨鍩鍫鎬鎭鎮鎯鎰鎱鎲鎳鎴鎵鎶鎷鎸鎹鎺鎻鎼鎽鎾鎿鏀鏁鏂鏃鏄鏅鏆鏇鏈鏉鏋鏌鏍鐎鐏鐐鐑鐒鐓鐔鐕鐖鐗鐘鐙鐚鐛鐜鐝鐞鐟鐠'
'鐡鐢鐣鐤鐥鐦鐧鐨鐩鐪鐫鐬鐭鐮鑰鑱鑲鑳鑴鑵鑶鑷鑸鑹鑺鑻鑼鑽鑾鑿钀钁钂钃钄钑钖钘铇铏铓铔铚铦铻锜锠閫閬閭閮閯閰閱閲閳閴閵閶閷閸閹閺閻閼閽閾閿闀闁闂闃闄闅闆闇闈闉闊闋韪韫韬骞';

-- Whether the bytes of a text in GB 18030 are two or more Chinese characters in UTF-8, the last perhaps truncated: 鐜嬫煇
-- was 王某. No real name has this form by chance: three characters in each group have to fit. Only text that GB 18030 can
-- certainly represent is tested.
create or replace function rules.is_utf8_read_as_gbk(name text) returns boolean
language sql stable parallel safe
return case
    when name ~ '^[ -~\u4e00-\u9fa5]+$'
        then encode(convert_to(name, 'GB18030'), 'hex')
            ~ '^([2-7].)*((e[3-9]|ef)[89ab].[89ab].([2-7].)*){2,}(e[3-9]([89ab].)?)?(3f)?$'
    else name ~ '€' and name ~ ('[' || rules.utf8_read_as_gbk() || ']')
end;

-- The characters of Windows-1252 where Latin-1 has control characters.
create or replace function rules.windows_1252() returns text
language sql immutable parallel safe
return '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ';

-- Signs and punctuation, for the bracket of a pattern: neither letters of any script nor digits, and not #, which a
-- cell shows when its column is too narrow; another rule finds that.
create or replace function rules.signs() returns text
language sql immutable parallel safe
return '\u0001-\u0022$-/:-@[-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u2bff'
'\u3000-\u3004\u3008-\u3020\u3030\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\ufffd';

-- Whether a name is unreadable: replacement, control and private-use characters, Chinese read in a wrong encoding,
-- uninitialised memory (烫烫烫), or only question marks.
create or replace function rules.is_garbled_name(name text) returns boolean
language sql stable parallel safe
return name ~ '[\u0001-\u001f\u007f-\u009f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]'
or name ~ '锟斤|斤拷|锟\?'
-- There are restaurants with such a name.
or (name ~ '烫烫烫|屯屯屯|铪铪铪|葺葺葺' and name !~ '锅|串|捞|粉|面|餐|食|饮|店|馆|坊')
or name ~ '\?{3}|^[-?()·.,、 ]*\?[-?()·.,、 ]*$'
-- UTF-8 read as Latin-1 or Windows-1252: é„‚å·ž was 鄂州, and JosÃ© José.
or name ~ ('[ãäåæçèéï]([\u00a1-\u00bf' || rules.windows_1252() || ']){2}')
or name ~ (
    '([ãäåæçèéï] ?[\u00a1-\u00a6\u00a8\u00aa\u00ac\u00af\u00b1-\u00b6\u00b8-\u00ba\u00bc-\u00bf‚ƒ„†‡ˆ‰‹Œ‘“˜›].*){2}'
)
or name ~ '[ÂÃ][\u00a1-\u00bf]'
-- GBK read as Latin-1: ÕÅÈý was 张三.
or name ~ '[\u00a1-\u00b6\u00b8-\u00ff]{4}|^[\u00a1-\u00ff]{4,}$'
or name ~ ('^[' || rules.signs() || ']*$')
or rules.is_utf8_read_as_gbk(name);

-- A pattern for text of digits and signs only.
create or replace function rules.numeric_name() returns text
language sql immutable parallel safe
return '^[' || rules.signs() || ']*[0-9][0-9' || rules.signs() || ']*$';

-- Whether a name can be read. Most contain none of these characters, and are decided at once.
create or replace function rules.is_readable_name(name text) returns boolean
language sql stable parallel safe
return case
    when
        name !~ (
            '[\u0001-\u001f\u007f-\u00ff\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff?€锟斤烫屯铪葺'
            || rules.utf8_read_as_gbk() || ']|^[' || rules.signs() || ']*$'
        )
        then true
    else not rules.is_garbled_name(name)
end;

-- Whether a name is complete: no character is hidden (张**, 张□某) or lost (张?某), none is written as its code, and it is
-- not a number.
create or replace function rules.is_undoubted_name(name text) returns boolean
language sql stable parallel safe
return case
    when name !~ ('[?*□■▢▯◻◼○●◯×〓&\\%\uff61-\uff9f锘烫XxＸ]|' || rules.numeric_name()) then true
    else name !~ '[?*□■▢▯◻◼○●◯〓]|××|[\u4e00-\u9fff]×|[\uff61-\uff9f]{2}|^锘|烫烫烫|^[\u4e00-\u9fff]{1,2}[XxＸ]{1,3}$'
        and name !~ rules.numeric_name()
        and name !~ '&#[0-9xX]{1,2}[0-9A-Fa-f]{1,5};|\\u[0-9A-Fa-f]{4}|(%[0-9A-Fa-f]{2}){3}'
        or rules.is_garbled_name(name)
end;
