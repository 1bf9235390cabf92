"""Secrets in files: `ZHENGKU_<NAME>_FILE`."""

import os

import pytest
from sqlalchemy import make_url

from zhengku.errors import ConfigurationError
from zhengku.settings import Settings, read_secret, with_secret_files


@pytest.fixture
def secret(tmp_path):
    """A file of a secret that nobody else may read."""
    file = tmp_path / "secret"
    file.write_text("s:e/c@r%t\n")
    file.chmod(0o600)
    return file


def test_password_of_a_file_gets_into_the_address_whatever_it_has(secret):
    read = with_secret_files(
        {
            "ZHENGKU_DATABASE_URL": "postgresql+psycopg://zhengku@db:5432/store",
            "ZHENGKU_DATABASE_PASSWORD_FILE": str(secret),
        }
    )
    url = make_url(read["ZHENGKU_DATABASE_URL"])
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "zhengku",
        "s:e/c@r%t",
        "db",
        5432,
        "store",
    )


def test_every_setting_may_be_in_a_file_and_every_address_has_its_own_password(secret):
    read = with_secret_files(
        {
            "ZHENGKU_CONN_A_FILE": str(secret),
            "ZHENGKU_PAGES_DATABASE_URL": "postgresql://pages@db/store",
            "ZHENGKU_PAGES_DATABASE_PASSWORD": "p",
            "ZHENGKU_LANDING_URL": "s3://landing",
            "OTHER_FILE": "/nowhere",
        }
    )
    assert read["ZHENGKU_CONN_A"] == "s:e/c@r%t"
    assert make_url(read["ZHENGKU_PAGES_DATABASE_URL"]).password == "p"
    assert read["ZHENGKU_LANDING_URL"] == "s3://landing"
    assert "OTHER" not in read


def test_password_in_the_address_stays(secret):
    address = "postgresql://zhengku:own@db/store"
    read = with_secret_files({"ZHENGKU_DATABASE_URL": address, "ZHENGKU_DATABASE_PASSWORD_FILE": str(secret)})
    assert read["ZHENGKU_DATABASE_URL"] == address


def test_settings_read_the_files(secret, monkeypatch):
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", "postgresql://zhengku@db/store")
    monkeypatch.setenv("ZHENGKU_DATABASE_PASSWORD_FILE", str(secret))
    assert make_url(Settings.load().database_url).password == "s:e/c@r%t"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o622])
def test_file_that_others_may_use_is_refused(secret, mode):
    secret.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"X_FILE: expected mode 0600 or 0640, got {mode:04o}.*chmod 0600"):
        read_secret(secret, "X_FILE")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_file_of_one_account_or_one_group_is_read(secret, mode):
    secret.chmod(mode)
    assert read_secret(secret, "X_FILE") == "s:e/c@r%t"


def test_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=rf"X_FILE: .*account {os.geteuid()} .*nothing: No such file"):
        read_secret(tmp_path / "nothing", "X_FILE")


def test_empty_file_is_told(secret):
    secret.write_text("\n")
    with pytest.raises(ConfigurationError, match="X_FILE: expected a secret, got an empty file"):
        read_secret(secret, "X_FILE")


def test_value_and_file_together_are_told_and_neither_is_shown(secret):
    with pytest.raises(ConfigurationError, match="ZHENGKU_A and ZHENGKU_A_FILE are both set") as told:
        with_secret_files({"ZHENGKU_A": "plain", "ZHENGKU_A_FILE": str(secret)})
    assert "plain" not in str(told.value)


def test_address_that_is_none_is_told_without_it():
    with pytest.raises(ConfigurationError, match="ZHENGKU_DATABASE_URL: expected an address") as told:
        with_secret_files({"ZHENGKU_DATABASE_URL": "postgresql://db:port/store", "ZHENGKU_DATABASE_PASSWORD": "secret"})
    assert "secret" not in str(told.value)
