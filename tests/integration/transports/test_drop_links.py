"""Links in a drop are not followed, and only files are opened: on real folders and behind real SFTP."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.sftp_server import sftp_server

from zhengku import ledger
from zhengku.database import store_connection
from zhengku.errors import DeliveryUnavailable
from zhengku.landed.landing import LandingArea
from zhengku.settings import Settings
from zhengku.transports.file_drop.folder import LocalFolder, open_folder
from zhengku.transports.file_drop.model import FileDrop
from zhengku.transports.file_drop.source import FileDropSource
from zhengku.transports.source import Window

LINK = "是链接（快捷方式），不跟随链接，未采集；请提交文件本身"
NO_FILE = "不是普通文件（管道、设备或套接字），未采集；请提交普通文件"
SECRET = b"secret,of,this,machine\n1,2,3,4\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder outside of the drop with a file that may not be read through it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    path = folder / "secret.csv"
    path.write_bytes(SECRET)
    age(path)
    return path


@pytest.fixture(params=["local", "sftp"])
def drop(request, installation, tmp_path):
    """The installation's drop as a folder of this machine, or behind SFTP."""
    with ExitStack() as stack:
        if request.param == "sftp":
            server = stack.enter_context(sftp_server(tmp_path / "drop", tmp_path / "known_hosts"))
            environment = {
                **installation.settings.environment,
                "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": server.address(),
            }
            installation.settings = Settings(home=installation.settings.home, environment=environment)
            installation.server = server
        yield installation


def age(path: Path) -> None:
    moment = time.time() - 3600
    os.utime(path, (moment, moment), follow_symlinks=False)


def told(installation):
    with store_connection(installation.settings.database_url) as connection:
        found = ledger.untaken(connection, department="market_supervision")
    return {file.name: file.reason for file in found}


def landed(installation) -> bytes:
    landing = Path(installation.settings.landing_url)
    return b"".join(path.read_bytes() for path in landing.rglob("*") if path.is_file())


def source(installation, **changes) -> FileDropSource:
    address = installation.settings.environment["ZHENGKU_CONN_MARKET_SUPERVISION_DROP"]
    values = {"folder": "business_license", "settle_seconds": 0, "manifest": "none", **changes}
    return FileDropSource(FileDrop(kind="file_drop", connection="hall", **values), address)


def test_links_pipes_and_sockets_are_passed_over_and_told(drop, make_row, secret):
    drop.deliver_rows("1.csv", make_row(1))
    folder = drop.drop
    (folder / "outside.csv").symlink_to(secret)
    (folder / "inside.csv").symlink_to("1.csv")
    (folder / "nothing.csv").symlink_to(folder / "gone.csv")
    (folder / "circle.csv").symlink_to("circle.csv")
    (folder / "deep").symlink_to(secret.parent)
    (folder.parent / "machine").symlink_to("/")
    os.mkfifo(folder / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        # The path of a socket is short: it is named from its folder.
        here = Path.cwd()
        os.chdir(folder)
        try:
            listening.bind("socket.csv")
        finally:
            os.chdir(here)
    begin = time.monotonic()
    [batch] = drop.run("night-1")
    assert time.monotonic() - begin < 60
    assert (batch.source_name, batch.status, batch.inserted) == ("1.csv", "loaded", 1)
    links = ("outside.csv", "inside.csv", "nothing.csv", "circle.csv", "deep")
    assert told(drop) == {
        **{f"business_license/{name}": LINK for name in links},
        "machine": LINK,
        "business_license/pipe.csv": NO_FILE,
        "business_license/socket.csv": NO_FILE,
    }
    assert b"secret" not in landed(drop)
    page = drop.pipeline.conclude("market_supervision", "night-1").read_text(encoding="utf-8")
    assert LINK in page
    assert NO_FILE in page


def test_folder_that_is_a_link_is_not_read(drop, make_row, secret, tmp_path):
    drop.deliver_rows("1.csv", make_row(1))
    real = tmp_path / "elsewhere"
    drop.drop.rename(real)
    drop.drop.symlink_to(real)
    with pytest.raises(DeliveryUnavailable, match="it is a link, or in a folder that is one"):
        source(drop).deliveries(Window())
    with pytest.raises(DeliveryUnavailable):
        drop.run("night-1")
    assert told(drop) == {"business_license": LINK}


def test_folder_within_a_link_is_not_read(drop, secret):
    (drop.drop / "deep").symlink_to(secret.parent)
    (secret.parent / "deeper").mkdir()
    for folder in ("business_license/deep", "business_license/deep/deeper"):
        with pytest.raises(DeliveryUnavailable, match="it is a link, or in a folder that is one"):
            source(drop, folder=folder).deliveries(Window())


def test_address_itself_may_be_a_link(installation, make_row, tmp_path):
    installation.deliver_rows("1.csv", make_row(1))
    (tmp_path / "mounted").symlink_to(installation.drop.parent)
    environment = {
        **installation.settings.environment,
        "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(tmp_path / "mounted"),
    }
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    assert installation.run_one().status == "loaded"
    assert told(installation) == {}


def test_manifest_that_is_a_link_or_a_pipe_keeps_the_file_from_being_taken_unchecked(drop, make_row, secret, tmp_path):
    drop.deliver_rows("1.csv", make_row(1))
    manifest = drop.drop / "1.csv.manifest.json"
    manifest.symlink_to(secret)
    drop_source = source(drop, manifest="optional")
    [delivery] = drop_source.deliveries(Window())
    with pytest.raises(DeliveryUnavailable, match=r"1\.csv\.manifest\.json .*it is a link"):
        drop_source.land(delivery, LandingArea(str(tmp_path / "landed")), "a/1.csv")
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(DeliveryUnavailable, match=r"1\.csv\.manifest\.json .*a pipe"):
        drop_source.land(delivery, LandingArea(str(tmp_path / "landed")), "a/1.csv")


@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "folder link"])
def test_file_exchanged_after_it_was_seen_is_not_opened(tmp_path, secret, kind):
    folder = tmp_path / "drop" / "in"
    folder.mkdir(parents=True)
    path = folder / "1.csv"
    path.write_bytes(b"1,2\n")
    root = LocalFolder(tmp_path / "drop").below(b"in")
    assert root.entry(b"1.csv").is_file
    path.unlink()
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            here = Path.cwd()
            os.chdir(folder)
            try:
                listening.bind("1.csv")
            finally:
                os.chdir(here)
    else:
        folder.rmdir()
        (secret.parent / "1.csv").write_bytes(SECRET)
        folder.symlink_to(secret.parent)
    begin = time.monotonic()
    with pytest.raises(OSError, match="link" if "link" in kind else "no file but a pipe"), root.open(b"1.csv"):
        pass
    assert time.monotonic() - begin < 5


def test_file_and_link_that_change_places_all_the_time_never_show_what_is_outside(tmp_path, secret):
    folder = tmp_path / "drop" / "in"
    folder.mkdir(parents=True)
    (folder / "plain").write_bytes(b"1,2\n")
    (folder / "link").symlink_to(secret)
    root = LocalFolder(tmp_path / "drop", (b"in",))
    stopped = threading.Event()

    def exchange() -> None:
        while not stopped.is_set():
            for kind in ("plain", "link"):
                os.link(folder / kind, folder / "next", follow_symlinks=False)
                (folder / "next").rename(folder / "1.csv")
                (folder / "next").unlink(missing_ok=True)

    changing = threading.Thread(target=exchange)
    (folder / "1.csv").write_bytes(b"1,2\n")
    changing.start()
    read, refused = set(), 0
    try:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            try:
                with root.open(b"1.csv") as content:
                    read.add(content.read(100))
            except OSError:
                refused += 1
    finally:
        stopped.set()
        changing.join()
    assert read == {b"1,2\n"}
    assert refused > 0


@pytest.mark.parametrize("back", [False, True], ids=["stays", "and back"])
def test_file_exchanged_for_a_link_while_sftp_opens_it_is_not_read(tmp_path, secret, back):
    folder = tmp_path / "drop" / "in"
    folder.mkdir(parents=True)
    path = folder / "1.csv"
    path.write_bytes(b"1,2\n")
    age(path)
    with sftp_server(tmp_path / "drop", tmp_path / "known_hosts") as server:
        drop_source = FileDropSource(
            FileDrop(kind="file_drop", connection="hall", folder="in", settle_seconds=0), server.address()
        )
        [delivery] = drop_source.deliveries(Window())

        def exchange(opened: Path) -> None:
            opened.rename(folder / "kept")
            opened.symlink_to(secret)

        def restore(opened: Path) -> None:
            opened.unlink()
            (folder / "kept").rename(opened)

        server.opening = exchange
        if back:
            server.opened = restore
        with pytest.raises(DeliveryUnavailable, match="exchanged while it was opened" if back else "it is a link"):
            drop_source.land(delivery, LandingArea(str(tmp_path / "landed")), "a/1.csv")
    assert not [path for path in (tmp_path / "landed").rglob("*") if path.is_file()]


def test_folder_of_sftp_that_becomes_a_link_is_not_read(tmp_path, secret):
    (tmp_path / "drop" / "in").mkdir(parents=True)
    with (
        sftp_server(tmp_path / "drop", tmp_path / "known_hosts") as server,
        open_folder(server.address(), "in", "hall") as folder,
    ):
        assert folder.names() == {}
        (tmp_path / "drop" / "in").rmdir()
        (tmp_path / "drop" / "in").symlink_to(secret.parent)
        with pytest.raises(OSError, match="it is a link"):
            folder.names()
        with pytest.raises(OSError, match="it is a link"), folder.open(b"secret.csv"):
            pass
