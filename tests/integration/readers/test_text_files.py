"""The forms in which programs and clerks write a text file: read as they were meant, or told, and never merged."""

from __future__ import annotations

import pytest
from tests.support.changed_department import change_department

BOM = "\ufeff"


def text_of(header, *rows, end="\n"):
    return end.join([header, *rows]) + end


def keys(installation):
    return {key for (key,) in installation.query("select record_key from store.certificate")}


def code(row):
    return row.split(",")[1]


# What is swallowed, however the file ends and wherever the quote stands.


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("closed_by", [',虚构路3号"', ',虚构路3",号'])
def test_quote_that_swallows_records_is_told_and_its_lines_are_quarantined(
    installation, make_row, header, end, closed_by
):
    rows = [make_row(number) for number in range(5)]
    rows[1] = make_row(1, 经营范围='"5寸屏')
    rows[3] = make_row(3, 注册地址=closed_by.removeprefix(","))
    if closed_by.endswith("号"):
        rows[3] = make_row(3, 经营范围='另一"')
    installation.deliver("1.csv", (end or "\n").join([header, *rows]) + end)
    batch = installation.run_one()
    assert batch.fetched == 5
    assert batch.inserted + batch.quarantined == 5
    assert code(rows[1]) not in keys(installation)
    problems = installation.query("select first_row_no, rules, reasons from quarantine.problem_row order by 1")
    assert {row_no for row_no, _, _ in problems} >= {3}
    assert all(rules == ["row.quote"] for _, rules, _ in problems)


def test_swallowed_lines_are_all_quarantined(installation, make_row, header):
    rows = [make_row(number) for number in range(5)]
    rows[1] = make_row(1, 经营范围='"5寸屏')
    rows[3] = make_row(3, 经营范围='另一"')
    installation.deliver("1.csv", text_of(header, *rows))
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (5, 2, 3)
    problems = installation.query("select first_row_no, reasons[1] from quarantine.problem_row order by 1")
    assert [row_no for row_no, _ in problems] == [3, 4, 5]
    assert problems[0][1] == "第3行的引号到第5行才配对，其间是完整的记录"


def test_two_neighbours_joined_by_their_quotes_are_both_quarantined(installation, make_row, header):
    rows = [make_row(0), make_row(1, 经营范围='"5寸屏'), make_row(2, 经营范围='6寸屏"'), make_row(3)]
    installation.deliver("1.csv", text_of(header, *rows))
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (4, 2, 2)


@pytest.mark.parametrize(
    "scope",
    ["第一行\n第二行", "第一行,有逗号\n\n第三行,也有", "甲\r\n乙\r\n丙", '写有""引号""\n的两行', "a,b,c\nd,e,f\ng"],
)
def test_field_of_several_lines_is_one_field(installation, make_row, header, scope):
    quoted = f'"{scope}"'
    installation.deliver("1.csv", text_of(header, make_row(1, 经营范围=quoted), make_row(2)))
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (2, 2, 0)
    [(stored,)] = installation.query(
        "select extension ->> '经营范围' from store.certificate where record_key = %s", code(make_row(1))
    )
    assert stored == scope.replace('""', '"')


# Blanks before and behind quotes.


BLANKS = (" ", "\t", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2003", "\u2060", " \u3000\t")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_blank_beside_a_quote_is_as_if_it_was_not_there(installation, make_row, header, encoding):
    name = '"鄂州市虚构,有限公司"'
    rows = []
    for number, blank in enumerate(BLANKS):
        before, behind = make_row(2 * number), make_row(2 * number + 1)
        rows += [
            before.replace(code(before), f'{blank}"{code(before)}"').replace(before.split(",")[0], blank + name),
            behind.replace(code(behind), f'"{code(behind)}"{blank}').replace(
                behind.split(",")[0], f"{blank}{name}{blank}"
            ),
        ]
    installation.deliver("1.csv", text_of(header, *rows).encode(encoding))
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (len(rows), 0)
    assert keys(installation) == {code(make_row(number)) for number in range(len(rows))}
    assert installation.query("select distinct holder from store.certificate") == [("鄂州市虚构,有限公司",)]


# Columns without a name.


@pytest.mark.parametrize(
    ("in_header", "in_rows"), [(",,", ",,"), ("", ","), ("", ",,,"), (",,", ""), (",", ",,,"), (", ,", ",　,")]
)
def test_columns_without_name_and_value_are_passed_over(installation, make_row, header, in_header, in_rows):
    rows = [make_row(number) + in_rows for number in range(3)]
    installation.deliver("1.csv", text_of(header + in_header, *rows))
    batch = installation.run_one()
    assert (batch.status, batch.inserted, batch.quarantined, batch.unknown_columns) == ("loaded", 3, 0, [])


def test_value_in_a_column_without_name_is_told(installation, make_row, header):
    rows = [make_row(1) + ",,", make_row(2) + ",,补录", make_row(3) + ",,"]
    installation.deliver("1.csv", text_of(header + ",,", *rows))
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (2, 1)
    assert installation.query("select reasons from quarantine.problem_row") == [(["第12列没有列名，却有内容"],)]


def test_column_without_name_between_others_costs_no_row_and_is_told_where_it_is_filled(installation, make_row, header):
    def with_first(first, row):
        return f"{first},{row}"

    installation.deliver("1.csv", text_of(with_first("", header), with_first("", make_row(1))))
    assert installation.run_one().unknown_columns == []
    installation.deliver("2.csv", text_of(with_first("", header), with_first("0", make_row(2))), minutes_ago=1)
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (1, 0)
    assert batch.unknown_columns == ["第1列（无列名）"]


# The marks of spreadsheets for a text.


def marked(row, form):
    return row.replace(code(row), form.format(code(row)))


MARKS = (
    "'{}", "＇{}", "’{}", '="{}"', '"=""{}"""', "'{}'", ' ="{}" ', '=""{}""', "`{}", "\"'{}\"", '＝"{}"',
)  # fmt: skip


def test_mark_of_a_text_is_no_part_of_it(installation, make_row):
    installation.deliver_rows("1.csv", *(marked(make_row(number), form) for number, form in enumerate(MARKS)))
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (len(MARKS), 0)
    assert keys(installation) == {code(make_row(number)) for number in range(len(MARKS))}


def test_mark_of_a_text_is_taken_from_names_and_days_where_it_can_be_nothing_else(installation, make_row):
    installation.deliver_rows(
        "1.csv",
        make_row(1, 企业名称="'鄂州市虚构甲有限公司", 注册日期="'2020-05-01"),
        make_row(2, 企业名称='="鄂州市虚构乙有限公司"', 注册日期='="2020-05-02"'),
        make_row(3, 企业名称="'虚构'丙有限公司"),
        make_row(4, 企业名称="'n Fictional Company"),
        make_row(5, 企业名称="虚构'丁有限公司"),
    )
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (5, 0)
    assert [holder for (holder,) in installation.query("select holder from store.certificate order by record_key")] == [
        holder
        for _, holder in sorted(
            (code(make_row(number)), holder)
            for number, holder in enumerate(
                (
                    "鄂州市虚构甲有限公司",
                    "鄂州市虚构乙有限公司",
                    "'虚构'丙有限公司",
                    "'n Fictional Company",
                    "虚构'丁有限公司",
                ),
                1,
            )
        )
    ]


# Encodings within one file.


def test_line_of_utf8_in_a_file_of_gb18030_is_read_as_what_it_is_and_told(installation, make_row, header):
    rows = [make_row(number).encode("gb18030") for number in range(4)]
    rows[2] = make_row(2, 企业名称="鄂州市虚构王某有限公司", 法人代表="王某").encode()
    installation.deliver("1.csv", b"\n".join([header.encode("gb18030"), *rows]) + b"\n")
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (4, 0)
    [(holder,)] = installation.query("select holder from store.certificate where record_key = %s", code(make_row(2)))
    assert holder == "鄂州市虚构王某有限公司"
    assert batch.notes == ["全文按GB18030读取，其中1行是UTF-8，按UTF-8读取：第4行"]


def test_characters_that_are_letters_in_utf8_stay_chinese_in_a_file_of_gb18030(installation, make_row, header):
    # In UTF-8 the bytes of these two are é and a combining mark.
    row = make_row(1, 企业名称="茅台")
    assert "茅台".encode("gb18030").decode() != "茅台"
    installation.deliver("1.csv", text_of(header, row).encode("gb18030"))
    assert installation.run_one().notes == []
    assert installation.query("select holder from store.certificate") == [("茅台",)]


@pytest.mark.parametrize("encodings", ["[gb18030, utf-8]", "[utf-8, gb18030]"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_header_of_ascii_leaves_the_choice_to_the_rows(installation, tmp_path, make_row, header, encodings, encoding):
    names = header.split(",")

    def change(text):
        for place, name in enumerate(names):
            for behind in "},":
                text = text.replace(f"column: {name}{behind}", f"column: c{place}{behind}")
        return text.replace("encodings: [utf-8, gb18030]", f"encodings: {encodings}")

    change_department(installation, tmp_path, change)
    row = make_row(1, 企业名称="王某煇某", 企业类型="", 法人代表="", 注册资金="", 经营范围="甲乙", 注册地址="")
    installation.deliver("1.csv", text_of(",".join(f"c{place}" for place in range(len(names))), row).encode(encoding))
    batch = installation.run_one()
    assert batch.status == "loaded"
    assert installation.query("select holder from store.certificate") == [("王某煇某",)]


# What stands above the header and behind the last row.


@pytest.mark.parametrize(
    ("above", "notes"),
    [
        ("sep=,\n", 1),
        ("SEP=,\r\n", 1),
        ('"sep=,"\n', 1),
        (BOM + "sep=,\n", 1),
        (BOM + BOM, 0),
        (BOM * 3, 0),
        ("鄂州市虚构登记表\n", 1),
        ("鄂州市虚构登记表,,,,,,,,,\n填报单位：虚构,,,,,,,,,\n\n", 1),
        (BOM + BOM + 'sep=,\n"鄂州市,虚构登记表"\n', 2),
    ],
    ids=ascii,
)
def test_what_stands_above_the_header_is_passed_over(installation, make_row, header, above, notes):
    installation.deliver("1.csv", (above + text_of(header, make_row(1), make_row(2))).encode())
    batch = installation.run_one()
    assert (batch.status, batch.inserted, batch.quarantined) == ("loaded", 2, 0)
    assert len(batch.notes) == notes


def test_quoted_header_behind_two_marks(installation, make_row, header):
    quoted = ",".join(f'"{name}"' for name in header.split(","))
    installation.deliver("1.csv", (BOM + BOM + text_of(quoted, make_row(1))).encode())
    assert installation.run_one().inserted == 1


def test_delimiter_that_the_file_names_is_its_delimiter(installation, make_row, header):
    installation.deliver("1.csv", "sep=;\n" + text_of(header, make_row(1)).replace(",", ";"))
    batch = installation.run_one()
    assert batch.inserted == 1
    assert batch.notes == ["文件首行写明分隔符为“;”，与约定的“,”不同，按文件所写读取"]


def test_delimiter_that_cannot_be_one_is_said(installation, make_row, header):
    installation.deliver("1.csv", "sep=x\n" + text_of(header, make_row(1)))
    batch = installation.run_one()
    assert (batch.status, batch.rule_id) == ("rejected", "file.header")
    assert "sep=" in batch.reason


def test_header_that_lacks_a_column_below_a_title_is_named(installation, make_row, header):
    installation.deliver("1.csv", text_of("鄂州市虚构登记表\n" + header.replace("企业名称", "名称"), make_row(1)))
    batch = installation.run_one()
    assert batch.rule_id == "file.missing_column"
    assert "缺少列：企业名称" in batch.reason


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a\r\n", "\n\x1a\x1a\n\n", "\n\x1a\n{row}"])
def test_mark_for_the_end_of_the_text_is_no_row(installation, make_row, header, end):
    installation.deliver("1.csv", f"{header}\n{make_row(1)}" + end.format(row=make_row(2)))
    batch = installation.run_one()
    assert (batch.inserted, batch.quarantined) == (1 + ("row" in end), 0)
    addresses = installation.query("select extension ->> '住所' from store.certificate")
    assert len(addresses) == batch.inserted
    assert all(address.endswith("号") for (address,) in addresses)
