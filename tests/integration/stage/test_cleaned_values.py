"""What the cleaning makes of single values, by the statement that the stage step runs."""

import datetime
import re
import unicodedata
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql
from tests.support.cleaned_rows import CATALOG, SHIPPED, cleaned

FAR = [
    "2099-12-31",
    "2099/12/31",
    "20991231",
    "2099年12月31日",
    "9999-12-31",
    "9999.12.31",
    "99991231",
    "9999年12月31日",
]
FAR += ["2099-12-31 00:00:00", "9999-12-31T23:59:59", "2099/12/31 0:00", "99991231235959", "2099-12-31 23:59:59.0"]


@pytest.mark.parametrize("forms", [["iso"], ["iso", "slash", "compact", "chinese"]])
def test_far_days_and_words_mean_no_end_in_every_form(
    connection: psycopg.Connection[dict[str, Any]], forms: list[str]
) -> None:
    rows = [{"到期": text} for text in [*FAR, "长期", "永久有效"]]
    found = cleaned(connection, rows, valid_to={"column": "到期", "date_forms": forms})
    assert [(row["valid_to"], row["valid_to_unparsed"]) for row in found] == [(None, None)] * len(rows)


def test_other_ends_are_days_or_unparsed(connection: psycopg.Connection[dict[str, Any]]) -> None:
    texts = ["2099-12-30 00:00:00", "9999-12-30", "2099-13-31", "长期有效期", "", "2030/1/1"]
    found = cleaned(connection, [{"到期": text} for text in texts], valid_to={"column": "到期", "date_forms": ["iso"]})
    assert [(row["valid_to"], row["valid_to_unparsed"]) for row in found] == [
        (datetime.date(2099, 12, 30), None),
        (datetime.date(9999, 12, 30), None),
        (None, "2099-13-31"),
        (None, "长期有效期"),
        (None, None),
        (None, "2030/1/1"),
    ]


def test_far_day_is_no_end_only_where_an_end_stands(connection: psycopg.Connection[dict[str, Any]]) -> None:
    [row] = cleaned(connection, [{"起始": "2099-12-31"}], valid_from={"column": "起始"})
    assert row["valid_from"] == datetime.date(2099, 12, 31)


def test_fields_with_a_code_that_is_not_listed_are_named(connection: psycopg.Connection[dict[str, Any]]) -> None:
    rows = [
        {"主体类型": "1", "事项": "A", "状态": "0"},
        {"主体类型": "9", "事项": "A", "状态": "0"},
        {"主体类型": "9", "事项": "B", "状态": "7"},
        {"主体类型": "", "事项": None, "状态": "7"},
    ]
    found = cleaned(
        connection,
        rows,
        holder_code_type={"column": "主体类型", "codes": {"1": "001"}},
        service_item_code={"column": "事项", "codes": {"A": "100"}},
        status={"column": "状态", "codes": {"0": "valid"}},
    )
    assert [(row["holder_code_type"], row["codes_unmapped"], row["status_unmapped"]) for row in found] == [
        ("001", None, None),
        (None, "holder_code_type", None),
        (None, "holder_code_type,service_item_code", "7"),
        (None, None, "7"),
    ]


def test_feed_without_codes_has_none_unmapped(connection: psycopg.Connection[dict[str, Any]]) -> None:
    [row] = cleaned(connection, [{}])
    assert (row["codes_unmapped"], row["status_unmapped"]) == (None, None)


def test_prefix_is_removed_where_it_stands(connection: psycopg.Connection[dict[str, Any]]) -> None:
    values = {"42鄂办1": "鄂办1", "鄂办1": "鄂办1", "42": "42", "４２鄂办1": "鄂办1", "N/A": None, "": None}
    rows = cleaned(
        connection,
        [{"编号": value} for value in values],
        service_item_code={"column": "编号", "remove_prefix": "42"},
    )
    assert [row["service_item_code"] for row in rows] == list(values.values())


def test_alias_as_constant_stands_for_its_district(connection: psycopg.Connection[dict[str, Any]]) -> None:
    [row] = cleaned(connection, [{}], district={"constant": "鄂城区"})
    assert row["district"] == "echeng"


PIECES = [
    "2024",
    "1",
    "02",
    "31",
    "-",
    "/",
    ".",
    "年",
    "月",
    "日",
    " ",
    "T",
    ":",
    "00",
    "24",
    "８",
    "－",
    "长期",
    "永久",
]
PIECES += ["2099", "12", "9999", "45000", "0", "N/A", "null", "　", "x", "1" * 30, "Z", "+08:00", "时", "分"]
TEXTS = st.one_of(
    st.none(),
    st.lists(st.sampled_from(PIECES), max_size=9).map("".join),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
)
KINDS: dict[str, dict[str, Any]] = {
    "holder": {"column": "名"},
    "holder_code": {"column": "号"},
    "holder_code_type": {"column": "类", "codes": {"1": "001"}},
    "status": {"column": "态", "codes": {"0": "valid"}},
    "district": {"column": "区"},
    "issue_date": {"column": "发", "date_forms": ["iso"]},
    "valid_from": {"column": "起", "date_forms": ["iso", "slash", "compact", "chinese", "spreadsheet_serial"]},
    "valid_to": {"column": "止", "date_forms": ["chinese", "spreadsheet_serial", "compact", "slash", "iso"]},
    "source_updated_at": {"column": "改", "date_forms": ["iso", "compact"]},
}
"""A field of every kind, with every form of a date."""

DATED = {"issue_date", "valid_from", "valid_to", "source_updated_at"}
NO_DAY = re.compile("^0$|0000|0001|1753|1899|1900|1970")
"""In these fields, what systems write for no date at all (`null_words.csv`)."""

BLANKS = " \t\n\r\u3000\u00a0\ufeff\u200b"
UNSEEN = re.compile(
    r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x85\xad\u034f\u061c\u115f\u1160\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U000e0000-\U000e0fff]"
)
HALF_WIDTH = {0x3000: " ", **{wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}}


def means_nothing(kind: str, text: str) -> bool:
    """Whether a text, without what nobody sees, is blank or a word for nothing; also when it is folded.

    The marks by which a spreadsheet says that a value is a text are no part of it.
    """
    plain = UNSEEN.sub("", text).strip(BLANKS).lower()
    words = CATALOG.null_words(SHIPPED, kind)
    folded = re.sub(f"[{BLANKS}]", "", plain.translate(HALF_WIDTH))
    return not {plain, folded, folded.strip("'‘’`=\"")}.isdisjoint(words)


COLUMNS = [mapping["column"] for mapping in KINDS.values()]


def test_no_text_makes_the_cleaning_raise_or_lose_a_row_or_a_value(
    connection: psycopg.Connection[dict[str, Any]],
) -> None:
    rows = st.lists(st.fixed_dictionaries({column: TEXTS for column in COLUMNS}), min_size=1, max_size=20)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows)
    @example([dict.fromkeys(COLUMNS, text) for text in ("0000-00-00", "10000-01-01", "99999999", "2024-02-30 25:61")])
    def agrees(delivered: list[dict[str, str]]) -> None:
        found = cleaned(connection, delivered, **KINDS)
        assert [row["row_no"] for row in found] == list(range(1, len(delivered) + 1))
        for came, row in zip(delivered, found, strict=True):
            for field, mapping in KINDS.items():
                text = (came[mapping["column"]] or "").strip(BLANKS)
                beside = row.get(f"{field}_unparsed") or (row["status_unmapped"] if field == "status" else None)
                if field == "holder_code_type":
                    beside = field if field in (row["codes_unmapped"] or "").split(",") else None
                elif field == "district":
                    beside = row["district_delivered"]
                kept = row[field] is not None or beside is not None
                kind = CATALOG.standard_fields("certificate")[field].kind
                if text.strip(BLANKS).lower() in CATALOG.null_words(SHIPPED, kind):
                    assert not kept, (field, came)
                elif means_nothing(kind, text):
                    # What nobody sees is taken away where a look at the bytes finds it; blanks inside are a code's.
                    continue
                elif field in DATED and not kept and NO_DAY.search(unicodedata.normalize("NFKC", text)):
                    continue
                elif field == "valid_to" and not kept:
                    assert re.search("长期|永久|2099|9999", unicodedata.normalize("NFKC", text)), (field, came)
                else:
                    assert kept, (field, came)

    agrees()


LATIN = "A-Za-z\u00c0-\u024f"
TIDIED = (
    rf"btrim(regexp_replace(regexp_replace(translate(v, U&'\00a0', ' '), '(?<=[{LATIN}])[\u0085\u2000-\u200a"
    rf"\u2028\u2029\u202f\u205f]+(?=[{LATIN}])', ' ', 'g'), '{UNSEEN.pattern}', '', 'g'), e' \t\n\r\u3000')"
)
WIDE = "".join(map(chr, HALF_WIDTH))
FOLDED = f"btrim(translate({TIDIED}, %(wide)s, %(narrow)s), e' \\t\\n\\r')"
CODE = f"clean.kept_as_number(clean.unmarked_code(translate({FOLDED}, %(blanks)s, '')))"
UNABRIDGED = {
    "clean.trimmed(v)": f"clean.unmarked({TIDIED})",
    "clean.half_width(v)": f"clean.unmarked({FOLDED})",
    "clean.trimmed(v, clean.is_plain(v))": f"clean.unmarked({TIDIED})",
    "clean.half_width(v, clean.is_plain(v))": f"clean.unmarked({FOLDED})",
    "clean.code(v)": f"upper({CODE})",
    "clean.code_as_written(v)": CODE,
    "clean.date_iso(v)": "case when v ~ '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?$' then"
    " split_part(v, '-', 1)::integer * 10000 + split_part(v, '-', 2)::integer * 100"
    " + substring(split_part(v, '-', 3) from '^[0-9]+')::integer end",
}
"""What the functions of `clean` would be without their quick ways."""


@pytest.mark.parametrize("function", UNABRIDGED)
def test_quick_ways_of_cleaning_change_no_value(connection: psycopg.Connection[dict[str, Any]], function: str) -> None:
    # Texts of which the first or last byte is one of a blank's, and others, with each blank on each side and inside.
    texts = [
        *(chr(0x4E00 + place) for place in range(64)),
        *"、（ＡｚÀÿ￥€㎡ｱ",
        *("91420700MA4F1XL20P", "x", "-", "鄂州Ａ区", "", "2024-02-30", "2024-2-3", "2024-02-03 04:05:06"),
        *("2024-02-03 4:05:06", "2024-02- 3 04:05:06", "2024-02-03-04:05:06", "2024-02-03 24:00:00", "7.0", "7.10"),
        *("----------", "2024--0203", "20-4-02-03", "２０２４-０２-０３", "2024-02-0３", "0000-00-00", "1-1-1"),
    ]
    values = [*texts, *(form % text for text in texts for blank in BLANKS for form in (f"{blank}%s", f"%s{blank}"))]
    values += [f"a{blank}一" for blank in BLANKS]
    values += [
        form.format(chr(unseen))
        for unseen in range(0x80, 0x10000)
        if UNSEEN.match(chr(unseen))
        for form in ("张{}三", "Ａ{}b", "{}1")
    ]
    differing = connection.execute(
        sql.SQL(
            "select * from (select v, {} as quick, {} as slow from unnest(%(values)s::text[]) as t (v)) as both_ways"
            " where quick is distinct from slow"
        ).format(sql.SQL(function), sql.SQL(UNABRIDGED[function])),
        {"values": values, "blanks": BLANKS, "wide": WIDE, "narrow": "".join(HALF_WIDTH.values())},
    ).fetchall()
    assert differing == []


def test_no_text_with_anything_unusual_is_plain(connection: psycopg.Connection[dict[str, Any]]) -> None:
    found = connection.execute(
        "select code from generate_series(1, 1114111) as t (code) where code not between 55296 and 57343"
        " and chr(code) ~ clean.unusual() and clean.is_plain('市' || chr(code))"
    ).fetchall()
    assert found == []
    [row] = connection.execute("select clean.is_plain('鄂州市“（Ａ·1）”。') as is_plain").fetchall()
    assert row["is_plain"]
