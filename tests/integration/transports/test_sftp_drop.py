"""A file drop behind SFTP: what holds for a folder holds here, and what the server does wrong is one clear line."""

import dataclasses
import datetime
import hashlib
import io
import json
import logging
import os
import shutil
import socket
import threading
import time
import traceback
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from openpyxl import Workbook
from tests.support.sftp_server import PASSWORD, sftp_server

from zhengku.errors import ConfigurationError, DeliveryRejected, DeliveryUnavailable, SourceRefused
from zhengku.landed.landing import LandingArea
from zhengku.settings import Settings, project_home
from zhengku.transports.file_drop import sftp_folder as drop_folder_sftp
from zhengku.transports.file_drop.model import FileDrop
from zhengku.transports.file_drop.source import FileDropSource
from zhengku.transports.source import Window


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    (folder / "out").mkdir(parents=True)
    with sftp_server(folder, tmp_path / "known_hosts") as served:
        yield served


@pytest.fixture
def landing(tmp_path):
    return LandingArea(str(tmp_path / "landing"))


def drop(**changes):
    return FileDrop(kind="file_drop", connection="hall", **{"folder": "out", "settle_seconds": 0, **changes})


def source(server, address=None, **changes):
    return FileDropSource(drop(**changes), address or server.address())


def lay(server, name, content=b"1,2\n", *, seconds_ago=3600):
    path = server.folder / "out" / name
    path.write_bytes(content)
    os.utime(path, (time.time() - seconds_ago,) * 2)
    return path


def landed_files(landing):
    return [path for path in Path(landing.url).rglob("*") if path.is_file()]


def refused(kind, server, address=None):
    with pytest.raises(kind) as failure:
        source(server, address).deliveries(Window())
    told = "".join(traceback.format_exception(failure.value))
    assert "\n" not in str(failure.value)
    assert PASSWORD not in told
    assert "p%40ss" not in told
    return str(failure.value)


# ---- what holds for a folder


def test_files_are_listed_oldest_first_and_land_untouched(server, landing):
    lay(server, "新.csv", b"new")
    lay(server, "旧.csv", b"old", seconds_ago=7200)
    for other in ("x.txt", ".hidden.csv", "y.csv.part", "旧.csv.manifest.json"):
        lay(server, other)
    # The manifest must be one that can be read.
    lay(server, "旧.csv.manifest.json", b'{"rows": 5}')
    drop_source = source(server)
    deliveries = drop_source.deliveries(Window())
    assert [(each.name, each.size, each.is_file) for each in deliveries] == [("旧.csv", 3, True), ("新.csv", 3, True)]
    assert deliveries[0].manifest_at is not None
    assert deliveries[1].manifest_at is None
    collected = drop_source.land(deliveries[0], landing, "a/1.csv")
    assert collected.manifest.rows == 5
    with landing.open("a/1.csv") as content:
        assert content.read() == b"old"


@pytest.mark.slow
def test_large_file_lands_whole_and_in_seconds(server, landing):
    content = os.urandom(1024) * (48 * 1024) + b"end"
    lay(server, "1.csv", content)
    drop_source = source(server)
    [delivery] = drop_source.deliveries(Window())
    begin = time.monotonic()
    landed = drop_source.land(delivery, landing, "a/1.csv").landed
    assert time.monotonic() - begin < 20
    assert landed.digests["sha256"] == hashlib.sha256(content).hexdigest()


def test_connection_is_closed_after_every_call_even_a_failed_one(server, landing):
    path = lay(server, "1.csv")
    drop_source = source(server)
    [delivery] = drop_source.deliveries(Window())
    path.unlink()
    with pytest.raises(DeliveryUnavailable):
        drop_source.land(delivery, landing, "a/1.csv")
    deadline = time.monotonic() + 5
    while server.open_now and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (server.sessions, server.open_now) == (2, 0)


def test_gbk_name_is_shown_as_text_and_its_manifest_is_found(server, landing):
    raw = os.fsencode(server.folder) + b"/out/" + "营业执照".encode("gb18030") + b".csv"
    Path(os.fsdecode(raw)).write_bytes(b"content")
    Path(os.fsdecode(raw + b".manifest.json")).write_text('{"rows": 1}')
    drop_source = source(server, manifest="required", pattern="营业*.csv")
    [delivery] = drop_source.deliveries(Window())
    assert delivery.name == "营业执照.csv"
    assert drop_source.land(delivery, landing, "a/1.csv").manifest.rows == 1


def test_folder_and_empty_file_are_rejected(server, landing):
    (server.folder / "out" / "1.csv").mkdir()
    lay(server, "2.csv", b"")
    drop_source = source(server)
    rules = []
    for delivery in sorted(drop_source.deliveries(Window()), key=lambda each: each.name):
        with pytest.raises(DeliveryRejected) as failure:
            drop_source.land(delivery, landing, "a/1.csv")
        rules.append(failure.value.rule)
    assert rules == ["file.kind", "file.empty"]


def test_file_without_its_required_manifest_is_left_for_the_next_run(server):
    lay(server, "1.csv")
    assert source(server, manifest="required").deliveries(Window()) == []


def test_wrong_digest_comes_with_a_rejection(server, landing):
    lay(server, "1.csv")
    lay(server, "1.csv.manifest.json", json.dumps({"sha256": "0" * 64}).encode())
    drop_source = source(server)
    [delivery] = drop_source.deliveries(Window())
    assert drop_source.land(delivery, landing, "a/1.csv").rejection.rule == "file.digest"


@pytest.mark.parametrize("rest", [b"", b"more than there was" * 200_000], ids=["shorter", "longer"])
def test_file_that_changes_while_it_is_read_is_unavailable(server, landing, rest):
    path = lay(server, "1.csv", os.urandom(3_000_000))
    drop_source = source(server)
    [delivery] = drop_source.deliveries(Window())
    with pytest.raises(DeliveryUnavailable, match="changed while it was read"):
        drop_source.land(delivery, landing, "a/1.csv", lambda amount: path.write_bytes(rest))
    assert landed_files(landing) == []


def test_file_that_is_still_written_to_is_unavailable(server, landing):
    path = lay(server, "1.csv")
    drop_source = source(server)
    [delivery] = drop_source.deliveries(Window())
    path.write_bytes(b"1,2\n3,4\n")
    with pytest.raises(DeliveryUnavailable, match="still being written"):
        drop_source.land(delivery, landing, "a/1.csv")


def test_missing_folder_is_unavailable(server):
    with pytest.raises(DeliveryUnavailable, match="no such file"):
        source(server, folder="elsewhere").deliveries(Window())


# ---- who answers, and who asks


def test_unknown_host_key_is_refused_with_its_fingerprint_and_the_fix(server):
    server.known_hosts.write_text("")
    told = refused(SourceRefused, server)
    assert server.host_key.fingerprint in told
    assert f"ssh-keyscan -p {server.port} 127.0.0.1" in told


def test_missing_file_of_host_keys_is_as_good_as_an_empty_one(server):
    server.known_hosts.unlink()
    assert "ssh-keyscan" in refused(SourceRefused, server)


def test_changed_host_key_is_refused(server):
    server.trust(paramiko.ECDSAKey.generate())
    assert "is another than" in refused(SourceRefused, server)


def test_wrong_password_is_refused(server):
    told = refused(SourceRefused, server, server.address(password="p@ss:other"))
    assert "refused the login" in told
    assert "ZHENGKU_CONN_HALL" in told
    assert "other" not in told


def test_server_without_sftp_is_refused(server):
    server.gives_sftp = False
    assert "gives no SFTP" in refused(SourceRefused, server)


def key_file(path, password=None):
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption))
    return paramiko.Ed25519Key.from_private_key_file(str(path), password)


@pytest.mark.parametrize("password", [None, "key@pass"])
def test_key_opens_the_drop_without_a_password_of_the_server(server, tmp_path, password):
    server.accepted_key = key_file(tmp_path / "key", password)
    lay(server, "1.csv")
    address = server.address(password=password, identity=str(tmp_path / "key"))
    assert len(source(server, address).deliveries(Window())) == 1


def test_key_that_the_server_does_not_know_is_refused(server, tmp_path):
    key_file(tmp_path / "key")
    told = refused(SourceRefused, server, server.address(password=None, identity=str(tmp_path / "key")))
    assert "refused the login" in told


def test_key_that_cannot_be_used_is_a_matter_of_configuration(server, tmp_path):
    key_file(tmp_path / "locked", "key@pass")
    (tmp_path / "text").write_text("no key")
    for name, password in (("gone", None), ("text", None), ("locked", None), ("locked", "wrong")):
        told = refused(ConfigurationError, server, server.address(password=password, identity=str(tmp_path / name)))
        assert "ZHENGKU_CONN_HALL" in told


@pytest.mark.parametrize(
    "address",
    [
        "sftp://drop:Sesam/oeffne@host/x",
        "sftp://drop:Sesam@oeffne@host/x",
        "sftp://drop:Sesam#oeffne@host/x",
        "sftp://drop:Sesam?oeffne@host/x",
        "sftp://drop:Sesam[oeffne@host/x",
        "sftp://drop:Sesam:oeffne",
        "sftp://drop@host/x",
        "sftp://:Sesam@host/x",
        "sftp:///x",
        "sftp://drop:Sesam@host/x?oeffne=1",
        "ftp://drop:Sesam@host/x",
    ],
)
def test_address_that_cannot_be_used_is_never_shown(address):
    with pytest.raises(ConfigurationError, match="ZHENGKU_CONN_HALL: expected") as failure:
        FileDropSource(drop(), address).deliveries(Window())
    told = str(failure.value)
    assert "Sesam" not in told
    assert "oeffne" not in told


# ---- the network


def test_server_that_is_down_is_unavailable(server):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = server.address().replace(f":{server.port}/", f":{port}/")
    assert "cannot be reached" in refused(DeliveryUnavailable, server, address)


def test_host_without_address_is_unavailable(server):
    refused(DeliveryUnavailable, server, server.address().replace("127.0.0.1", "drop.invalid"))


def test_port_that_speaks_no_ssh_is_unavailable(server, monkeypatch):
    monkeypatch.setattr(drop_folder_sftp, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as dumb:
        address = server.address().replace(f":{server.port}/", f":{dumb.getsockname()[1]}/")
        refused(DeliveryUnavailable, server, address)


@pytest.mark.parametrize("fault", ["lose_after", "silent_after"])
def test_connection_that_ends_while_a_file_is_read_is_unavailable(server, landing, monkeypatch, fault):
    monkeypatch.setattr(drop_folder_sftp, "ANSWER_SECONDS", 1)
    lay(server, "1.csv", os.urandom(4_000_000))
    drop_source = source(server)
    [delivery] = drop_source.deliveries(Window())
    setattr(server, fault, 2_000_000)
    with pytest.raises(DeliveryUnavailable, match=r"1\.csv cannot be read from the file drop: the (connection|server)"):
        drop_source.land(delivery, landing, "a/1.csv")
    assert landed_files(landing) == []


def test_file_that_drips_is_given_up_as_a_whole(server, landing, monkeypatch, caplog):
    """Every answer comes in time, and the file never ends."""
    monkeypatch.setattr(drop_folder_sftp, "WHOLE_SECONDS", 2)
    lay(server, "1.csv", os.urandom(4_000_000))
    drop_source = source(server)
    [delivery] = drop_source.deliveries(Window())
    server.drip_after = 100_000
    begin = time.monotonic()
    with caplog.at_level(logging.WARNING), pytest.raises(DeliveryUnavailable, match="the connection was lost"):
        drop_source.land(delivery, landing, "a/1.csv")
    assert time.monotonic() - begin < 8
    assert "it took longer than 2 s" in caplog.text
    assert PASSWORD not in caplog.text
    assert landed_files(landing) == []


def test_server_that_holds_sftp_back_is_given_up(server, monkeypatch):
    monkeypatch.setattr(drop_folder_sftp, "LOGIN_SECONDS", 2)
    server.holds_sftp_back = True
    begin = time.monotonic()
    assert "cannot be reached" in refused(DeliveryUnavailable, server)
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("first", [b"", b"SSH-2.0-made_up\r\n"], ids=["banner", "keys"])
def test_login_that_drips_is_given_up(server, monkeypatch, first):
    monkeypatch.setattr(drop_folder_sftp, "LOGIN_SECONDS", 2)
    stopped = threading.Event()

    def drip():
        connection, _ = listening.accept()
        with connection:
            try:
                connection.sendall(first)
                while not stopped.wait(0.1):
                    connection.sendall(b"x")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip)
        dripping.start()
        address = server.address().replace(f":{server.port}/", f":{listening.getsockname()[1]}/")
        begin = time.monotonic()
        refused(DeliveryUnavailable, server, address)
        took = time.monotonic() - begin
        stopped.set()
        dripping.join(5)
    assert took < 15


# ---- the whole pipeline


def spreadsheet(rows):
    book = Workbook()
    sheet = book.active
    sheet.append(["鄂州市营业执照登记簿（虚构）"])
    sheet.merge_cells("A1:J1")
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.fixture
def distant(installation, server, tmp_path):
    """An installation whose department lays spreadsheets with manifests behind SFTP."""
    catalog = tmp_path / "catalog"
    shutil.copytree(project_home() / "include" / "catalog", catalog)
    department = catalog / "departments" / "market_supervision.yaml"
    text = department.read_text()
    for ours, changed in (
        ('pattern: "*.csv"', 'pattern: "*.xlsx"'),
        ("folder: business_license", "folder: out"),
        ("manifest: optional", "manifest: required"),
        ('{kind: csv, encodings: [utf-8, gb18030], delimiter: ","}', "{kind: xlsx}"),
    ):
        assert ours in text
        text = text.replace(ours, changed, 1)
    department.write_text(text)
    environment = {
        **installation.settings.environment,
        "ZHENGKU_CATALOG_DIR": str(catalog),
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": server.address(),
    }
    return dataclasses.replace(installation, settings=Settings(home=project_home(), environment=environment))


def deliver(server, name, content, **manifest):
    lay(server, name, content)
    lay(server, f"{name}.manifest.json", json.dumps(manifest).encode())


def test_spreadsheet_behind_sftp_is_loaded_and_its_sum_is_no_certificate(distant, server, make_row, header):
    rows = [header.split(","), *(make_row(number).split(",") for number in (1, 2)), ["合计", *[None] * 9]]
    rows[1][2] = datetime.date(2020, 5, 1)
    content = spreadsheet(rows)
    deliver(server, "营业执照.xlsx", content, rows=3, sha256=hashlib.sha256(content).hexdigest())
    batch = distant.run_one()
    assert (batch.status, batch.fetched, batch.inserted, batch.footers) == ("loaded", 2, 2, 1)
    assert distant.query("select distinct issue_date from store.certificate") == [(datetime.date(2020, 5, 1),)]
    assert distant.query("select first_row_no from quarantine.problem_row") == []
    # Nothing new: the newest file is looked at once more, and nothing is written.
    again = distant.run_one()
    assert (again.status, again.written) == ("loaded", 0)


def test_spreadsheet_that_lacks_rows_of_its_manifest_is_rejected(distant, server, make_row, header):
    content = spreadsheet([header.split(","), make_row(1).split(",")])
    deliver(server, "1.xlsx", content, rows=2)
    assert distant.run_one().rule_id == "file.count"


def test_text_in_place_of_a_spreadsheet_is_rejected(distant, server, make_row, header):
    deliver(server, "1.xlsx", f"{header}\n{make_row(1)}\n".encode(), rows=1)
    assert distant.run_one().rule_id == "file.not_workbook"
