"""docker-compose.yml, and that `make cluster` starts what it says."""

import base64
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from ruamel.yaml import YAML

from local_stack import departments
from local_stack.cluster import (
    ADDED,
    ADDED_ARGUMENTS,
    DIFFERING,
    DIFFERING_ARGUMENTS,
    PROGRAMS,
    Cluster,
    read_services,
)
from zhengku.catalog.catalog import department_files
from zhengku.errors import ConfigurationError
from zhengku.settings import project_home, read_secret, with_secret_files
from zhengku_airflow.health import PARTS, setting
from zhengku_airflow.pools import department_pools

FILE = project_home() / "docker-compose.yml"
# From https://github.com/compose-spec/compose-spec (schema/compose-spec.json, Apache-2.0), as the package
# check-jsonschema 0.39.0 ships it.
SCHEMA = project_home() / "tests" / "support" / "data" / "compose-spec.json"

ENDING = {"init"}
ACCOUNTS_OF_OTHERS = {
    **dict.fromkeys(("postgres", "backup", "redis", "simulator-database"), "999:999"),
    "collector": "10001:10001",
    "prometheus": "65534:65534",
    "grafana": "472:0",
}
"""The accounts of the images of others, none of which is root."""
SECRET_NAME = re.compile(r"PASSWORD|SECRET|_KEY|AUTH$|_CONN|BROKER_URL|DATABASE_URL")
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return YAML(typ="safe").load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with its servers started, and nothing of Airflow."""
    cluster = Cluster(project_home(), tmp_path_factory.mktemp("cluster"), own_redis=True)
    try:
        cluster.start_servers()
        yield cluster
    finally:
        cluster.down()


def test_file_follows_the_compose_specification(compose):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(compose)
    assert "version" not in compose


def test_schema_refuses_what_the_specification_does_not_know(compose):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    wrong = {**compose, "services": {"worker": {"image": "a", "replicas": 2}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(wrong)


def test_every_service_that_stays_has_a_health_check_and_restarts(services):
    # Its image has no program that could ask: another service does.
    assert "http://collector:13133/" in services["observer"]["healthcheck"]["test"][-1]
    for name, service in services.items():
        if name not in ENDING:
            assert name == "collector" or service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name
        else:
            assert service["restart"].startswith("on-failure:"), name


def test_health_checks_ask_for_their_own_service(services):
    for part in PARTS:
        assert services[part]["healthcheck"]["test"] == ["CMD", "python", "-m", "zhengku_airflow.health", part]
    assert services["simulator"]["healthcheck"]["test"] == ["CMD", "python", "-m", "simulator.health"]


def test_services_of_production_run_nothing_of_the_local_stack_and_the_simulator(services):
    for name, service in services.items():
        if "simulator" not in service.get("profiles", []):
            words = json.dumps([service.get("command"), service.get("healthcheck")])
            assert not re.search("local_stack|simulator", words), name


def test_services_wait_until_what_they_need_is_there(services):
    for name in set(PROGRAMS.values()):
        assert services[name]["depends_on"] == {
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
            "init": {"condition": "service_completed_successfully"},
        }


def test_workers_can_be_many(services):
    worker = services["worker"]
    assert worker["deploy"]["replicas"] == list(PROGRAMS.values()).count("worker")
    assert not {"container_name", "ports", "hostname"} & worker.keys()
    # Each worker keeps its process number in AIRFLOW_HOME: a shared one would let only the first start.
    home = worker["environment"]["AIRFLOW_HOME"]
    assert not [volume for volume in worker["volumes"] if volume.split(":")[-1].startswith(home)]


def test_no_secret_stands_in_the_file_or_in_an_environment(compose, services):
    for name, service in services.items():
        for variable, value in (service.get("environment") or {}).items():
            if SECRET_NAME.search(variable) and "HOSTNAME" not in variable:
                from_file = [*re.findall("/run/secrets/([a-z_]+)", str(value))]
                # The address has no password: it comes from the file beside.
                assert from_file or variable.endswith("DATABASE_URL"), f"{name}: {variable}"
                assert set(from_file) <= set(service["secrets"]), f"{name}: {variable}"
    content = FILE.read_text(encoding="utf-8")
    assert not re.search(r"://[^$\s/]*:(?!%s)[^$\s/@]+@", content), "an address with a password"
    known = r"AIRFLOW__\w+|GF_\w+|/etc/grafana/[\w/.-]+|\$\{[^}]*\}|/run/secrets/\w+|/opt/zhengku/[\w/.]+|#.*"
    assert not re.search(r"[A-Za-z0-9+/_-]{40,}={0,2}", re.sub(known, "", content))
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"${{ZHENGKU_SECRETS_DIR:-./secrets}}/{name}"}


def test_every_service_has_the_secrets_that_it_reads_and_no_other(services):
    for name, service in services.items():
        words = json.dumps([service.get("command"), service.get("environment"), service.get("healthcheck")])
        read = set(re.findall("/run/secrets/([a-z_]+)", words))
        if name == "postgres":
            read |= set(re.findall("/run/secrets/([a-z_]+)", (project_home() / "docker" / "databases.sh").read_text()))
        assert read == set(service.get("secrets", [])), name


def test_no_service_has_a_right_that_it_does_not_need(services):
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() == {"memory", "cpus", "pids"}, name
        # Not root: an image of others starts as its own account, ours says so itself.
        account = VARIABLE.findall(service["user"])[0][2] if "user" in service else None
        assert account == ACCOUNTS_OF_OTHERS.get(name), name
    assert "\nUSER zhengku\n" in (project_home() / "Dockerfile").read_text()


def test_what_is_written_to_is_a_volume_or_in_memory(services):
    for name, service in services.items():
        places = [place.split(":")[0] for place in service["tmpfs"]]
        assert "/tmp" in places, name
        home = (service.get("environment") or {}).get("AIRFLOW_HOME")
        assert home is None or Path(home).parent.as_posix() in places, name
    for name in ("postgres", "simulator-database"):
        assert "/var/run/postgresql" in [place.split(":")[0] for place in services[name]["tmpfs"]]


def test_who_reaches_whom(compose, services):
    members: dict[str, set[str]] = {name: set() for name in compose["networks"]}
    for name, service in services.items():
        for network in service["networks"]:
            members[network].add(name)
    everybody = {"init", *PROGRAMS.values()}
    assert members == {
        "store": {"postgres", "backup", "observer", *everybody},
        "queue": {"redis", "scheduler", "worker"},
        "api": {"api-server", "scheduler", "worker"},
        "outside": {"api-server", "grafana"},
        "notices": {"triggerer"},
        "sources": {"worker", "simulator", "simulator-database"},
        "metrics": {"collector", "observer", "prometheus", "grafana", *everybody},
    }
    internal = {name for name, network in compose["networks"].items() if (network or {}).get("internal")}
    assert internal == {"store", "queue", "api", "metrics"}
    assert [name for name, service in services.items() if "ports" in service] == ["api-server", "grafana"]


def test_cookie_of_a_login_needs_tls_unless_it_is_switched_off(services, cluster):
    assert services["api-server"]["environment"]["AIRFLOW__FAB__COOKIE_SECURE"] == "${ZHENGKU_COOKIE_SECURE:-True}"
    assert cluster.settings("api-server")["AIRFLOW__FAB__COOKIE_SECURE"] == "False"


def test_files_of_secrets_are_made_once_and_for_one_group(compose, tmp_path):
    shutil.copy(project_home() / ".env.example", tmp_path)
    run = [project_home() / "docker" / "make-secrets.sh"]
    first = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
    folder = tmp_path / "secrets"
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert made.keys() == compose["secrets"].keys()
    assert all(f"made secrets/{name}\n" in first.stdout for name in made)
    assert len(set(made.values())) == len(made)
    for name, secret in made.items():
        assert len(base64.urlsafe_b64decode(secret)) == 32 if "fernet" in name else re.fullmatch("[0-9a-f]{64}", secret)
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o640
        assert read_secret(folder / name, "X_FILE") == secret
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert f"\nZHENGKU_SECRETS_GID={os.getgid()}\n" in (tmp_path / ".env").read_text()
    again = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert again.stdout == ""
    assert {file.name: file.read_text() for file in folder.iterdir()} == made


DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A folder with .env, and a `docker` that writes down what it was asked, and answers with the file `answer`."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@" >> "$DOCKER_FOLDER/asked"\ncat "$DOCKER_FOLDER/answer"\n')
    program.chmod(0o755)
    monkeypatch.setenv("DOCKER_FOLDER", str(tmp_path))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    shutil.copy(project_home() / ".env.example", tmp_path / ".env")
    (tmp_path / "answer").write_text(DIGEST)
    return tmp_path


def run_script(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = project_home() / "docker" / name
    return subprocess.run([script], cwd=folder, capture_output=True, text=True, check=False)


def test_service_is_not_started_from_an_image_without_a_digest(docker, services):
    refused = run_script("start.sh", docker)
    assert refused.returncode == 1
    for name in ("POSTGRES", "REDIS", "PYTHON"):
        assert f"ZHENGKU_{name}_IMAGE: expected name@sha256:… in .env, got ''" in refused.stderr
    assert not (docker / "asked").exists()

    pinned = run_script("pin-images.sh", docker)
    assert pinned.returncode == 0, pinned.stderr
    written = dict(line.split("=", 1) for line in (docker / ".env").read_text().splitlines() if re.match("[A-Z]", line))
    shipped = {name: image for service in services.values() for name, _, image in VARIABLE.findall(service["image"])}
    for name in ("ZHENGKU_POSTGRES_IMAGE", "ZHENGKU_REDIS_IMAGE"):
        assert written[name] == f"{shipped[name]}@{DIGEST}"
    assert written["ZHENGKU_PYTHON_IMAGE"].endswith(f"@{DIGEST}")
    asked = (docker / "asked").read_text().splitlines()
    assert len(asked) == 3
    # What has a digest is not asked for again.
    assert run_script("pin-images.sh", docker).stdout == ""
    assert run_script("start.sh", docker).returncode == 0
    assert (docker / "asked").read_text().splitlines()[3:] == ["compose up --detach --wait"]


def test_images_of_metrics_are_pinned_with_their_profile(docker, services):
    (docker / ".env").write_text((docker / ".env").read_text().replace("#COMPOSE_PROFILES=", "COMPOSE_PROFILES=other,"))
    assert "ZHENGKU_GRAFANA_IMAGE: expected name@sha256:…" in run_script("start.sh", docker).stderr
    assert run_script("pin-images.sh", docker).returncode == 0
    written = dict(line.split("=", 1) for line in (docker / ".env").read_text().splitlines() if re.match("[A-Z]", line))
    of_metrics = [service for service in services.values() if "metrics" in service.get("profiles", [])]
    for name, _, image in (VARIABLE.findall(service["image"])[0] for service in of_metrics):
        assert name == "ZHENGKU_IMAGE" or written[name] == f"{image}@{DIGEST}"
    assert run_script("start.sh", docker).returncode == 0


def test_answer_that_is_no_digest_is_not_written(docker):
    (docker / "answer").write_text("sha256:short")
    before = (docker / ".env").read_text()
    refused = run_script("pin-images.sh", docker)
    assert refused.returncode == 1
    assert "ZHENGKU_POSTGRES_IMAGE: expected sha256: and 64 digits" in refused.stderr
    assert (docker / ".env").read_text() == before


def test_commands_that_back_up_write_dumps_that_nobody_else_reads(docker):
    page = (project_home() / "docs" / "deployment.md").read_text(encoding="utf-8")
    commands = re.findall("^    (.*pg_dump.*>.*)$", page, flags=re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command, shell=True, cwd=docker, check=True)
    dumps = list((docker / "backup").iterdir())
    assert len(dumps) == 2
    assert {stat.S_IMODE(dump.stat().st_mode) for dump in dumps} == {0o600}
    assert stat.S_IMODE((docker / "backup").stat().st_mode) == 0o700


@pytest.mark.parametrize("variable", ["AIRFLOW__CORE__FERNET_KEY_CMD", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"])
def test_secret_that_cannot_be_read_is_an_error(services, tmp_path, variable):
    command = services["scheduler"]["environment"][variable].replace("$$", "$").replace("/run/secrets", str(tmp_path))
    tried = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    assert tried.returncode != 0
    assert tried.stdout == ""
    assert "No such file" in tried.stderr


def test_every_image_has_a_fixed_version(services):
    for name, service in services.items():
        [(_, kind, image)] = VARIABLE.findall(service["image"])
        assert kind == "-"
        assert re.fullmatch(r"[a-z-]+(/[a-z-]+)?:[\w.-]+", image), name
        assert not image.endswith(":latest")
    recipe = (project_home() / "Dockerfile").read_text()
    [base] = re.findall("^ARG PYTHON_IMAGE=(.*)\nFROM \\${PYTHON_IMAGE}$", recipe, flags=re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base)
    assert services["worker"]["build"]["args"] == {"PYTHON_IMAGE": f"${{ZHENGKU_PYTHON_IMAGE:-{base}}}"}


def test_what_must_be_set_stands_in_the_example(services):
    required = {name for name, kind, _ in VARIABLE.findall(json.dumps(services)) if kind == "?"}
    lines = (project_home() / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given == dict.fromkeys(required, "")
    known = {name for name, _, _ in VARIABLE.findall(FILE.read_text(encoding="utf-8"))}
    # Compose itself reads the profiles.
    assert {line[1:].split("=")[0] for line in lines if re.match("#[A-Z]", line)} <= {*known, "COMPOSE_PROFILES"}


def test_named_volumes_are_those_that_services_use(compose):
    used = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in (re.sub(r"\$\{ZHENGKU_BACKUP_DIR:-(\w+)\}", r"\1", one) for one in service.get("volumes", []))
        if re.match(r"[\w-]+:", volume)
    }
    assert used == set(compose["volumes"])
    # What the image does not make beforehand would belong to root.
    image = (project_home() / "Dockerfile").read_text()
    for service in (*PROGRAMS.values(), "simulator"):
        for volume in compose["services"][service]["volumes"]:
            if re.match(r"[\w-]+:/data", volume):
                assert f" {volume.split(':')[1]}" in image


def test_make_cluster_runs_the_commands_of_the_file(cluster, services):
    values = read_services(FILE, cluster.variables())
    for program in (*PROGRAMS, "init", "redis", "simulator"):
        service = PROGRAMS.get(program, program)
        line = cluster.command(program)
        written = values[service]["command"]
        options = DIFFERING_ARGUMENTS.get(service, {})
        for option, word, started in zip(["", *written], written, line, strict=False):
            assert (word != started) == (option in options), f"{service}: {option}"
        assert options.keys() <= {*written}
        assert bool(line[len(written) :]) == (service in ADDED_ARGUMENTS)


def test_make_cluster_runs_in_the_environment_of_the_file(cluster):
    values = read_services(FILE, cluster.variables())
    for program in (*PROGRAMS, "init", "redis", "simulator"):
        written = {name: str(value) for name, value in values[PROGRAMS.get(program, program)]["environment"].items()}
        started = cluster.settings(program)
        differing = {name for name, value in written.items() if started.get(name) != value}
        # The usual port and folder may be the right ones here, too.
        assert differing <= DIFFERING.keys()
        added = {re.sub("^ZHENGKU_CONN_.*", "ZHENGKU_CONN_*", name) for name in started.keys() - written.keys()}
        assert added <= ADDED.keys()
        assert not ADDED.keys() & written.keys()


def test_nothing_of_another_installation_gets_into_the_cluster(cluster, monkeypatch):
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", "postgresql://elsewhere/store")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    monkeypatch.setenv("AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG", "1")
    environment = cluster.environment("worker-1")
    assert environment["ZHENGKU_DATABASE_URL"] == cluster.settings("worker-1")["ZHENGKU_DATABASE_URL"]
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG" not in environment


def test_own_redis_keeps_its_password_off_the_command_line(cluster):
    password = (cluster.secrets / "redis_password").read_text()
    assert password in cluster.redis_url()
    assert password not in " ".join([*cluster.command("redis"), *cluster.environment("redis").values()])


def test_files_of_the_cluster_answer_the_commands_of_the_file(cluster):
    settings = cluster.settings("worker-1")
    assert setting("AIRFLOW__CELERY__BROKER_URL", settings) == cluster.redis_url()
    for name, driver in (("SQL_ALCHEMY_CONN", "psycopg2"), ("SQL_ALCHEMY_CONN_ASYNC", "psycopg")):
        expected = cluster.postgres.url("airflow").replace("+psycopg:", f"+{driver}:")
        assert setting(f"AIRFLOW__DATABASE__{name}", settings) == expected
    assert setting("AIRFLOW__CORE__FERNET_KEY", settings) == cluster.airflow.keys()["fernet"]
    accounts = {program: cluster.postgres.url("zhengku", account) for program, account in ACCOUNT_OF.items()}
    found = {program: with_secret_files(cluster.settings(program))["ZHENGKU_DATABASE_URL"] for program in ACCOUNT_OF}
    assert found == accounts
    passwords = {secret.read_text() for secret in cluster.secrets.iterdir()}
    # The made-up departments' addresses are departments.env, which has its passwords in it.
    shown = {name: value for name, value in settings.items() if not name.startswith("ZHENGKU_CONN_")}
    assert not [name for name, value in shown.items() if any(secret in value for secret in passwords)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a${SET}b", "a1b"),
        ("${SET:-2}${UNSET:-3}${EMPTY:-4}", "134"),
        ("${UNSET:-}", ""),
        ("${EMPTY}", ""),
        ("${SET:?must be set}", "1"),
        ("$$SET and $${SET}", "$SET and ${SET}"),
    ],
)
def test_variables_are_put_in_as_compose_does(tmp_path, written, read):
    file = tmp_path / "compose.yml"
    file.write_text(json.dumps({"services": {"one": {"command": [written]}}}))
    assert read_services(file, {"SET": "1", "EMPTY": ""})["one"]["command"] == [read]


@pytest.mark.parametrize(
    ("written", "told"),
    [("${UNSET:?make it}", "UNSET is not set: make it"), ("${UNSET}", "UNSET is not set"), ("$SET", "expected")],
)
def test_variable_without_value_is_told(tmp_path, written, told):
    file = tmp_path / "compose.yml"
    file.write_text(json.dumps({"services": {"one": {"command": [written]}}}))
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        read_services(file, {"SET": "1"})


def test_every_department_has_a_pool_and_a_wrong_file_hurts_only_itself(tmp_path):
    folder = project_home() / "include" / "catalog"
    copy = tmp_path / "catalog"
    shutil.copytree(folder, copy)
    (copy / "departments" / "broken.yaml").write_text("department: broken\n")
    told: list[str] = []
    pools = department_pools(copy, told.append)
    names = {path.stem for path in department_files(folder)}
    assert pools.keys() == names | {f"{name}_backfill" for name in names}
    assert (pools["market_supervision"], pools["market_supervision_backfill"]) == (1, 1)
    assert [line.split(":")[0] for line in told] == ["no pool for broken"]


def test_made_up_departments_are_told_to_workers_by_the_name_of_their_service(cluster, services, capsys, monkeypatch):
    for name, value in cluster.settings("simulator").items():
        monkeypatch.setenv(name, value)
    host = services["simulator"]["environment"]["SIMULATOR_HOST"]
    command = services["simulator"]["command"]
    assert command[command.index("--known-as") + 1] == host
    monkeypatch.setenv("SIMULATOR_HOST", host)
    monkeypatch.setattr("sys.argv", ["departments", "connections"])
    departments.main()
    told = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert told.keys() == {name for name in cluster.settings("worker-1") if name.startswith("ZHENGKU_CONN_")}
    hosts = {urlsplit(value).hostname for value in told.values() if value.startswith(("http:", "sftp:"))}
    assert hosts == {host}


@pytest.mark.slow
def test_night_passes_at_the_service_of_the_made_up_departments(cluster):
    environment = {**os.environ, **cluster.settings("simulator")}
    command = [sys.executable, "-m", "local_stack.departments", "night", "--rows", "40"]
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert first.stdout.startswith("night 1 has passed")
    truth = cluster.city.places.folder / "truth" / "night-0001" / "feeds.jsonl"
    assert {json.loads(line)["department"] for line in truth.read_text(encoding="utf-8").splitlines()} == {
        file.stem for file in department_files(project_home() / "include" / "catalog")
    }


ACCOUNT_OF = {
    "init": "zhengku",
    "api-server": "zhengku_pages",
    "scheduler": "zhengku_reports",
    "dag-processor": "zhengku_notices",
    "triggerer": "zhengku_notices",
    "worker-1": "zhengku_pipeline",
}


def test_each_service_has_the_password_of_its_own_account_of_the_store_alone(cluster):
    for program, account in ACCOUNT_OF.items():
        service = cluster.services[PROGRAMS.get(program, program)]
        of_the_store = {name for name in service["secrets"] if name.startswith("zhengku_")}
        expected = "zhengku_owner_password" if account == "zhengku" else f"{account}_password"
        assert of_the_store == {expected}, program
        assert service["environment"]["ZHENGKU_DATABASE_URL"].startswith(f"postgresql+psycopg://{account}@"), program
        assert service["environment"]["ZHENGKU_DATABASE_PASSWORD_FILE"].endswith(f"/{expected}"), program
