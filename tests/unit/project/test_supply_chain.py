"""Only files with the hashes of constraints.txt are installed."""

import base64
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from zhengku.settings import project_home

HOME = project_home()
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIN = re.compile(r"^([a-z0-9-]+)==[^\s;]+(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)


def pinned() -> dict[str, list[str]]:
    """Return the hashes of every package of constraints.txt."""
    text = (HOME / "constraints.txt").read_text(encoding="utf-8")
    return {name: re.findall("[0-9a-f]{64}", hashes) for name, hashes in PIN.findall(text)}


def direct_dependencies() -> set[str]:
    every = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in every}


def recipe(target: str) -> list[str]:
    """Return the commands that `make` would run."""
    said = subprocess.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", target, f"PYTHON={sys.executable}"],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.replace("\\\n", " ").splitlines()


def test_every_package_has_one_version_and_hashes():
    text = (HOME / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(lines) == len(PIN.findall(text))
    assert direct_dependencies() <= pinned().keys()


def test_every_dependency_at_run_time_is_judged():
    decision = (HOME / "docs" / "decisions" / "0055-packages-and-the-way-out.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")] for line in decision.splitlines() if line[:1] == "|"
    ]
    judged = {row[0].strip("`"): row for row in rows[2:]}
    extras = PROJECT["optional-dependencies"]
    groups = [PROJECT["dependencies"], *(extras[name] for name in extras.keys() - {"dev", "bench"})]
    assert judged.keys() == {re.split(r"[\[<>=]", requirement)[0] for group in groups for requirement in group}
    for name, row in judged.items():
        assert len(row) == 6, name
        assert all(row), name
        # Who depends on one person has a way out.
        assert "one person" not in row[2] or len(row[5]) > 5, name


def test_no_index_and_no_folder_of_a_machine_is_named():
    text = (HOME / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--index|--find-links|file:|^/| /", text)


@pytest.mark.parametrize("target", ["setup", ".venv/measured"])
def test_make_installs_nothing_without_a_hash(target):
    installs = [line for line in recipe(target) if "pip install" in line]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or ("--no-deps" in line and line.endswith("--editable ."))


def test_image_installs_nothing_without_a_hash():
    text = (HOME / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [part for part in re.split("&&|\n", text) if "pip install" in part]
    assert len(installs) == 3
    for part in installs:
        assert "--require-hashes" in part or "--no-deps --no-build-isolation --editable ." in part


def wheel(folder: Path) -> str:
    """Write a wheel of a made-up package, and return its hash."""
    file = folder / "made_up-1.0-py3-none-any.whl"
    info = "made_up-1.0.dist-info"
    parts = {
        "made_up.py": "ANSWER = 42\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(text)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("pin", "refusal"),
    [
        ("made-up==1.0 --hash=sha256:{right}", None),
        ("made-up==1.0 --hash=sha256:{wrong}", "Hash mismatch for `made-up==1.0`"),
        ("made-up==1.0", "no trusted hash was provided for: `made-up`"),
    ],
    ids=["right", "changed", "missing"],
)
def test_file_with_another_hash_is_not_installed(tmp_path, pin, refusal):
    """The command is that of `make setup`, in a project whose only package is served by a folder."""
    [command] = [line for line in recipe("setup") if "--requirement pyproject.toml" in line]
    command = re.sub(r" --extra \S+", "", command)
    served = tmp_path / "served"
    served.mkdir()
    right = wheel(served)
    wrong = ("0" if right[0] != "0" else "1") + right[1:]
    (tmp_path / "constraints.txt").write_text(pin.format(right=right, wrong=wrong) + "\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "1"\ndependencies = ["made-up"]\n')
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=tmp_path, check=True)
    (tmp_path / ".venv" / "bin" / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    assert shlex.split(command)[0] == "VIRTUAL_ENV=.venv"
    tried = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(served), "UV_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    installed = list((tmp_path / ".venv").glob("lib/python3*/site-packages/made_up.py"))
    if refusal is None:
        assert tried.returncode == 0, tried.stderr
        assert installed
    else:
        assert tried.returncode != 0
        assert re.search(refusal, " ".join(tried.stderr.split())), tried.stderr
        assert not installed
