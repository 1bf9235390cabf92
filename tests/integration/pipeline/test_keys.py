"""Keys in the real pipeline: what is no number, numbers in other writing, and one number of several holders."""

import csv
import io
import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from zhengku import clock
from zhengku.database import store_connection
from zhengku.operations.time_travel import count_as_of
from zhengku.settings import project_home

HEADER = ["企业名称", "编号", "主体代码", "主体类型", "注册日期", "操作"]

DEPARTMENT = """\
department: test_bureau
name: 市测试局
catalog_name: 市市场监管局
owner: test_bureau_data
schedule: "0 0 29 2 *"
feeds:
  numbers:
    title: 编号
    dataset: certificate
    license_type: {license_type}
    transport: {{kind: file_drop, connection: market_supervision_drop, folder: numbers, manifest: none}}
    operation: {{column: 操作, codes: {{新增: upsert, 注销: delete}}}}
    suites: [certificate]
    key: [certificate_number]
    null_words: {null_words}
    fields:
      certificate_number: {{column: 编号}}
      holder: {{column: 企业名称}}
      holder_code: {{column: 主体代码}}
      holder_code_type: {{column: 主体类型}}
      issue_date: {{column: 注册日期}}
    absent: [{absent}]
"""


@pytest.fixture
def numbers(installation, tmp_path, monkeypatch):
    """An installation with a feed of numbers as a section writes them; `deliver` loads rows and returns the batch."""

    class Numbers:
        def __init__(self) -> None:
            self.installation = installation
            self.query = installation.query
            self.drop = tmp_path / "drop" / "numbers"
            self.drop.mkdir()
            self.count = 0

        def configure(self, *, null_words: str = "{}", case_sensitive: bool = False) -> None:
            catalog = tmp_path / "catalog"
            if not catalog.exists():
                shutil.copytree(installation.settings.catalog_folder, catalog)
            types = (project_home() / "include" / "catalog" / "license_types.csv").read_text("utf-8")
            if case_sensitive:
                types = re.sub(r"(?m)^(special_equipment_use_registration_certificate,.*),,$", r"\1,yes,", types)
                assert ",yes,\n" in types
            (catalog / "license_types.csv").write_text(types, "utf-8")
            fields = csv.DictReader((catalog / "standard_fields.csv").open(encoding="utf-8"))
            mapped = re.findall(r"^      (\w+):", DEPARTMENT, flags=re.MULTILINE)
            absent = [row["field"] for row in fields if row["dataset"] == "certificate" and row["field"] not in mapped]
            text = DEPARTMENT.format(
                license_type="special_equipment_use_registration_certificate",
                null_words=null_words,
                absent=", ".join(absent),
            )
            (catalog / "departments" / "test_bureau.yaml").write_text(text, "utf-8")
            settings = installation.settings
            environment = {**settings.environment, "ZHENGKU_CATALOG_DIR": str(catalog)}
            self.installation = replace(installation, settings=replace(settings, environment=environment))

        def deliver(self, *rows: tuple[str, ...]):
            """Each row: number, holder and, if need be, holder code, operation and type of the code."""
            self.count += 1
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(HEADER)
            for number, holder, *more in rows:
                code, operation, kind = [*more, "", "", ""][:3]
                writer.writerow([holder, number, code or "C1", kind or "099", "2020-05-01", operation or "新增"])
            path: Path = self.drop / f"{self.count}.csv"
            path.write_text(text.getvalue(), "utf-8")
            moment = time.time() - 3600 + self.count
            os.utime(path, (moment, moment))
            pipeline = self.installation.pipeline
            batches = pipeline.collect("test_bureau", "numbers", f"run{self.count}")
            [batch] = [pipeline.load(batch.batch_id) for batch in batches if batch.source_name.endswith(path.name)]
            return batch

        def problems(self) -> dict[str, list[str]]:
            """Number as delivered → the critical rules that it broke."""
            return dict(self.query("select payload->>'编号', rules from quarantine.problem_row order by last_row_no"))

        def keys(self) -> dict[str, str]:
            return dict(self.query("select record_key, certificate_number from store.certificate"))

    built = Numbers()
    built.configure()
    return built


NO_NUMBERS = [
    "无",
    "暂无",
    "/",
    "-",
    "0",
    "000",
    "待办理",
    "见附件",
    "见附件1",
    "——",
    "***",
    "NaN",
    r"\N",
    "办理中",
    "第号",
    "０００",
    "(无)",
    "【暂无】",
    "-inf",
    "Infinity",
]
EMPTY = {"无", "暂无", "/", "-", "——", "***", "NaN", r"\N", "(无)", "【暂无】", "-inf", "Infinity"}


def test_key_that_is_no_number_is_quarantined_with_the_reason(numbers) -> None:
    rows = [(number, f"虚构{place}号公司") for place, number in enumerate(NO_NUMBERS) for _ in range(2)]
    # Many more, so that the delivery is not held as a whole.
    good = ["鄂州字第一号", "0001", "鄂葛字甲号", "ABC", *(f"鄂虚{place:04d}" for place in range(40))]
    batch = numbers.deliver(*rows, *((number, "虚构公司") for number in good))
    assert (batch.quarantined, batch.inserted, batch.duplicate) == (2 * len(NO_NUMBERS), len(good), 0)
    for number, rules in numbers.problems().items():
        assert ("certificate.record_key.present" if number in EMPTY else "certificate.record_key.number") in rules
    assert sorted(numbers.keys().values()) == sorted(good)


def test_rows_of_one_number_and_other_holders_are_all_quarantined(numbers) -> None:
    batch = numbers.deliver(
        ("甲1", "虚构甲公司", "A"),
        ("甲1", "虚构乙公司", "B"),
        ("甲1", "虚构甲公司", "A"),
        # Renamed: one code.
        ("甲2", "虚构旧名公司", "D"),
        ("甲2", "虚构新名公司", "D"),
        # Repeated word by word, and with another bracket in the name.
        ("甲3", "虚构（丙）公司", "E"),
        ("甲3", "虚构(丙) 公司", "E"),
        # One that fails another rule makes no other doubtful.
        ("甲4", "锟斤拷锟斤拷", "F"),
        ("甲4", "虚构丁公司", "G"),
        # An organisation's older number beside the newer.
        ("甲5", "虚构戊公司", "H"),
        ("甲5", "虚构戊公司", "I"),
    )
    assert (batch.quarantined, batch.inserted, batch.duplicate) == (4, 4, 3)
    rules = [found for (found,) in numbers.query("select rules from quarantine.problem_row order by last_row_no")]
    assert rules == [["certificate.record_key.one_holder"]] * 3 + [["certificate.holder.readable"]]
    [reason] = numbers.query("select distinct reasons[1] from quarantine.problem_row where record_key = '甲1'")
    assert "不同持证主体" in reason[0]
    warned = dict(numbers.query("select rule_id, failed_rows from ledger.rule_result where failed_rows > 0"))
    assert warned["certificate.record_key.one_name"] == 4
    assert dict(numbers.query("select record_key, holder from store.certificate"))["甲2"] == "虚构新名公司"
    # The department fixes them: each is told apart and settled.
    second = numbers.deliver(("甲1", "虚构甲公司", "A"), ("甲11", "虚构乙公司", "B"))
    assert (second.inserted, second.quarantined) == (2, 0)
    assert numbers.query("select distinct status from quarantine.problem_row where record_key = '甲1'") == [
        ("corrected",)
    ]


def test_people_of_one_name_are_two_holders_unless_one_number_is_the_older_form_of_the_other(numbers) -> None:
    batch = numbers.deliver(
        ("甲1", "虚构人", "420700199001010014", "", "999"),
        ("甲1", "虚构人", "420700199001010030", "", "999"),
        ("甲2", "虚构人", "420700900101001", "", "999"),
        ("甲2", "虚构人", "420700199001010014", "", "999"),
    )
    assert (batch.quarantined, batch.inserted, batch.duplicate) == (2, 1, 1)


WRITINGS = [
    "鄂〔2022〕1-2号",
    "鄂[2022]1—2号",
    "鄂【2022】1–2号",
    "鄂［2022］1‐2号",
    "鄂（2022）1－2号",
    "鄂(2022)1-2号",
    " 鄂 (２０２２) １-２ 号",
    "鄂\u200b(2022)1\u00ad-2号\ufeff",
    "鄂(2022)1——2号",
    "鄂﹝2022﹞1−2号",
]


def test_number_in_other_brackets_and_dashes_is_the_same_certificate(numbers) -> None:
    first, *others = WRITINGS
    numbers.deliver((first, "虚构公司"))
    assert numbers.keys() == {"鄂(2022)1-2号": first}
    for writing in others:
        batch = numbers.deliver((writing, "虚构公司"))
        assert (batch.inserted, batch.updated + batch.unchanged) == (0, 1), writing
    assert len(numbers.keys()) == 1
    cancelled = numbers.deliver(("鄂【2022】1—2号", "", "", "注销"))
    assert cancelled.deleted == 1
    assert numbers.query("select removal from store.certificate") == [("deleted",)]


def test_characters_that_are_no_width_stay_and_make_other_numbers(numbers) -> None:
    given = ["鄂①第5号", "鄂1第5号", "鄂Ⅱ第5号", "鄂II第5号", "№5", "NO5", "鄂５…号", "鄂5...号"]
    batch = numbers.deliver(*((number, f"虚构{place}") for place, number in enumerate(given)))
    assert (batch.inserted, batch.quarantined) == (8, 0)
    assert set(numbers.keys().values()) == {number.replace("５", "5") for number in given}


def test_case_parts_numbers_where_the_type_says_so(numbers) -> None:
    numbers.deliver(("Ea01", "虚构公司"), ("eA01", "虚构公司"))
    assert numbers.keys() == {"EA01": "EA01"}
    numbers.configure(case_sensitive=True)
    batch = numbers.deliver(("Fa01", "虚构甲"), ("fA01", "虚构乙"), ("ｆa０1", "虚构丙"))
    assert batch.inserted == 3
    assert {"Fa01", "fA01", "fa01"} <= numbers.keys().keys()


def test_feed_adds_and_takes_away_words_for_nothing(numbers) -> None:
    numbers.configure(null_words="{add: [甲乙丙], take_away: [无]}")
    batch = numbers.deliver(("A1", "无"), ("A2", "甲乙丙"), ("A3", "None"), ("A4", "暂无"))
    assert (batch.inserted, batch.quarantined) == (1, 3)
    assert numbers.query("select holder from store.certificate") == [("无",)]
    assert {tuple(rules) for rules in numbers.problems().values()} == {("certificate.holder.present",)}


UNSEEN = [
    *"\u00ad\u200b\u200c\u200d\u200e\u200f\u2000\u2003\u200a\u2028\u2029\u202a\u202f\u205f\u2060\u2066\u206f",
    *"\u180e\u3164\u115f\u1160\ufe0f\ufffc\ufeff\u0085\U000e0041\U000e007f\U000e0100",
]


def test_what_nobody_sees_is_removed_and_what_a_script_needs_stays(numbers) -> None:
    batch = numbers.deliver(
        *(
            (f"N{place}{unseen}1", f"{unseen}虚构{unseen}公司{place}{unseen}", f"C{unseen}{place}")
            for place, unseen in enumerate(UNSEEN)
        ),
        ("M90", "می\u200cخواهم", "P1"),
        ("M91", "क्\u200dष", "P2"),
    )
    assert batch.inserted == len(UNSEEN) + 2
    found = dict(numbers.query("select certificate_number, holder || holder_code from store.certificate"))
    expected = {f"N{place}1": f"虚构公司{place}C{place}" for place in range(len(UNSEEN))}
    assert found == expected | {"M90": "می\u200cخواهمP1", "M91": "क्\u200dषP2"}


def test_unreadable_names_fail_and_doubtful_ones_warn(numbers) -> None:
    unreadable = [
        "锟斤拷",
        "烫烫烫",
        "????",
        "鐜嬫煇",
        "é„‚å·ž",
        "王\ufffd",
        "王\ue000",
        "ÕÅÈý",
        "\U000f0001某",
        "----",
        "。。。",
        "(*)",
    ]
    doubtful = ["张?某", "张□某", "张**", "张○○", "What's up?酒吧", "111", "2020.1"]
    good = [
        "张·某",
        "阿依古丽·买买提",
        "José María",
        "𠀀𪚥",
        "虚构（集团）有限公司",
        "A&B Co., Ltd.",
        "虚构商店（个体工商户）",
        "1号",
        "〇",
        "7-Eleven",
    ]
    names = [*unreadable, *doubtful, *good, "虚\ue843\ue816构"]
    batch = numbers.deliver(*((f"N{place}", name, f"C{place}") for place, name in enumerate(names, start=1)))
    assert (batch.quarantined, batch.inserted) == (len(unreadable), len(names) - len(unreadable))
    assert {rule for rules in numbers.problems().values() for rule in rules} == {"certificate.holder.readable"}
    told = dict(numbers.query("select rule_id, failed_rows from ledger.rule_result where failed_rows > 0"))
    assert told["certificate.holder.undoubted"] == len(doubtful)
    assert numbers.query("select holder from store.certificate where holder like '虚_%%构'") == [("虚龹\U00020087构",)]


@pytest.mark.parametrize("named", [WRITINGS[0], WRITINGS[2], " 鄂 （2022）1——2号 "])
def test_key_is_found_in_any_writing(numbers, named: str) -> None:
    numbers.deliver((WRITINGS[1], "虚构公司"))
    with store_connection(numbers.installation.settings.database_url) as connection:
        found = count_as_of(connection, "certificate", clock.now(), record_key=named)
    assert found == (1, 0)
