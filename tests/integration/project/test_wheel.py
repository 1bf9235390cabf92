"""The wheel alone: it carries its statements, rules and catalogue, and runs where there is no checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest
from tests.support.installation import HEADER, license_row

from zhengku.settings import project_home

pytestmark = pytest.mark.slow

CARRIED = ("sql", "expectations", "include/catalog", "docs/runbooks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout, from a copy and without fetching anything."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(project_home() / name, source)
    for name in ("sql", "expectations", "include", "docs/runbooks"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(project_home() / name, source / name, ignore=ignored)
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True, timeout=300)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `bin` of an environment with the wheel, which sees the packages of ours, and not our checkout."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=300)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps")
    subprocess.run([*pip, str(wheel)], check=True, timeout=300)
    [packages] = environment.glob("lib/python*/site-packages")
    # Lines of a .pth file are folders; the .pth files in them, as that of an editable install, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python.parent


def run(command: Path, *arguments: str, cwd: Path, status: int = 0, **more: str) -> str:
    """Run a command in a folder, with no setting of zhengku but those of `more`; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZHENGKU_", "PYTHON"))}
    result = subprocess.run(
        [command, *arguments],
        cwd=cwd,
        env={**environment, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout if not status else result.stderr


def test_wheel_holds_the_package_and_what_it_carries(wheel):
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names if not name.startswith("zhengku_airflow/")} == {"zhengku"}
    for folder in CARRIED:
        own = [path for path in (project_home() / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        expected = {f"zhengku/carried/{path.relative_to(project_home()).as_posix()}" for path in own}
        assert {name for name in names if name.startswith(f"zhengku/carried/{folder}/")} == expected
    templates = {
        path.relative_to(project_home() / "include") for path in project_home().glob("include/zhengku/**/*.j2")
    }
    assert {Path(name) for name in names if name.endswith(".j2")} == templates


def test_installed_wheel_collects_and_loads_where_there_is_no_checkout(installed, empty_database_url, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    place = run(installed / "python", "-c", "import zhengku; print(zhengku.__file__)", cwd=empty)
    assert Path(place.strip()).is_relative_to(installed.parent)
    missing = "import importlib.util as u; print([u.find_spec(name) for name in ('local_stack', 'simulator')])"
    assert run(installed / "python", "-c", missing, cwd=empty) == "[None, None]\n"

    zhengku = installed / "zhengku"
    assert "collect" in run(zhengku, "--help", cwd=empty)
    run(zhengku, "catalog", "check", cwd=empty)
    new_feed = ("feeds", "add", "market_supervision/another", "--transport", "file_drop")
    for command in (new_feed, ("rules", "page")):
        assert "run this in the checkout" in run(zhengku, *command, cwd=empty, status=1, COLUMNS="400")
    assert list(empty.iterdir()) == []

    drop = tmp_path / "drop" / "business_license"
    drop.mkdir(parents=True)
    delivered = drop / "1.csv"
    rows = (license_row(1), license_row(2), license_row(3, 企业名称=""))
    delivered.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    an_hour_ago = time.time() - 3600
    os.utime(delivered, (an_hour_ago, an_hour_ago))
    (empty / "var").mkdir()
    (empty / "var" / "local.env").write_text(f"ZHENGKU_DATABASE_URL={empty_database_url}\n", encoding="utf-8")
    run(zhengku, "db", "upgrade", cwd=empty)
    feed = "market_supervision/business_license"
    connection = {"ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(drop.parent)}
    [batch] = json.loads(run(zhengku, "collect", feed, "--json", cwd=empty, **connection))
    assert (batch["status"], batch["fetched"], batch["inserted"], batch["quarantined"]) == ("loaded", 3, 2, 1)
    assert sorted(path.name for path in (empty / "var").iterdir()) == ["landing", "local.env", "reports"]
