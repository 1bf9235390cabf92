"""What columns of a sample look like: numbers by their check characters, dates by their form, and nothing personal."""

import pytest
from stdnum.cn import uscc

from simulator.business_licenses import credit_code
from simulator.numbers import identity_number
from zhengku.catalog.department import DateForm
from zhengku.profile.column_profile import (
    date_form,
    is_certificate_identifier,
    is_credit_code,
    is_identity_number,
    profile_column,
)

ROOT = "1.2.156.3005.2."


def test_credit_codes_are_told_as_the_standard_library_tells_them() -> None:
    for number in range(1, 60):
        code = credit_code(number)
        for last in "0123456789ABCDEFGHJKLMNPQRTUWXY":
            changed = code[:17] + last
            assert is_credit_code(changed) == uscc.is_valid(changed)


def test_identity_numbers_need_a_check_character_and_a_day() -> None:
    number = identity_number(7)
    assert is_identity_number(number)
    assert [last for last in "0123456789X" if is_identity_number(number[:17] + last)] == [number[17]]
    assert not is_identity_number("420799199902300000")


@pytest.mark.parametrize(
    "identifier",
    [
        "11100000000013338W032.11220000013544541J.2430599.001.F",
        "11100000000013338W011.11430000006122244L.20230000403.001.U",
        "11100000000013338W011.11430000006122244L.20230000403.002.S",
        "11100000000013338W009.11330105002500287C.2025052201.002.0",
        "11100000000013338W087.11370800MB28559184.37080001202411010001.001.3",
    ],
)
def test_check_vectors_of_certificate_identifiers(identifier: str) -> None:
    assert is_certificate_identifier(ROOT + identifier)
    wrong = "1" if identifier[-1] != "1" else "2"
    assert not is_certificate_identifier(ROOT + identifier[:-1] + wrong)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2019-01-01", DateForm.ISO),
        ("2019-1-1 08:00:00", DateForm.ISO),
        ("2019/1/1", DateForm.SLASH),
        ("2019.01.01", DateForm.SLASH),
        ("20190101", DateForm.COMPACT),
        ("20190101083000", DateForm.COMPACT),
        ("2019年1月1日", DateForm.CHINESE),
        ("43466", DateForm.SPREADSHEET_SERIAL),
        ("2019-02-30", None),
        ("99", None),
        ("91420700", None),
    ],
)
def test_date_is_known_by_its_form_and_its_day(value: str, form: DateForm | None) -> None:
    assert date_form(value) == form


@pytest.mark.parametrize(
    ("value", "is_timed"),
    [
        ("2026-01-02", False),
        ("2026-01-02 00:00:00", False),
        ("2026-01-02T00:00:00.000+08:00", False),
        ("20260102000000", False),
        ("2026-01-02 00:00", False),
        ("2026/1/2 0:00:00", False),
        ("2026-01-02 00:00:01", True),
        ("2026-01-02 10:00:00", True),
        ("20260102100000", True),
        ("2026-01-02 20:00:00", True),
    ],
)
def test_a_time_of_day_is_told_from_a_day_alone(value: str, is_timed: bool) -> None:
    assert profile_column("办结时间", [value], {}, ()).timed == is_timed


def test_column_is_counted_after_cleaning() -> None:
    look = profile_column(
        "有效期至", ["长期", " ２０２６-01-01 ", "N/A", None, "", "2026/1/2 08:00", "无"], {}, {"n/a", "无"}
    )
    assert (look.rows, look.filled, look.distinct) == (7, 3, 3)
    assert (look.endless, look.timed) == (1, 1)
    assert look.date_forms == {DateForm.ISO: 1, DateForm.SLASH: 1}
    assert look.share("date") == 1.0


def test_districts_are_known_by_aliases_and_by_the_begin_of_longer_codes() -> None:
    known = {"420704": "echeng", "鄂城区": "echeng"}
    assert profile_column("区划", ["420704001002", "鄂城区", "110000"], known, ()).share("district") == pytest.approx(
        2 / 3
    )


@pytest.mark.parametrize(
    "values",
    [
        ["张某某", "李某某", "张某某"],
        [identity_number(1)] * 40,
        ["420700", credit_code(1)],
        ["13800000000"] * 40,
        [str(number) for number in range(13)],
        ["一栋一单元一零一室虚构路一百号院内东侧"] * 40,
    ],
)
def test_values_that_may_tell_of_a_person_are_no_codes(values: list[str]) -> None:
    assert profile_column("x", values, {}, ()).codes == ()


def test_short_codes_and_known_words_are_shown() -> None:
    assert profile_column("状态", ["10", "02", "10"], {}, ()).codes == ("10", "02")
    assert profile_column("状态", ["有效", "注销"], {}, ()).codes == ("有效", "注销")
    assert profile_column("状态", ["有效", "张某某"] * 10, {}, ()).codes == ("有效",)
