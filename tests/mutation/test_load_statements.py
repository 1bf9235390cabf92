# ruff: noqa: E501  (the table of branches reads best with one case a line)
"""With any one column or branch of the load's statements switched off, a test fails.

The statements are changed one at a time, in memory, and the scenarios that guard them are walked again.
"""

import re
from collections.abc import Callable
from typing import Any, cast

import pytest
from psycopg import sql
from tests.integration.load import test_recognised_rows as recognised
from tests.integration.operations import test_replay as replayed
from tests.integration.pipeline import test_row_operations as operations
from tests.integration.pipeline import test_versions as versions
from tests.support.every_field import walk

from zhengku.catalog import load_catalog
from zhengku.database import statement, statements_of
from zhengku.load import store_table
from zhengku.load.store_table import StoreTable
from zhengku.settings import project_home

pytestmark = pytest.mark.slow


def text_of(name: str) -> str:
    return statement(name).as_string(None)


@pytest.fixture
def change(monkeypatch) -> Callable[[str, str, str], None]:
    """Replace one piece of one statement, which must occur in it."""

    def changed(name: str, old: str, new: str) -> None:
        text = text_of(name)
        assert text.count(old) >= 1, f"{name} no longer holds {old!r}"
        file, _, own_name = name.rpartition(".")
        monkeypatch.setitem(statements_of(file), own_name, text.replace(old, new, 1))

    return changed


RECOGNITION = ("received_hash", "warning_set")
"""Columns by which a row is recognised when it comes again: they have scenarios of their own, below."""


def merged_columns() -> list[tuple[str, str]]:
    """Each assignment of the merge, and what it is when switched off."""
    merge = text_of("load/merge.merge")
    assignments = re.findall(r"((?<!s\.)\b(\w+) = (?:c\.\w+|now\(\)|%\(batch_id\)s|s\.version_no \+ 1)(,?))", merge)
    updates = [
        (line, f"{name} = s.{name}{comma}")
        for line, name, comma in assignments
        # A key cannot change, and a file of one row has it in the same line each time.
        if name not in ("certificate_number", "row_no", *RECOGNITION)
    ]
    updates.append(("s.record_key = c.record_key", "true"))
    removals = [("removed_at = null", "removed_at = s.removed_at"), ("removal = null", "removal = s.removal")]
    return list(dict.fromkeys([*updates, *removals]))


@pytest.mark.parametrize(("old", "new"), merged_columns())
def test_column_of_the_merge_that_is_switched_off_is_noticed(whole, change, old, new):
    change("load/merge.merge", old, new)
    with pytest.raises(Exception):  # noqa: B017, PT011 - a wrong value, or the database refuses
        walk(whole)


def without(field: str, names: tuple[str, ...]) -> property:
    """Return the names of a store table in whose lists `names` a field is missing."""
    whole_names = cast(property, StoreTable.names).fget
    assert whole_names is not None

    def changed(table: StoreTable) -> dict[str, sql.Composable]:
        kept = StoreTable(table.dataset, table.license_type, tuple(name for name in table.fields if name != field))
        return {**whole_names(table), **{name: whole_names(kept)[name] for name in names}}

    return property(changed)


# A key cannot change.
FIELDS = [
    name
    for name in load_catalog(project_home() / "include" / "catalog").standard_fields("certificate")
    if name != "certificate_number"
]


@pytest.mark.parametrize("names", [("set_fields",), ("columns", "values_of_new")], ids=["update", "insert"])
@pytest.mark.parametrize("field", FIELDS)
def test_field_that_the_merge_leaves_out_is_noticed(whole, monkeypatch, field, names):
    monkeypatch.setattr(StoreTable, "names", without(field, names))
    with pytest.raises(Exception):  # noqa: B017, PT011 - a wrong value, or the database refuses
        walk(whole)


def test_whether_a_certificate_is_valid_for_good_is_noticed(whole, monkeypatch):
    monkeypatch.setitem(store_table.OF_CERTIFICATES, "valid_without_end", sql.NULL)
    with pytest.raises(AssertionError):
        walk(whole)


def arguments_of(request, test: Callable[..., None]) -> dict[str, Any]:
    """Ask for the fixtures that a test takes, under which it is walked once more."""
    wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
    return {fixture: request.getfixturevalue(fixture) for fixture in wanted}


NEW: list[tuple[str, Callable[..., None]]] = [
    ("district_delivered", walk),
    ("removed_at", operations.test_delete_that_comes_before_its_insert_wins_when_it_is_newer),
    ("removal", operations.test_delete_that_comes_before_its_insert_wins_when_it_is_newer),
    ("received_hash", recognised.test_same_rows_in_another_order_are_recognised_and_nothing_is_written),
    ("warning_set", recognised.test_same_rows_in_another_order_are_recognised_and_nothing_is_written),
]
"""What a new record gets that the table takes without, and the test that notices."""


@pytest.mark.parametrize(("name", "test"), NEW, ids=[name for name, _ in NEW])
def test_value_of_a_new_record_that_is_left_out_is_noticed(request, monkeypatch, name, test):
    assert name in store_table.NEW_VALUES
    monkeypatch.setitem(store_table.NEW_VALUES, name, sql.NULL)
    arguments = arguments_of(request, test)
    with pytest.raises(Exception):  # noqa: B017, PT011 - a wrong value, or the database refuses
        test(**arguments)


BRANCHES: list[tuple[str, str, str, Callable[..., None]]] = [
    # statement, what is switched off, what stands there instead, the test that notices
    ("load/classify.classify", "critical <> '{{}}'", "false", operations.test_delete_without_key_and_unknown_operation_are_quarantined),
    ("load/recognise.repeated_hash", "having count(*) > 1", "having count(*) > 9", operations.test_of_one_certificate_in_one_delivery_the_newest_operation_counts),
    ("load/classify.classify", "or removes\n", "\n", operations.test_delete_that_comes_before_its_insert_wins_when_it_is_newer),
    ("load/classify.classify", "or row_no in (select f.row_no from failed as f)\n", "\n", versions.test_file_that_is_looked_at_again_changes_nothing_and_says_so),
    ("load/classify.classify", "or row_no in (select d.row_no from older_in_batch as d)\n", "\n", operations.test_of_one_certificate_in_one_delivery_the_newest_operation_counts),
    ("validate/outcome.keep_failed_text", "where m.critical <> '{}'", "where false", versions.test_file_that_is_looked_at_again_changes_nothing_and_says_so),
    ("load/classify.classify", "c.version_at desc, c.row_no desc", "c.version_at asc, c.row_no desc", operations.test_of_one_certificate_in_one_delivery_the_newest_operation_counts),
    ("load/classify.classify", "c.version_at desc, c.row_no desc", "c.version_at desc, c.row_no asc", operations.test_of_one_certificate_in_one_delivery_the_newest_operation_counts),
    ("load/classify.classify", "or s.version_at <= c.version_at", "or true", operations.test_wrong_row_older_than_what_the_store_has_is_superseded),
    ("load/classify.classify", "or c.version_at = %(undated)s::timestamptz", "", operations.test_delete_is_quarantined_when_its_time_or_key_would_spoil_what_comes_later),
    ("load/classify.classify", "case when c.removes then 'deleted' else 'inserted' end", "'inserted'", operations.test_delete_that_comes_before_its_insert_wins_when_it_is_newer),
    ("load/classify.classify", "c.removes and s.removal = 'deleted' and (c.version_at <= s.version_at", "false and (c.version_at <= s.version_at", operations.test_delete_that_comes_again_is_unchanged),
    ("load/classify.classify", "when not c.removes and s.removal is null and s.row_hash = c.row_hash then 'unchanged'", "", versions.test_redelivered_rows_that_go_through_the_whole_pipeline_write_nothing),
    ("load/classify.classify", "and s.removal is null and s.row_hash", "and s.row_hash", operations.test_certificate_that_a_whole_register_no_longer_holds_is_marked),
    ("load/classify.classify", "c.version_at < s.version_at", "false", operations.test_row_older_than_the_delete_does_not_bring_the_certificate_back),
    ("load/classify.classify", "when c.removes then 'deleted'\n", "\n", operations.test_delete_marks_the_certificate_with_its_time_and_keeps_what_was_known),
    ("load/merge.merge", "when matched and c.removes then", "when matched and false then", operations.test_delete_marks_the_certificate_with_its_time_and_keeps_what_was_known),
    ("load/merge.merge", "            received_hash = c.received_hash,", "            received_hash = s.received_hash,", recognised.test_row_of_a_version_that_was_replaced_is_not_recognised),
    ("load/merge.remember_warnings", "critical = '{}'", "critical <> '{}'", recognised.test_same_rows_in_another_order_are_recognised_and_nothing_is_written),
    ("load/merge.remember_received", "received_hash = c.received_hash", "received_hash = s.received_hash", recognised.test_row_written_otherwise_is_unchanged_and_recognised_the_next_time),
    ("load/recognise.recognise", "coalesce(s.received_hash = k.received_hash, false)", "s.received_hash is not null", recognised.test_only_what_is_new_or_otherwise_goes_through_the_whole_pipeline),
    ("load/recognise.repeated_hash", "having count(*) > 1", "having count(*) > 9", recognised.test_record_that_comes_twice_in_a_delivery_goes_through_the_whole_pipeline),
    ("load/recognise.recognise", "s.removal is null and ", "", recognised.test_row_of_a_record_that_was_deleted_is_older_than_the_delete),
    ("load/recognise.recognise", "q.record_key = k.record_key", "false", recognised.test_problem_of_a_record_is_settled_by_the_row_that_is_in_the_store),
    ("load/recognise.writing_batches", "> 0", "> 9", recognised.test_batch_is_staged_anew_when_another_wrote_meanwhile),
    ("load/disappeared.mark_disappeared", "where r.record_key = s.record_key", "where false", recognised.test_register_marks_what_it_no_longer_holds_and_nothing_that_it_recognised),
    ("load/merge.keep_history", "in ('updated', 'deleted')", "in ('updated')", operations.test_delete_marks_the_certificate_with_its_time_and_keeps_what_was_known),
    ("load/merge.keep_history", "in ('updated', 'deleted')", "in ('deleted')", versions.test_newer_row_updates_and_the_old_version_is_kept),
    ("load/settle.settle", "case when c.removes then 'deleted' else 'corrected' end", "'corrected'", operations.test_problem_of_a_certificate_that_is_deleted_is_closed),
    ("load/settle.settle", "q.version_at < c.version_at\n            or (", "(", operations.test_problem_is_corrected_by_a_newer_row_of_the_same_delivery),
    ("load/settle.settle", "'unchanged', 'deleted')", "'unchanged')", operations.test_problem_of_a_certificate_that_is_deleted_is_closed),
    ("load/settle.settle", "('inserted', ", "(", operations.test_problem_is_corrected_by_a_newer_row_of_the_same_delivery),
    ("load/settle.settle", "q.last_batch_id < %(batch_id)s and b.landed_at <= %(landed_at)s\n            )", "q.last_batch_id <= %(batch_id)s)", replayed.test_problem_that_came_later_is_not_solved_by_an_older_delivery),
    ("load/classify.classify", "(b.landed_at, b.batch_id) > (%(landed_at)s::timestamptz, %(batch_id)s)", "false", replayed.test_older_delivery_does_not_win_over_one_of_the_same_version),
    ("load/quarantine.quarantine", "settled.status in ('corrected', 'closed')", "settled.status = 'corrected'", replayed.test_problem_that_was_settled_since_is_not_opened_again),
    ("load/disappeared.comparable", "%(unreadable)s > 0\n            or exists", "exists", operations.test_register_with_a_row_without_key_marks_nothing_and_says_so),
    ("load/disappeared.comparable", "where record_key is null", "where false", operations.test_register_with_a_row_without_key_marks_nothing_and_says_so),
    ("load/disappeared.comparable", "landed_at > %(landed_at)s", "false", operations.test_register_that_is_released_after_a_newer_one_marks_nothing),
    ("load/classify.classify", "                and not g.is_gone_since\n", "", replayed.test_wrong_row_of_an_older_register_is_no_problem_of_what_is_gone),
    ("load/classify.classify", "g.is_gone_since\n                or (c.version_at", "(c.version_at", replayed.test_older_register_brings_nothing_back_that_a_newer_one_no_longer_held),
    ("load/classify.classify", " and not g.is_back", "", replayed.test_newer_register_brings_back_what_it_holds_whatever_time_its_row_bears),
    ("load/disappeared.mark_overtaken", "coalesce(w.landed_at, %(landed_at)s)", "%(landed_at)s", replayed.test_record_that_was_wrong_in_the_newer_register_is_there_all_the_same),
    ("load/disappeared.mark_disappeared", "and s.removal is null", "", operations.test_certificate_that_a_whole_register_no_longer_holds_is_marked),
    ("load/disappeared.mark_disappeared", "and s.feed = %(feed)s", "and %(feed)s = %(feed)s", operations.test_another_feeds_certificates_do_not_disappear),
    ("load/disappeared.mark_disappeared", "where c.record_key = s.record_key", "where false", recognised.test_register_marks_what_it_no_longer_holds_and_nothing_that_it_recognised),
    ("load/disappeared.mark_disappeared", "removal = 'disappeared',", "removal = 'deleted',", operations.test_certificate_that_a_whole_register_no_longer_holds_is_marked),
    ("load/classify.classify", "(c.version_at <= s.version_at or not %(is_dated)s::boolean)", "true", operations.test_newer_delete_outlives_a_change_that_was_made_before_it),
    ("load/classify.classify", " or not %(is_dated)s::boolean", "", operations.test_delete_without_a_time_that_comes_again_is_unchanged),
    ("load/disappeared.mark_disappeared", "s.record_key in (select g", "s.record_key not in (select g", operations.test_certificate_that_a_whole_register_no_longer_holds_is_marked),
    ("ledger/batches.has_older_unfinished", "'validated', 'held'", "'validated'", operations.test_register_that_came_after_a_held_one_outlives_its_release),
    ("ledger/batches.has_older_unfinished", "'landed', 'staged'", "'staged'", operations.test_register_that_came_behind_another_of_the_same_night_is_the_newest_word),
    ("ledger/batches.has_older_unfinished", "landed_at < %(landed_at)s", "%(landed_at)s is not null", operations.test_increment_that_came_before_a_held_one_is_closed_as_a_repeat),
    ("load/merge.confirm", "set version_at = c.version_at", "set version_at = s.version_at", versions.test_older_delivery_does_not_undo_what_a_later_one_confirmed),
    ("validate/staged_batch.has_rows", "exists(select from {table})", "false", operations.test_delete_without_key_and_unknown_operation_are_quarantined),
    ("stage/staging.deleting_row", "where removes", "where not removes", operations.test_delete_is_quarantined_when_its_time_or_key_would_spoil_what_comes_later),
    ("stage/staging.upserting_row", "where not removes", "", operations.test_delete_marks_the_certificate_with_its_time_and_keeps_what_was_known),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "test"), BRANCHES)
def test_branch_that_is_switched_off_is_noticed(request, change, make_row, name, old, new, test):
    change(name, old, new)
    arguments = arguments_of(request, test)
    with pytest.raises(Exception):  # noqa: B017, PT011 - the test's own assertion, or the balance
        test(**arguments)
