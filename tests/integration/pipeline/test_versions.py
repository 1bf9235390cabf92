"""What the store keeps: first loads, repeats, newer and older versions, duplicates, problems that come right."""

import os
import shutil
import time
from pathlib import Path

import psycopg
import pytest

from zhengku.database import SESSION_SETTINGS
from zhengku.errors import BatchesFailed, CatalogError, StoreError
from zhengku.landed.landing import LandingArea
from zhengku.settings import Settings


def test_first_delivery_is_inserted_and_the_balance_holds(installation, make_row):
    installation.deliver_rows("a.csv", *(make_row(n) for n in range(5)))
    batch = installation.run_one()
    assert (batch.status, batch.fetched, batch.inserted) == ("loaded", 5, 5)
    assert len(installation.store()) == 5
    [(stored,)] = installation.query("select row_to_json(c) from store.certificate c where holder like %s", "%0003%")
    assert stored["license_type"] == "business_license"
    assert stored["issue_date"] == "2020-05-01"
    assert stored["district"] == "ezhou"
    assert stored["extension"]["经营范围"] == "虚构货物的批发、零售"


def test_autovacuum_leaves_every_staging_table_alone(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=""))
    [batch] = installation.pipeline.collect("market_supervision", "business_license", "night")
    tables = (
        "select relname, coalesce(reloptions, '{}') @> '{autovacuum_enabled=off}' from pg_class"
        " where relkind = 'r' and relnamespace = %s::regnamespace order by relname"
    )
    for step, there in ((installation.pipeline.stage, "text_row"), (installation.pipeline.validate, "failed_text")):
        step(batch.batch_id)
        found = dict(installation.query(tables, f"batch_{batch.batch_id}"))
        assert there in found
        assert all(found.values()), found


def test_file_that_is_looked_at_again_changes_nothing_and_says_so(installation, make_row):
    installation.deliver_rows("a.csv", *(make_row(n) for n in range(5)), make_row(6, 企业名称=""))
    first = installation.run_one()
    before = installation.store()
    second = installation.run_one()
    assert (second.fetched, second.unchanged, second.quarantined, second.written) == (6, 5, 1, 0)
    assert second.repeats_batch_id == first.batch_id
    assert installation.store() == before
    assert installation.query("select times_seen from quarantine.problem_row") == [(1,)]


def test_identical_file_under_another_name_is_known_and_landed_once(installation, make_row, monkeypatch):
    installation.deliver_rows("a.csv", make_row(1))
    first = installation.run_one()
    installation.deliver_rows("b.csv", make_row(1), minutes_ago=2)
    with monkeypatch.context() as patched:
        patched.setattr(LandingArea, "put", None)  # it is only read
        second = installation.run_one()
    assert second.repeats_batch_id == first.batch_id
    assert second.landing_path == first.landing_path
    # Of the same size, and another one.
    installation.deliver_rows("c.csv", make_row(2), minutes_ago=1)
    third = installation.run_one()
    assert (third.source_bytes, third.inserted) == (first.source_bytes, 1)
    assert third.landing_path != first.landing_path


def test_identical_file_is_landed_anew_when_the_landed_one_is_lost(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    first = installation.run_one()
    landing = Path(installation.settings.landing_url)
    (landing / first.landing_path).unlink()
    installation.deliver_rows("b.csv", make_row(1), minutes_ago=1)
    second = installation.run_one()
    assert second.landing_path != first.landing_path
    assert (landing / second.landing_path).stat().st_size == first.source_bytes


@pytest.mark.slow
def test_redelivered_rows_that_go_through_the_whole_pipeline_write_nothing(installation, make_row):
    installation.deliver_rows("a.csv", *(make_row(n) for n in range(5)), make_row(6, 企业名称=""))
    installation.run_one()
    before = installation.store()
    # Blanks at the end: the same rows, but not as they came before.
    wide = (make_row(n, 企业类型="有限责任公司　 ") for n in range(5))
    installation.deliver_rows("b.csv", *wide, make_row(6, 企业名称=""), minutes_ago=1)
    batch = installation.run_one()
    assert (batch.repeats_batch_id, batch.recognised, batch.written) == (None, 0, 0)
    assert (batch.unchanged, batch.quarantined) == (5, 1)
    # Of the row itself nothing changes but what was received of it.
    assert {key: row[:-1] for key, row in installation.store().items()} == {
        key: row[:-1] for key, row in before.items()
    }
    assert installation.query("select times_seen, first_batch_id < last_batch_id from quarantine.problem_row") == [
        (2, True)
    ]


def test_newer_row_updates_and_the_old_version_is_kept(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1), make_row(2))
    first = installation.run_one()
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构改名有限公司"), make_row(2), minutes_ago=1)
    second = installation.run_one()
    assert (second.updated, second.unchanged) == (1, 1)
    assert sorted(row[:2] for row in installation.store().values()) == [
        ["鄂州市虚构改名有限公司", 2],
        ["鄂州市虚构第0002号商贸有限公司", 1],
    ]
    history = installation.query(
        "select holder, version_no, batch_id, replaced_by_batch_id from store.certificate_history"
    )
    assert history == [("鄂州市虚构第0001号商贸有限公司", 1, first.batch_id, second.batch_id)]


def collect_all(installation, run_id: str = "night") -> list[int]:
    batches = installation.pipeline.collect("market_supervision", "business_license", run_id)
    return [batch.batch_id for batch in batches]


@pytest.mark.slow
def test_older_delivery_that_is_loaded_later_does_not_win(installation, make_row):
    """As when a held batch is released after the next delivery was loaded."""
    installation.deliver_rows("a.csv", make_row(1, 企业名称="鄂州市虚构旧名有限公司"), make_row(3))
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构新名有限公司"), minutes_ago=1)
    older, newer = collect_all(installation)
    installation.pipeline.load(newer)
    late = installation.pipeline.load(older)
    assert (late.superseded, late.inserted) == (1, 1)
    assert {row[0] for row in installation.store().values()} == {
        "鄂州市虚构新名有限公司",
        "鄂州市虚构第0003号商贸有限公司",
    }


@pytest.mark.slow
def test_older_delivery_does_not_undo_what_a_later_one_confirmed(installation, make_row):
    """The later delivery found its row unchanged and wrote nothing; the older one must still lose."""
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构误改有限公司"), minutes_ago=30)
    installation.deliver_rows("c.csv", make_row(1), make_row(2), minutes_ago=1)
    older, newer = collect_all(installation)
    assert installation.pipeline.load(newer).unchanged == 1
    assert installation.pipeline.load(older).superseded == 1


@pytest.mark.slow
def test_batches_of_a_run_that_died_are_loaded_by_the_next_one(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    left = collect_all(installation, "died")
    installation.deliver_rows("c.csv", make_row(3), minutes_ago=1)
    batches = installation.run("next")
    assert [batch.batch_id for batch in batches][:2] == left
    assert [(batch.status, batch.inserted) for batch in batches] == [("loaded", 1)] * 3
    # Both runs see them: the one that died, should it live after all, and the one that took them up.
    assert installation.pipeline.conclude("market_supervision", "died").is_file()
    assert installation.pipeline.conclude("market_supervision", "next").is_file()


def test_of_the_same_certificate_in_one_file_the_last_usable_row_counts(installation, make_row):
    installation.deliver_rows(
        "a.csv",
        make_row(1, 企业名称="鄂州市虚构甲有限公司"),
        make_row(1, 企业名称="鄂州市虚构乙有限公司"),
        make_row(1, 企业名称=""),
    )
    batch = installation.run_one()
    assert (batch.inserted, batch.duplicate, batch.quarantined) == (1, 1, 1)
    assert [row[0] for row in installation.store().values()] == ["鄂州市虚构乙有限公司"]


@pytest.mark.slow
def test_increment_that_is_sent_once_more_after_a_newer_one_does_not_win(installation, make_row):
    path = installation.deliver_rows("a.csv", make_row(1), make_row(2))
    installation.run_one()
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构改名有限公司"), minutes_ago=5)
    installation.run_one()
    os.utime(path, (time.time() - 60, time.time() - 60))
    batch = installation.run_one()
    assert (batch.repeats_batch_id, batch.superseded, batch.unchanged) == (None, 1, 1)
    assert sorted(row[0] for row in installation.store().values()) == [
        "鄂州市虚构改名有限公司",
        "鄂州市虚构第0002号商贸有限公司",
    ]


@pytest.mark.slow
def test_whole_register_that_is_sent_once_more_counts_as_the_newest_word(installation, make_row, tmp_path):
    folder = tmp_path / "catalog"
    shutil.copytree(installation.settings.catalog_folder, folder)
    path = folder / "departments" / "market_supervision.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("deliveries: increments", "deliveries: snapshots"))
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    file = installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    installation.deliver_rows("b.csv", make_row(1, 企业名称="鄂州市虚构改名有限公司"), minutes_ago=5)
    installation.run_one()
    os.utime(file, (time.time() - 60, time.time() - 60))
    assert installation.run_one().updated == 1
    assert [row[:2] for row in installation.store().values()] == [["鄂州市虚构第0001号商贸有限公司", 3]]


@pytest.mark.slow
def test_later_increment_does_not_stand_in_the_way_of_rows_that_it_did_not_hold(installation, make_row):
    """Tuesday's file waits while Wednesday's, which holds another row, is loaded."""
    installation.deliver_rows("mon.csv", make_row(1), make_row(2))
    installation.run_one()
    installation.deliver_rows("tue.csv", make_row(2, 企业名称="鄂州市虚构改名有限公司"), minutes_ago=30)
    installation.deliver_rows("wed.csv", make_row(3), minutes_ago=20)
    tuesday, wednesday = collect_all(installation)
    installation.pipeline.load(wednesday)
    late = installation.pipeline.load(tuesday)
    assert (late.updated, late.superseded) == (1, 0)


@pytest.mark.slow
def test_resent_file_does_not_stand_in_the_way_of_an_update_of_the_same_night(installation, make_row):
    monday = installation.deliver_rows("mon.csv", make_row(1), make_row(2))
    installation.run_one()
    installation.deliver_rows("wed.csv", make_row(2, 企业名称="鄂州市虚构改名有限公司"), minutes_ago=20)
    os.utime(monday, (time.time() - 60, time.time() - 60))
    installation.run("night")
    assert "鄂州市虚构改名有限公司" in {row[0] for row in installation.store().values()}


@pytest.mark.slow
def test_file_whose_landed_copy_was_lost_is_collected_again_and_others_load(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    lost, good = collect_all(installation)
    [path] = installation.query("select landing_path from ledger.batch where batch_id = %s", lost)
    (installation.drop.parents[1] / "landing" / path[0]).unlink()
    pipeline = installation.pipeline
    assert lost < good
    assert [batch.status for batch in pipeline.load_run("market_supervision", "night")] == ["rejected", "loaded"]
    assert installation.run_one().inserted == 1
    assert len(installation.store()) == 2


def test_one_batch_that_fails_does_not_keep_the_others_from_loading(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    failing, good = collect_all(installation)
    installation.rewrite("update ledger.batch set feed = 'gone' where batch_id = %s", failing)
    pipeline = installation.pipeline
    assert [batch.batch_id for batch in pipeline.load_run("market_supervision", "night")] == [good]
    with pytest.raises(CatalogError, match="gone"):
        pipeline.load_run("market_supervision", "night", ["gone"])


@pytest.mark.slow
def test_failure_that_may_pass_is_told_while_there_are_tries_left(installation, make_row, monkeypatch):
    installation.deliver_rows("a.csv", make_row(1))
    installation.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    failing, good = collect_all(installation)
    pipeline = installation.pipeline
    # Another process works on the first one and does not come to an end.
    with psycopg.connect(installation.settings.database_url.replace("+psycopg", "")) as other:
        other.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [f"zhengku.batch.{failing}"])
        monkeypatch.setitem(SESSION_SETTINGS, "statement_timeout", "2000")
        with pytest.raises(StoreError):
            pipeline.load_run("market_supervision", "night", last_try=False)
        assert [batch.batch_id for batch in pipeline.load_run("market_supervision", "night")] == [good]
    assert [batch.status for batch in pipeline.load_run("market_supervision", "night", last_try=False)] == [
        "loaded"
    ] * 2


@pytest.mark.slow
def test_file_with_a_fixed_manifest_is_collected_again(installation, make_row):
    path = installation.deliver_rows("a.csv", make_row(1))
    installation.deliver("a.csv.manifest.json", '{"rows": 7}')
    assert installation.run_one().rule_id == "file.count"
    installation.deliver_rows("b.csv", make_row(2), minutes_ago=30)
    installation.deliver("a.csv.manifest.json", '{"rows": 1}', minutes_ago=-1)
    assert path.is_file()
    assert sorted((batch.source_name, batch.status) for batch in installation.run()) == [
        ("a.csv", "loaded"),
        ("b.csv", "loaded"),
    ]


@pytest.mark.slow
def test_problem_stays_open_when_only_an_older_version_comes_again(installation, make_row):
    monday = installation.deliver_rows("mon.csv", make_row(1))
    installation.run_one()
    installation.deliver_rows("tue.csv", make_row(1, 企业名称=""), minutes_ago=30)
    assert installation.run_one().quarantined == 1
    os.utime(monday, (time.time() - 60, time.time() - 60))
    installation.run_one(again=True)
    assert installation.query("select status from quarantine.problem_row") == [("open",)]


@pytest.mark.slow
def test_problem_is_corrected_by_a_later_delivery_that_passes(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1, 企业名称=""), make_row(2, 企业名称=""))
    first = installation.run_one()
    assert first.quarantined == 2
    installation.deliver_rows("b.csv", make_row(1), make_row(2, 企业名称=""), minutes_ago=1)
    second = installation.run_one()
    rows = installation.query(
        "select status, corrected_by_batch_id, times_seen from quarantine.problem_row order by first_row_no"
    )
    assert rows == [("corrected", second.batch_id, 1), ("open", None, 2)]


def test_quarantined_row_keeps_its_payload_its_rules_and_its_line(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1), make_row(2, 企业名称=" N/A ", 注册日期="2020-02-30"))
    batch = installation.run_one()
    assert batch.quarantined == 1
    [(row_no, rules, reasons, payload)] = installation.query(
        "select first_row_no, rules, reasons, payload from quarantine.problem_row"
    )
    assert row_no == 3
    assert set(rules) == {"certificate.holder.present", "certificate.issue_date.parseable"}
    assert len(reasons) == 2
    assert all(any("\u4e00" <= char <= "\u9fff" for char in reason) for reason in reasons)
    assert payload["企业名称"] == " N/A "
    assert payload["注册日期"] == "2020-02-30"


@pytest.mark.slow
def test_values_are_cleaned_before_they_are_compared(installation, make_row):
    code = make_row(1).split(",")[1]
    wide = "".join(chr(ord(char) + 0xFEE0) for char in code)
    installation.deliver_rows("a.csv", make_row(1))
    installation.run_one()
    installation.deliver_rows(
        "b.csv",
        make_row(
            1, 统一社会信用代码=f"\u3000{wide.lower()} ", 注册日期=" 2020年5月1日", 企业类型=" 有限责任公司\u3000"
        ),
        minutes_ago=1,
    )
    batch = installation.run_one()
    # 成立日期 in the extension is kept as it was written, so the row is another version of the same certificate.
    assert (batch.updated, batch.quarantined) == (1, 0)
    assert list(installation.store()) == [code]
    assert installation.query("select issue_date::text, extension ->> '类型' from store.certificate") == [
        ("2020-05-01", "有限责任公司")
    ]


def test_every_form_of_a_date_is_read(installation, make_row):
    forms = [
        "2020-05-01",
        "2020/5/1",
        "2020.5.1",
        "20200501",
        "2020年5月1日",
        "２０２０－０５－０１",
        "2020-05-01 08:30:00",
        "2020-05-01T08:30:00.123",
        "2020/05/01 8:30",
        "20200501083000",
        "2020年05月01日 08:30:00",
    ]
    installation.deliver_rows("a.csv", *(make_row(n, 注册日期=form) for n, form in enumerate(forms)))
    batch = installation.run_one()
    assert batch.inserted == len(forms)
    assert installation.query("select distinct issue_date::text from store.certificate") == [("2020-05-01",)]


def test_what_is_no_date_is_quarantined(installation, make_row):
    wrong = [
        "2021-02-29",
        "2020-13-01",
        "2020-00-10",
        "2020-5",
        "5/1/2020",
        "0000-02-30",
        "43952",
        "2020-05-01Z",
        "昨天",
    ]
    right = [make_row(n) for n in range(100, 100 + len(wrong))]
    installation.deliver_rows("a.csv", *(make_row(n, 注册日期=form) for n, form in enumerate(wrong)), *right)
    batch = installation.run_one()
    assert (batch.quarantined, batch.inserted) == (len(wrong), len(right))
    assert installation.query("select distinct rules from quarantine.problem_row") == [
        (["certificate.issue_date.parseable"],)
    ]


def test_district_is_found_by_name_and_by_code_and_one_outside_is_a_warning(installation, make_row):
    places = {
        "鄂州": "ezhou",
        "420704": "echeng",
        "420703400": "gedian",
        "420740": "gedian",
        "420703400001": "gedian",
        "420703001002": "huarong",
        "临空经济区": "linkong",
        "武汉": None,
    }
    installation.deliver_rows("a.csv", *(make_row(n, 地区=place) for n, place in enumerate(places)))
    batch = installation.run_one()
    assert batch.inserted == len(places)
    found = dict(installation.query("select district_delivered, district from store.certificate"))
    assert found == places
    assert installation.query(
        "select failed_rows, severity from ledger.rule_result where rule_id = 'certificate.district.known'"
    ) == [(1, "warning")]


def test_absent_field_is_reported_once_for_the_feed(installation, make_row):
    installation.deliver_rows("a.csv", *(make_row(n) for n in range(20)))
    batch = installation.run_one()
    assert "file_url" in batch.absent_fields
    assert installation.query(
        "select failed_rows, skipped from ledger.rule_result where rule_id = 'certificate.file_url.present'"
    ) == [(0, True)]


def test_column_nobody_agreed_on_is_noticed(installation, make_row, header):
    installation.deliver("a.csv", f"{header},新列\n{make_row(1)},x\n")
    batch = installation.run_one()
    assert (batch.status, batch.unknown_columns) == ("loaded", ["新列"])


@pytest.mark.slow
def test_run_is_concluded_with_what_did_not_come_to_its_end(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    [batch_id] = collect_all(installation, "night")
    with pytest.raises(BatchesFailed, match=rf"1 to look at: batch {batch_id} \(a.csv\) is still landed"):
        installation.pipeline.conclude("market_supervision", "night")
    with pytest.raises(BatchesFailed, match="feed business_license has no batch in this run"):
        installation.pipeline.conclude("market_supervision", "another night")
    installation.pipeline.load(batch_id)
    assert installation.pipeline.conclude("market_supervision", "night").is_file()
