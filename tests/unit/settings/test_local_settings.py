"""`var/local.env`, and the environment over it."""

import pytest

from zhengku.settings import Settings

LOCAL = "postgresql://pipeline@127.0.0.1:1/local"
LOCAL_OWNER = "postgresql://owner@127.0.0.1:1/local"
OURS = "postgresql+psycopg://us@db:5432/store"


@pytest.fixture
def local(tmp_path, monkeypatch):
    """The settings that `make demo` leaves behind."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "local.env").write_text(
        f"ZHENGKU_DATABASE_URL={LOCAL}\nZHENGKU_OWNER_DATABASE_URL={LOCAL_OWNER}\n"
    )
    monkeypatch.setenv("ZHENGKU_HOME", str(tmp_path))
    for name in ("ZHENGKU_DATABASE_URL", "ZHENGKU_OWNER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_both_addresses_are_those_of_the_file(local):
    settings = Settings.load()
    assert settings.database_url.endswith("pipeline@127.0.0.1:1/local")
    assert settings.owner_database_url.endswith("owner@127.0.0.1:1/local")


def test_owner_is_never_of_another_database_than_the_one_in_the_environment(local, monkeypatch):
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", OURS)
    assert (Settings.load().database_url, Settings.load().owner_database_url) == (OURS, OURS)
    monkeypatch.setenv("ZHENGKU_OWNER_DATABASE_URL", OURS.replace("us@", "owner@"))
    assert Settings.load().owner_database_url == OURS.replace("us@", "owner@")
