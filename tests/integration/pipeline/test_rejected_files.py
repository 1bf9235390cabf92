"""What is wrong with a file as a whole rejects it: a clear error, the store untouched, the next delivery loads."""

import hashlib
import json
import threading

import pytest

from zhengku.errors import BatchesFailed, DeliveryUnavailable

GOOD = "企业名称,统一社会信用代码,注册日期,企业类型,法人代表,注册资金,经营范围,所在省份,地区,注册地址"


def wrong_files(make_row):
    row = make_row(7)
    return {
        "file.empty": b"",
        "file.no_rows": f"{GOOD}\n".encode(),
        "file.missing_column": f"{GOOD.replace('统一社会信用代码,', '')}\n{row}\n".encode(),
        "file.duplicate_column": f"{GOOD},企业名称\n{row},x\n".encode(),
        "file.too_many_columns": (GOOD + "".join(f",列{n}" for n in range(10_000)) + "\n" + row + "\n").encode(),
        "file.encoding": f"{GOOD}\n{row}\n".encode("utf-16"),
        "file.not_text": b"PK\x03\x04" + b"\x00" * 500,
        "file.header": (f"{GOOD}," + "x" * 2_000_000).encode(),
        "file.line_end": f"{GOOD}\r{row}\r".encode(),
    }


RULES = [
    "file.empty",
    "file.no_rows",
    "file.missing_column",
    "file.duplicate_column",
    "file.too_many_columns",
    "file.encoding",
    "file.not_text",
    "file.header",
    "file.line_end",
]


@pytest.mark.parametrize("rule", [*RULES[:3], *(pytest.param(rule, marks=pytest.mark.slow) for rule in RULES[3:])])
def test_wrong_file_leaves_the_store_untouched_and_the_next_delivery_loads(installation, make_row, rule):
    installation.deliver_rows("1.csv", make_row(1))
    installation.run_one()
    before = installation.store()
    installation.deliver("2.csv", wrong_files(make_row)[rule], minutes_ago=30)
    rejected = installation.run_one()
    assert (rejected.status, rejected.rule_id, rejected.written) == ("rejected", rule, 0)
    assert rejected.detail
    assert "\n" not in rejected.detail
    assert any("\u4e00" <= char <= "\u9fff" for char in rejected.reason)
    assert installation.store() == before
    assert installation.query("select nspname from pg_namespace where nspname like 'batch_%%'") == []
    installation.deliver_rows("3.csv", make_row(2), minutes_ago=1)
    assert installation.run_one().inserted == 1


def test_message_names_the_missing_column_and_the_fix(installation, make_row):
    installation.deliver("1.csv", wrong_files(make_row)["file.missing_column"])
    rejected = installation.run_one()
    assert rejected.detail.startswith("1.csv: ")
    assert "统一社会信用代码" in rejected.detail
    assert "mapping" in rejected.detail


@pytest.mark.slow
def test_folder_in_place_of_a_file_is_rejected(installation, make_row):
    (installation.drop / "1.csv").mkdir()
    assert installation.run_one().rule_id == "file.kind"
    installation.deliver_rows("2.csv", make_row(2), minutes_ago=-1)
    assert installation.run_one().inserted == 1


def test_wrong_file_does_not_keep_the_good_ones_beside_it_from_loading(installation, make_row):
    installation.deliver("1.csv", b"", minutes_ago=60)
    installation.deliver_rows("2.csv", make_row(2), minutes_ago=30)
    rejected, loaded = installation.run("night")
    assert (rejected.status, loaded.status, loaded.inserted) == ("rejected", "loaded", 1)
    with pytest.raises(BatchesFailed, match=r"1 to look at: batch \d+ is rejected \(file\.empty\)") as failure:
        installation.pipeline.conclude("market_supervision", "night")
    assert "\n" not in str(failure.value)


def manifest(content: bytes, **changes) -> str:
    rows = content.count(b"\n") - 1
    return json.dumps({"rows": rows, "sha256": hashlib.sha256(content).hexdigest(), **changes})


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({}, None),
        ({"rows": 3}, "file.count"),
        ({"sha256": "0" * 64}, "file.digest"),
        ({"md5": "0" * 32}, "file.digest"),
        ({"rows": "two"}, "file.manifest"),
        ({"sha256": "abc"}, "file.manifest"),
    ],
)
def test_manifest_is_believed_over_the_file(installation, make_row, change, rule):
    path = installation.deliver_rows("1.csv", make_row(1), make_row(2))
    installation.deliver("1.csv.manifest.json", manifest(path.read_bytes(), **change))
    batch = installation.run_one()
    assert (batch.status, batch.rule_id) == (("rejected", rule) if rule else ("loaded", None))
    assert len(installation.store()) == (0 if rule else 2)


def test_manifest_that_is_no_json_rejects_the_file(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1))
    installation.deliver("1.csv.manifest.json", "rows: 1")
    assert installation.run_one().rule_id == "file.manifest"


def test_rejected_file_that_is_still_the_newest_is_rejected_again(installation):
    """The department has not fixed it: every night says so."""
    installation.deliver("1.csv", b"")
    assert installation.run_one().status == "rejected"
    assert installation.run_one().status == "rejected"


def test_nothing_delivered_is_said_clearly(installation):
    with pytest.raises(DeliveryUnavailable, match=r"No file \*\.csv in .*business_license.*Ask the department"):
        installation.run()


def test_drop_that_is_not_there_is_said_clearly(installation):
    installation.drop.rmdir()
    with pytest.raises(DeliveryUnavailable, match=r"cannot be read: No such file or directory.*mounted"):
        installation.run()


@pytest.mark.slow
def test_file_that_is_still_being_written_is_left_for_the_next_try(installation, make_row):
    """Its size changes while the pipeline waits for it to settle."""
    path = installation.deliver_rows("1.csv", make_row(1), minutes_ago=0)
    ended = threading.Event()

    def write_on() -> None:
        while not ended.wait(0.2):
            with path.open("a", encoding="utf-8") as file:
                file.write(make_row(2) + "\n")

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        with pytest.raises(DeliveryUnavailable, match="still being written"):
            installation.run()
    finally:
        ended.set()
        writer.join()
    assert installation.store() == {}


def test_batch_with_too_many_problems_is_held_and_a_person_can_release_it(installation, make_row):
    installation.deliver_rows("0.csv", make_row(999))
    installation.run_one()
    before = installation.store()
    rows = [make_row(n, 企业名称="" if n % 3 == 0 else f"鄂州市虚构第{n}号有限公司") for n in range(300)]
    installation.deliver_rows("1.csv", *rows, minutes_ago=30)
    held = installation.run_one()
    assert (held.status, held.held, held.fetched) == ("held", 300, 300)
    assert held.rule_id == "batch.quarantined_share.at_most_a_fifth"
    assert "quarantined 100" in held.detail
    assert installation.store() == before
    with pytest.raises(DeliveryUnavailable, match="its batch is held"):
        installation.run()
    released = installation.pipeline.release(held.batch_id, "大数据科", "核对过，源系统确无名称")
    assert (released.status, released.inserted, released.quarantined, released.held) == ("loaded", 200, 100, 0)
    assert released.released_by == "大数据科"
