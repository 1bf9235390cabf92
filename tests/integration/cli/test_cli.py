"""The command line as a person meets it: one clear line for each failure, and an exit status that is not 0."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url
from tests.support import command_line

COMMAND = str(Path(sys.executable).with_name("zhengku"))


def zhengku(installation, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return command_line.zhengku({**installation.settings.environment, **environment}, *arguments)


def zhengku_process(installation, *enter: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        enter,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **installation.settings.environment, "COLUMNS": "400", **environment},
    )


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode not in (0, None)
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("zhengku: ")
    return line


def test_collect_shows_what_became_of_the_rows(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1), make_row(2), make_row(3, 企业名称=""))
    shown = zhengku_process(installation, COMMAND, "collect", "market_supervision")
    assert shown.returncode == 0, shown.stderr
    assert "loaded" in shown.stdout
    report = Path(shown.stderr.split("Report: ")[1].strip())
    assert "缺少持证主体" in report.read_text(encoding="utf-8")
    again = zhengku(installation, "collect", "market_supervision/business_license", "--json")
    [batch] = json.loads(again.stdout)
    assert (batch["fetched"], batch["unchanged"], batch["quarantined"], batch["inserted"]) == (3, 2, 1, 0)


def test_lists_of_batches_and_problems_show_no_personal_data(installation, make_row):
    number = "420704199001010015"
    installation.deliver_rows(
        "1.csv", make_row(1), make_row(2, 企业名称="", 法人代表="欧阳某某", 注册地址=f"电话13800001234 {number}")
    )
    zhengku(installation, "collect", "market_supervision")
    for arguments in (("problems", "list"), ("problems", "list", "--json"), ("batches",), ("batches", "--json")):
        shown = zhengku(installation, *arguments)
        assert shown.returncode == 0, shown.stderr
        for secret in ("欧阳某某", "13800001234", number):
            assert secret not in shown.stdout
    [problem] = json.loads(zhengku(installation, "problems", "list", "--json").stdout)
    assert problem["rules"] == ["certificate.holder.present"]
    assert problem["payload"]["法人代表"] == "欧***"
    assert problem["payload"]["注册地址"] == "电话138***********************0015"
    [report] = (installation.drop.parents[1] / "reports").rglob("*.html")
    assert not {"欧阳某某", "13800001234", number} & set(report.read_text(encoding="utf-8"))
    assert "欧阳某某" not in report.read_text(encoding="utf-8")


def test_rejected_delivery_is_one_line_and_fails(installation):
    installation.deliver("1.csv", b"")
    line = one_line(zhengku(installation, "collect", "market_supervision", "--json"))
    assert "file.empty" in line


def test_unknown_department_and_feed(installation):
    assert "nowhere" in one_line(zhengku(installation, "collect", "nowhere"))
    line = one_line(zhengku(installation, "collect", "market_supervision/busines_license"))
    assert "business_license" in line


def test_no_database_is_set(installation, tmp_path):
    line = one_line(zhengku(installation, "batches", ZHENGKU_DATABASE_URL=""))
    assert "ZHENGKU_DATABASE_URL" in line


def test_database_that_does_not_answer(installation):
    installation.deliver_rows("1.csv", "x")
    line = one_line(
        zhengku(installation, "collect", "market_supervision", ZHENGKU_DATABASE_URL="postgresql://a:b@127.0.0.1:1/c")
    )
    assert "127.0.0.1:1/c" in line
    assert "b@" not in line


def test_wrong_password(installation, server_url):
    if not make_url(server_url).password:
        pytest.skip("the given server lets everybody in: no password can be wrong")
    url = make_url(installation.settings.database_url).set(password="wrong-secret")
    line = one_line(zhengku(installation, "batches", ZHENGKU_DATABASE_URL=url.render_as_string(hide_password=False)))
    assert "password authentication failed" in line
    assert "wrong-secret" not in line


def test_database_without_the_schema(installation, empty_database_url):
    line = one_line(zhengku(installation, "batches", ZHENGKU_DATABASE_URL=empty_database_url))
    assert "zhengku db upgrade" in line
    upgraded = zhengku(installation, "db", "upgrade", ZHENGKU_DATABASE_URL=empty_database_url)
    assert upgraded.returncode == 0, upgraded.stderr
    assert zhengku(installation, "batches", ZHENGKU_DATABASE_URL=empty_database_url).returncode == 0


def test_connection_without_an_address(installation):
    line = one_line(zhengku(installation, "collect", "market_supervision", ZHENGKU_CONN_MARKET_SUPERVISION_DROP=""))
    assert "ZHENGKU_CONN_MARKET_SUPERVISION_DROP" in line


def test_full_disk_keeps_nothing_of_the_delivery(installation, make_row, tmp_path):
    """A file system of 64 KiB, as landing area, in a mount namespace of the command's own."""
    landing = tmp_path / "small"
    landing.mkdir()
    script = (
        'mount -t tmpfs -o size=64k none "$1" && shift && "$@"; code=$?; '
        'find "$ZHENGKU_LANDING_URL" -type f; exit $code'
    )
    enter = ["unshare", "--map-root-user", "--user", "--mount", "bash", "-c", script, "bash", str(landing)]
    probe = subprocess.run([*enter, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace can be made here: {probe.stderr.strip()}")
    installation.deliver_rows("1.csv", *(make_row(n) for n in range(2000)))
    result = zhengku_process(
        installation, *enter, COMMAND, "collect", "market_supervision", "--json", ZHENGKU_LANDING_URL=str(landing)
    )
    assert "no space left" in one_line(result)
    assert result.stdout == ""
    assert installation.query("select count(*) from ledger.batch") == [(0,)]


def test_file_larger_than_the_account_may_write(installation, make_row):
    """The same by a limit of the process, which every machine can set."""
    installation.deliver_rows("1.csv", *(make_row(n) for n in range(2000)))
    limited = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash"]
    result = zhengku_process(installation, *limited, COMMAND, "collect", "market_supervision")
    assert "no space left" in one_line(result)


def test_catalog_check_passes_on_the_shipped_catalogue(installation):
    result = zhengku(installation, "catalog", "check", ZHENGKU_CATALOG_DIR="")
    assert result.returncode == 0, result.stdout
    assert "0 mistakes" in result.stdout


def test_catalog_check_fails_with_file_line_and_fix(installation, tmp_path):
    import shutil

    folder = tmp_path / "catalog"
    shutil.copytree(installation.settings.catalog_folder, folder)
    path = folder / "departments" / "market_supervision.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("issue_date: {column:", "issue_dat: {column:"), encoding="utf-8"
    )
    result = zhengku(installation, "catalog", "check", ZHENGKU_CATALOG_DIR=str(folder))
    assert result.returncode == 1
    assert "market_supervision.yaml:" in result.stdout
    assert "issue_date" in result.stdout


def test_release_of_a_batch_that_is_not_held(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1))
    batch = installation.run_one()
    line = one_line(zhengku(installation, "release", str(batch.batch_id), "--reason", "y"))
    assert "not held" in line
    assert "no batch 999" in one_line(zhengku(installation, "release", "999", "--reason", "y"))


def test_brackets_in_delivered_values_are_shown_as_they_came(installation, make_row):
    address, name = "鄂城区[/某路]1号[red]:smile:", "[bold]1[x].csv"
    installation.deliver_rows(name, make_row(1, 企业名称="", 注册地址=address), make_row(2))
    collected = zhengku(installation, "collect", "market_supervision")
    assert collected.returncode == 0, collected.stderr
    assert name in collected.stdout
    listed = zhengku(installation, "problems", "list")
    assert listed.returncode == 0, listed.stderr
    assert address in listed.stdout
    assert name in zhengku(installation, "batches").stdout
    installation.deliver("[y].csv", b"")
    zhengku(installation, "collect", "market_supervision")
    summary = zhengku(installation, "summary")
    assert summary.returncode == 0, summary.stderr
    assert "[y].csv: rejected" in summary.stdout


def test_columns_that_nobody_mapped_are_not_shown(installation, make_row, header):
    installation.deliver("1.csv", f"{header},联系人\n{make_row(1, 企业名称='')},李某某\n")
    zhengku(installation, "collect", "market_supervision")
    [problem] = json.loads(zhengku(installation, "problems", "list", "--json").stdout)
    assert problem["payload"]["联系人"] == "＊（3字）"
    assert problem["payload"]["所在省份"] == "＊（2字）"
    [report] = (installation.drop.parents[1] / "reports").rglob("*.html")
    assert "李某某" not in report.read_text(encoding="utf-8")
