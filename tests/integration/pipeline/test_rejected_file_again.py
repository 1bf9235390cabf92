"""A rejected file is read once more when the reason may be gone: the mapping was fixed, or somebody asks."""

from pathlib import Path

import pytest
from tests.support.changed_department import change_department

pytestmark = pytest.mark.slow

NEW_NAME = "鄂州市虚构新名有限公司"


def renamed(header: str, *rows: str) -> str:
    """A delivery whose column of names is called otherwise than our mapping says."""
    return "\n".join([header.replace("企业名称", "市场主体名称"), *rows]) + "\n"


def rewrite(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "catalog" / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(params=["increments", "snapshots"])
def rejected(request, installation, tmp_path, make_row, header):
    """A file was rejected for a column that our mapping called by another name; a later one was loaded."""
    change_department(installation, tmp_path, lambda text: text.replace("settle_seconds: 5", "settle_seconds: 4"))
    rewrite(tmp_path, "deliveries: increments", f"deliveries: {request.param}")
    installation.deliver("a.csv", renamed(header, make_row(1), make_row(2)))
    assert installation.run_one().rule_id == "file.missing_column"
    installation.deliver_rows("b.csv", make_row(1, 企业名称=NEW_NAME), make_row(3), minutes_ago=30)
    assert [batch.source_name for batch in installation.run()] == ["b.csv"]
    return installation


def fix(tmp_path: Path) -> None:
    rewrite(tmp_path, "holder: {column: 企业名称}", "holder: {column: 市场主体名称}")


def test_file_that_our_mapping_rejected_is_read_again_when_the_mapping_is_fixed(rejected, tmp_path):
    fix(tmp_path)
    batch = rejected.run_one()
    assert (batch.source_name, batch.status, batch.inserted) == ("a.csv", "loaded", 1)
    assert len(rejected.store()) == 3
    assert [batch.source_name for batch in rejected.run()] == ["b.csv"]


def test_file_that_is_read_again_is_no_newer_for_that(rejected, tmp_path):
    """What was delivered and loaded since still counts; a whole register does not undo the later one.

    What it alone holds is gone since the later one, which no longer had it.
    """
    fix(tmp_path)
    batch = rejected.run_one()
    gone = int(rejected.pipeline.catalog.feed("market_supervision", "business_license").deliveries == "snapshots")
    assert (batch.superseded, batch.updated, batch.disappeared) == (1, 0, gone)
    assert NEW_NAME in {row[0] for row in rejected.store().values()}
    assert rejected.query("select count(*) from store.certificate where removal is not null") == [(gone,)]
    assert batch.compared in (None, "overtaken")


def test_file_that_stays_wrong_is_read_once_for_each_change_of_the_configuration(rejected, tmp_path):
    rewrite(tmp_path, "settle_seconds: 4", "settle_seconds: 3")
    assert [(batch.source_name, batch.status) for batch in rejected.run()] == [("a.csv", "rejected")]
    assert [batch.source_name for batch in rejected.run()] == ["b.csv"]


def test_rejected_file_is_left_alone_while_nothing_changed(rejected):
    assert [batch.source_name for batch in rejected.run()] == ["b.csv"]


def test_rejected_file_is_taken_up_when_everything_is_asked_for_again(rejected):
    batches = rejected.run(again=True)
    assert [(batch.source_name, batch.status) for batch in batches] == [("a.csv", "rejected"), ("b.csv", "loaded")]
    assert batches[1].repeats_batch_id is None


def test_rejected_file_is_taken_up_again_beside_a_new_one(rejected, make_row):
    rejected.deliver_rows("c.csv", make_row(1), make_row(3), minutes_ago=10)
    batches = rejected.run(again=True)
    assert [(batch.source_name, batch.status) for batch in batches] == [("a.csv", "rejected"), ("c.csv", "loaded")]


def test_held_file_does_not_keep_a_rejected_one_from_being_taken_up_again(rejected):
    rejected.rewrite("update ledger.batch set status = 'held', rule_id = 'r', reason = 'r' where source_name = 'b.csv'")
    assert [(batch.source_name, batch.status) for batch in rejected.run(again=True)] == [("a.csv", "rejected")]


def test_batch_that_the_same_run_rejected_is_named_once(rejected, tmp_path):
    [first] = [batch for batch in rejected.run("night", again=True) if batch.status == "rejected"]
    fix(tmp_path)
    found = [batch.batch_id for batch in rejected.pipeline.collect("market_supervision", "business_license", "night")]
    assert found.count(first.batch_id) == 1
    assert found == sorted(set(found))


def test_file_that_was_lost_and_is_collected_again_is_no_newer_for_that(installation, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    installation.deliver_rows("b.csv", make_row(1, 企业名称=NEW_NAME), minutes_ago=30)
    lost, newer = installation.pipeline.collect("market_supervision", "business_license", "night")
    (Path(installation.settings.landing_url) / lost.landing_path).unlink()
    assert installation.pipeline.load(lost.batch_id).rule_id == "file.lost"
    assert installation.pipeline.load(newer.batch_id).inserted == 1
    again = installation.run_one()
    assert (again.source_name, again.superseded) == ("a.csv", 1)
