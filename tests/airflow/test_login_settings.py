"""The rules of passwords, and what include/zhengku_airflow/fab_config.py and the examples of docs/logins.md set."""

import importlib
import re
import sys
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from local_stack.airflow import _new_password
from zhengku.settings import project_home
from zhengku_airflow.passwords import GUESSED_FIRST, LONGEST, SHORTEST, password_weakness

HOME = project_home()


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("Kurz-1234", "现在是 9 位"),
        ("x" * (LONGEST + 1), "现在是 129 位"),
        ("nurkleineundgrosse", "现在只有 1 类"),
        ("NurKleineUndGrosse", "现在只有 2 类"),
        ("aA1aA1aA1aA1", "现在只有 3 个不同字符"),
        ("My-Password-77", "现在含有“password”"),
        ("xX-123456-yY", "现在含有“123456”"),
    ],
)
def test_weak_password_is_refused_with_the_rule_and_without_the_password(password, told):
    weakness = password_weakness(password)
    assert weakness is not None
    assert told in weakness
    assert f"{SHORTEST} 至 {LONGEST} 位" in weakness
    assert password not in weakness


@pytest.mark.parametrize("password", ["Blau-Rot-Gruen", "dreiundzwanzig-23", "中文也算小写字母-A1b2", "aB3defghijkl"])
def test_strong_password_is_accepted(password):
    assert password_weakness(password) is None


@given(st.text(max_size=SHORTEST - 1))
def test_no_short_password_is_accepted(password):
    assert password_weakness(password) is not None


def test_passwords_of_the_local_stack_keep_the_rules():
    made = {_new_password() for _ in range(300)}
    assert len(made) == 300
    assert not [password for password in made if password_weakness(password)]
    assert not [word for word in GUESSED_FIRST if word != word.lower()]


def loaded(text: str) -> dict[str, Any]:
    """Return the settings of a configuration file, read as Airflow does it."""
    app = Flask("test")
    with app.app_context():
        module = ModuleType("config")
        exec(compile(text, "fab_config.py", "exec"), module.__dict__)
        app.config.from_object(module)
    return dict(app.config)


def test_login_page_uses_our_rules():
    from flask_appbuilder.exceptions import PasswordComplexityValidationError

    from zhengku_airflow.logins import LoginManager

    config = loaded((HOME / "include" / "zhengku_airflow" / "fab_config.py").read_text(encoding="utf-8"))
    assert config["SECURITY_MANAGER_CLASS"] is LoginManager
    assert config["FAB_PASSWORD_COMPLEXITY_ENABLED"] is True
    # The form shows the text of this error.
    with pytest.raises(PasswordComplexityValidationError, match=r"^密码须有"):
        config["FAB_PASSWORD_COMPLEXITY_VALIDATOR"]("weak")
    config["FAB_PASSWORD_COMPLEXITY_VALIDATOR"]("Blau-Rot-Gruen")


def test_auth_manager_of_the_compose_file_is_known_to_airflow_as_fabs():
    from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

    [name] = re.findall("AIRFLOW__CORE__AUTH_MANAGER: (.*)", (HOME / "docker-compose.yml").read_text(encoding="utf-8"))
    # dag_processing/collection.py and utils/db_cleanup.py look for the word.
    assert "FabAuthManager" in name
    module, _, attribute = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), attribute), FabAuthManager)


def examples() -> list[str]:
    return re.findall("```python\n(.*?)```", (HOME / "docs" / "logins.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_examples_of_directories_load_after_our_settings(monkeypatch, tmp_path):
    """Each is appended to include/zhengku_airflow/fab_config.py, as the page says."""
    from flask_appbuilder.const import AUTH_LDAP, AUTH_OAUTH

    from zhengku_airflow.logins import LoginManager

    secret = tmp_path / "secret"
    secret.write_text("the-secret")
    secret.chmod(0o600)
    types = {}
    for example in examples():
        text = (HOME / "include" / "zhengku_airflow" / "fab_config.py").read_text(encoding="utf-8") + re.sub(
            "/run/secrets/[a-z_]+", str(secret), example
        )
        config = loaded(text)
        assert issubclass(config["SECURITY_MANAGER_CLASS"], LoginManager)
        assert "the-secret" in str(config)
        types[config["AUTH_TYPE"]] = config
    assert types.keys() == {AUTH_LDAP, AUTH_OAUTH}
    assert types[AUTH_LDAP]["AUTH_LDAP_SERVER"].startswith("ldaps://")
    assert types[AUTH_LDAP]["AUTH_LDAP_TLS_DEMAND"] is True
    [provider] = types[AUTH_OAUTH]["OAUTH_PROVIDERS"]
    assert provider["remote_app"]["server_metadata_url"].startswith("https://")
    assert "ldap" not in sys.modules
