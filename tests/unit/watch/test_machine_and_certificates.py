"""Free space, old passwords, and the last day of a server's certificate."""

import os
import shutil
import ssl
import threading
from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zhengku import clock
from zhengku.catalog.notices_config import NoticesConfig, load_notices
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import Settings, project_home
from zhengku.watch.certificates import https_addresses, read_last_days
from zhengku.watch.machine import find_on_machine

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def config() -> NoticesConfig:
    return load_notices(project_home() / "include" / "catalog")


def settings(folder: Path, **environment: str) -> Settings:
    values = {"ZHENGKU_LANDING_URL": str(folder / "landing"), "ZHENGKU_REPORT_DIR": str(folder / "reports")}
    return Settings(home=project_home(), environment={**values, **environment})


@pytest.mark.parametrize(("free", "expected"), [(11, []), (9, ["problem"]), (3, ["urgent"])])
def test_disk_that_is_nearly_full_is_told_once_for_all_its_folders(tmp_path, monkeypatch, config, free, expected):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * 1024**3, 0, free * 1024**3))
    found = find_on_machine(settings(tmp_path), config, "worker-1", clock.now(), [tmp_path / "log"])
    assert [one.how_urgent for one in found] == expected
    for one in found:
        assert one.text == f"worker-1 的 {tmp_path / 'landing'} 所在磁盘仅余 {free}%（{free}.0 GB）"


def test_landing_area_elsewhere_is_no_disk_of_this_machine(tmp_path, monkeypatch, config):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: pytest.fail(place) if "s3:" in str(place) else Usage(10, 0, 9)
    )
    assert find_on_machine(settings(tmp_path, ZHENGKU_LANDING_URL="s3://bucket/x"), config, "w", clock.now()) == []


def test_password_that_nobody_changed_for_long_is_told_without_its_value(tmp_path, config):
    secret = tmp_path / "secret"
    secret.write_text("the password")
    old = clock.now() - timedelta(days=config.secret_days + 1)
    os.utime(secret, (old.timestamp(), old.timestamp()))
    here = settings(tmp_path, ZHENGKU_CONN_A_FILE=str(secret), HOME_FILE=str(secret), ZHENGKU_B_FILE="")
    [found] = find_on_machine(here, config, "w", clock.now())
    assert found.text == f"CONN_A 自 {old:%Y-%m-%d} 起未更换"
    assert find_on_machine(here, config.model_copy(update={"secret_days": 0}), "w", clock.now()) == []


# ---- certificates


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, datetime]]:
    """A server with a certificate of its own; its address, and the end of the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    # 17:30 in UTC is the next day in the city.
    end = (datetime.now(tz=UTC) - timedelta(days=3)).replace(hour=17, minute=30, second=0, microsecond=0)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made-up")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=30))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    web = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    thread = threading.Thread(target=web.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{web.server_port}", end
    web.shutdown()
    thread.join()
    web.server_close()


def test_last_day_is_read_from_the_server_also_when_it_is_over(server, caplog):
    address, end = server
    found = read_last_days([address, "127.0.0.1:1"])
    assert found == {address: end.astimezone(CITY_TIME_ZONE).date()}
    assert "127.0.0.1:1 cannot be read" in caplog.text


def test_addresses_are_those_of_sources_by_https_without_logins():
    environment = {
        "ZHENGKU_CONN_A": "https://id:secret@a.example:8443/api",
        "ZHENGKU_CONN_B": "https://b.example/x",
        "ZHENGKU_CONN_C": "mysql://u:p@c.example/db",
        "ZHENGKU_CONN_D": "https://d.example:port/",
        "OTHER": "https://e.example/",
    }
    found = https_addresses(environment, ["https://our.example/", "http://plain.example/"])
    assert found == ["a.example:8443", "b.example:443", "our.example:443"]
