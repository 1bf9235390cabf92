"""What the file drop, the landing area and the database do wrong comes out as one clear line, without personal data."""

import errno
import io
import os
import shutil
import stat
import time
import traceback
from pathlib import Path

import psycopg
import pytest
from tests.support.changed_department import change_department
from tests.support.command_line import zhengku

from zhengku.database import store_connection, upgrade
from zhengku.errors import (
    CatalogError,
    ConfigurationError,
    DeliveryRejected,
    DeliveryUnavailable,
    FeedsRefused,
    FeedsUnavailable,
    StoreError,
    StoreUnavailable,
)
from zhengku.landed.landing import LandingArea
from zhengku.settings import Settings
from zhengku.stage.staging import copy_rows
from zhengku.transports.file_drop.source import FileDropSource
from zhengku.transports.source import Window

PERSON = "张虚构四二〇一"


def everything_told(error):
    """Return the message and the traceback that a log would get."""
    return "".join(traceback.format_exception(error))


def in_store(url, work):
    with store_connection(url) as connection:
        work(connection)


def drop_of(installation):
    return installation.pipeline.catalog.feed("market_supervision", "business_license").transport


def source_of(installation, **changes):
    return FileDropSource(drop_of(installation).model_copy(update=changes), str(installation.drop.parent))


def listed(installation, **changes):
    return source_of(installation, **changes).deliveries(Window())


# ---- the database


def test_terminated_session_is_a_lost_connection(installation):
    def work(connection):
        installation.query("select pg_terminate_backend(%s)", connection.info.backend_pid)
        connection.execute("select 1")

    with pytest.raises(StoreUnavailable, match=r"was lost: .*rolled back; run it again"):
        in_store(installation.settings.database_url, work)


def test_session_lost_before_the_commit_is_a_lost_connection(installation):
    def work(connection):
        connection.execute("create schema left_over")
        installation.query("select pg_terminate_backend(%s)", connection.info.backend_pid)

    with pytest.raises(StoreUnavailable, match="was lost"):
        in_store(installation.settings.database_url, work)
    assert installation.query("select to_regnamespace('left_over')") == [(None,)]


def test_cancelled_statement_is_not_called_a_lost_connection(installation):
    def work(connection):
        connection.execute("set statement_timeout = 20")
        connection.execute("select pg_sleep(5)")

    with pytest.raises(StoreError, match=r"57014 QueryCanceled: .*statement timeout"):
        in_store(installation.settings.database_url, work)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("insert into holder (name) values (%s)", "23514 CheckViolation, table holder, constraint holder_name_short"),
        ("select %s::int", "22P02 InvalidTextRepresentation"),
        ("select (%s || chr(10))::date", "22007 InvalidDatetimeFormat"),
    ],
)
def test_values_of_a_row_reach_no_message_and_no_traceback(installation, statement, told):
    def work(connection):
        connection.execute("create temp table holder (name text constraint holder_name_short check (length(name) < 2))")
        connection.execute(statement, (PERSON,))

    with pytest.raises(StoreError) as failure:
        in_store(installation.settings.database_url, work)
    assert told in str(failure.value)
    assert "\n" not in str(failure.value)
    assert PERSON not in everything_told(failure.value)


def test_broken_constraint_at_commit_is_told_without_its_values(installation):
    def work(connection):
        connection.execute("create temp table holder (name text unique deferrable initially deferred)")
        connection.execute("insert into holder values (%(name)s), (%(name)s)", {"name": PERSON})

    with pytest.raises(StoreError, match="23505 UniqueViolation, table holder") as failure:
        in_store(installation.settings.database_url, work)
    assert PERSON not in everything_told(failure.value)


def test_migration_that_the_server_refuses_is_one_line(empty_database_url):
    with psycopg.connect(empty_database_url.replace("+psycopg", "")) as connection:
        connection.execute("create schema store")
        connection.execute("create table store.certificate (id int)")
    with pytest.raises(StoreError, match=r"refused a statement: 42P0[67] Duplicate") as failure:
        upgrade(empty_database_url)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "address",
    [
        "reader:Sesam#oeffne/dich@db.invalid/store",
        "reader:Sesam@oeffne@db.invalid/store",
        "reader:Sesam@oeffne:dich@db.invalid/store",
        "reader:1/Sesam@db.invalid/store",
        "reader:Sesam?oeffne@db.invalid/store",
        "reader:Sesam%zz@db.invalid/store",
        "reader:Sesam[oeffne@db.invalid/store",
        "reader:x@[Sesam/oeffne@db.invalid/store",
    ],
)
def test_password_that_is_not_encoded_is_never_shown(address):
    with pytest.raises(StoreUnavailable, match=r"percent-encoded|cannot be used") as failure:
        in_store(f"postgresql+psycopg://{address}?connect_timeout=1", lambda connection: None)
    assert "Sesam" not in everything_told(failure.value)
    assert "oeffne" not in everything_told(failure.value)


def test_rows_too_large_for_the_database_reject_the_file(installation, make_row, header):
    installation.deliver_rows("1.csv", make_row(1))
    [batch] = installation.pipeline.collect("market_supervision", "business_license", "night")
    feed = installation.pipeline.catalog.feed("market_supervision", "business_license")
    form = feed.transport.format.model_copy(update={"max_columns": 400})
    wide = feed.model_copy(update={"transport": feed.transport.model_copy(update={"format": form})})
    more = 400 - header.count(",") - 1
    content = (
        header + "".join(f",列{n}" for n in range(more)) + "\n" + make_row(1) + f",{PERSON}x" * more + "\n"
    ).encode()

    def work(connection):
        copy_rows(connection, batch, wide, io.BytesIO(content))

    with pytest.raises(DeliveryRejected, match="400 columns") as failure:
        in_store(installation.settings.database_url, work)
    assert failure.value.rule == "file.too_many_columns"
    assert PERSON not in everything_told(failure.value)


def test_rows_of_the_default_number_of_columns_fit_whatever_they_hold(installation, make_row, header):
    more = 200 - header.count(",") - 1
    installation.deliver(
        "1.csv", header + "".join(f",列{n}" for n in range(more)) + "\n" + make_row(1) + f",{PERSON}x" * more + "\n"
    )
    assert installation.run_one().inserted == 1


# ---- the file drop


def test_file_that_vanishes_after_it_was_listed_is_unavailable(installation, make_row):
    path = installation.deliver_rows("1.csv", make_row(1))
    [delivery] = listed(installation)
    path.unlink()
    with pytest.raises(DeliveryUnavailable, match=r"1\.csv is no longer in the file drop"):
        source_of(installation).land(delivery, installation.pipeline.landing, "a/b/1.csv")


def test_file_that_vanishes_does_not_keep_the_others_from_loading(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1), minutes_ago=60)
    second = installation.deliver_rows("2.csv", make_row(2), minutes_ago=50)
    installation.deliver_rows("3.csv", make_row(3), minutes_ago=40)
    pipeline = installation.pipeline
    # The department takes the second file back while the first is copied.
    pipeline.observe = lambda step, name, amount: second.unlink(missing_ok=True)
    batches = pipeline.collect("market_supervision", "business_license", "night")
    assert [batch.source_name for batch in batches] == ["1.csv", "3.csv"]


def test_manifest_that_cannot_be_read_is_unavailable(installation, make_row):
    path = installation.deliver_rows("1.csv", make_row(1))
    manifest = path.with_name("1.csv.manifest.json")
    manifest.symlink_to(manifest)
    [delivery] = listed(installation)
    for kind in ("required", "optional"):
        with pytest.raises(DeliveryUnavailable, match=r"1\.csv\.manifest\.json cannot be read .*: it is a link"):
            source_of(installation, manifest=kind).land(delivery, installation.pipeline.landing, "a/b/1.csv")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails")
def test_read_error_of_the_source_names_the_file_and_leaves_nothing_behind(installation, make_row):
    path = installation.deliver_rows("1.csv", make_row(1))
    [delivery] = listed(installation)
    landing = installation.pipeline.landing

    def break_off(amount):
        # Reading a process's memory at address 0 fails with EIO, as a share does whose server went away.
        open_files = [entry for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
        [reader] = [int(entry.name) for entry in open_files if entry.samefile(path)]
        memory = os.open("/proc/self/mem", os.O_RDONLY)
        os.dup2(memory, reader)
        os.close(memory)

    with pytest.raises(DeliveryUnavailable, match=f"1.csv cannot be read from the file drop: {os.strerror(errno.EIO)}"):
        source_of(installation).land(delivery, landing, "a/b/1.csv", break_off)
    assert [path for path in Path(landing.url).rglob("*") if path.is_file()] == []


def test_gbk_name_is_shown_as_text_and_its_manifest_is_found(installation, make_row, header):
    raw = os.fsencode(installation.drop) + b"/" + "营业执照".encode("gb18030") + b".csv"
    content = f"{header}\n{make_row(1)}\n".encode()
    Path(os.fsdecode(raw)).write_bytes(content)
    Path(os.fsdecode(raw + b".manifest.json")).write_text('{"rows": 1}')
    moment = time.time() - 3600
    os.utime(raw, (moment, moment))
    [delivery] = listed(installation)
    assert delivery.name == "营业执照.csv"
    assert delivery.raw_name == raw.rpartition(b"/")[2]
    required = source_of(installation, manifest="required", pattern="营业*.csv")
    assert required.deliveries(Window()) == [delivery]
    manifest = required.land(delivery, installation.pipeline.landing, "a/b/1.csv").manifest
    assert manifest is not None
    assert manifest.rows == 1
    batch = installation.run_one()
    assert (batch.source_name, batch.inserted) == ("营业执照.csv", 1)


def test_name_in_no_known_encoding_can_still_be_stored(installation, make_row, header):
    raw = os.fsencode(installation.drop) + b"/\xff\xff.csv"
    Path(os.fsdecode(raw)).write_text(f"{header}\n{make_row(1)}\n")
    moment = time.time() - 3600
    os.utime(raw, (moment, moment))
    assert installation.run_one().source_name == "\\xff\\xff.csv"


# ---- the landing area


def test_file_in_place_of_the_landing_folder_is_a_matter_of_configuration(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1))
    Path(installation.settings.landing_url).write_text("")
    with pytest.raises(ConfigurationError, match="ZHENGKU_LANDING_URL") as failure:
        installation.run()
    assert "department" not in str(failure.value)
    assert installation.query("select count(*) from ledger.batch") == [(0,)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_landing_folder_without_the_right_to_write_is_a_matter_of_configuration(tmp_path):
    (tmp_path / "landing").mkdir(mode=0o500)
    with pytest.raises(ConfigurationError, match="ZHENGKU_LANDING_URL"):
        LandingArea(str(tmp_path / "landing")).put(io.BytesIO(b"1"), "a/b/1.csv")


def test_folder_is_made_durable_after_the_file_has_its_name(tmp_path, monkeypatch):
    target = tmp_path / "landing" / "a" / "1.csv"
    synced = []
    fsync = os.fsync

    def recorded(descriptor):
        status = os.fstat(descriptor)
        synced.append((stat.S_ISDIR(status.st_mode), status.st_ino, target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    LandingArea(str(tmp_path / "landing")).put(io.BytesIO(b"1"), "a/1.csv")
    assert synced[-1] == (True, target.parent.stat().st_ino, True)
    assert (False, target.stat().st_ino, False) in synced


def test_what_a_killed_run_left_is_removed_after_a_day(tmp_path):
    landing = LandingArea(str(tmp_path / "landing"))
    landing.put(io.BytesIO(b"1"), "hall/feed/2026-01-01/1.csv")
    folder = tmp_path / "landing" / "hall" / "feed" / "2026-01-01"
    old, fresh = (folder / f"2.csv.{letter * 32}.part" for letter in "ab")
    delivered = folder / "3.part"
    elsewhere = tmp_path / f"4.csv.{'c' * 32}.part"
    for path in (old, fresh, delivered, elsewhere):
        path.write_bytes(b"x")
    for path in (old, delivered, elsewhere):
        os.utime(path, (time.time() - 90_000, time.time() - 90_000))
    os.utime(fresh, (time.time(), time.time()))
    landing.put(io.BytesIO(b"1"), "hall/feed/2026-01-03/1.csv")
    landing.put(io.BytesIO(b"1"), "5.csv")
    assert not old.exists()
    assert fresh.exists()
    assert delivered.exists()
    assert elsewhere.exists()


@pytest.fixture
def six_feeds(installation):
    """The installation with the whole shipped catalogue: one system, six feeds."""
    environment = {**installation.settings.environment}
    environment.pop("ZHENGKU_CATALOG_DIR")
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    return installation


def test_feeds_that_cannot_be_collected_do_not_keep_the_others_of_their_system_from_it(six_feeds, make_row):
    six_feeds.deliver_rows("a.csv", make_row(1))
    feeds = list(six_feeds.pipeline.catalog.department("market_supervision").feeds)
    with pytest.raises(FeedsUnavailable) as raised:
        six_feeds.pipeline.collect_feeds("market_supervision", [*feeds[1:], feeds[0]], "night")
    assert str(raised.value).startswith("5 of 6 feeds were not collected: ")
    assert all(f"{feed}: " in str(raised.value) for feed in feeds[1:])
    assert not raised.value.final
    assert six_feeds.query("select feed, status from ledger.batch") == [(feeds[0], "landed")]
    # The next try reads what is missing, and repeats nothing.
    with pytest.raises(FeedsUnavailable):
        six_feeds.pipeline.collect_feeds("market_supervision", feeds, "night")
    assert six_feeds.query("select feed, status from ledger.batch") == [(feeds[0], "landed")]


def test_feeds_of_which_none_can_be_collected_at_another_try_are_refused(six_feeds):
    environment = {**six_feeds.settings.environment}
    environment.pop("ZHENGKU_CONN_MARKET_SUPERVISION_DROP")
    six_feeds.settings = Settings(home=six_feeds.settings.home, environment=environment)
    feeds = list(six_feeds.pipeline.catalog.department("market_supervision").feeds)
    with pytest.raises(FeedsRefused, match="6 of 6 feeds were not collected"):
        six_feeds.pipeline.collect_feeds("market_supervision", feeds, "night")
    with pytest.raises(ConfigurationError):
        six_feeds.pipeline.collect_feeds("market_supervision", feeds[:1], "night")


def test_what_the_check_of_the_catalogue_refuses_is_not_collected(installation, tmp_path, make_row):
    installation.deliver_rows("a.csv", make_row(1))
    feeds = ["business_license"]
    shipped = dict(installation.settings.environment)
    change_department(
        installation, tmp_path, lambda text: text.replace("    suites: [certificate", "    suites: [certifcate")
    )
    with pytest.raises(CatalogError, match="unknown suite"):
        installation.pipeline.collect_feeds("market_supervision", feeds, "night")
    # Neither by hand, where the others of the department would be loaded.
    done = zhengku(dict(installation.settings.environment), "collect", "market_supervision")
    assert done.returncode == 1
    assert "unknown suite" in done.stderr
    assert installation.query("select count(*) from ledger.batch") == [(0,)]
    # What is wrong with another department keeps nobody from being collected.
    folder = Path(shipped["ZHENGKU_CATALOG_DIR"])
    other = tmp_path / "other_is_wrong"
    shutil.copytree(folder, other)
    (other / "departments" / "tobacco.yaml").write_text("department: tobaco\n", encoding="utf-8")
    environment = {**shipped, "ZHENGKU_CATALOG_DIR": str(other)}
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    [batch] = installation.pipeline.collect_feeds("market_supervision", feeds, "night")
    assert batch.status == "landed"
