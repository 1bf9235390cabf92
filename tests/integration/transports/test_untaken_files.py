"""Every file in a drop is taken by a feed, or told once with the reason; what is unfinished is left alone."""

from __future__ import annotations

import logging
import os
import time

import pytest
from tests.support.changed_department import change_department
from tests.support.sftp_server import sftp_server

from zhengku import ledger
from zhengku.database import store_connection
from zhengku.errors import DeliveryUnavailable
from zhengku.settings import Settings

UNTAKEN = {
    "business_license/20261123/x.csv": "目录“business_license/20261123”没有来源接收",
    "business_license/x.xls": "不支持的电子表格格式，请另存为约定的格式（CSV或XLSX）后提交",
    "business_license/x.ZIP": "压缩包，请解压后提交",
    "business_license/x.csv.gz": "压缩包，请解压后提交",
    "business_license/x.txt": "文件名与约定的不符（约定：*.csv）",
    "business_license/x.txt.manifest.json": "文件名与约定的不符（约定：*.csv）",
    "business_license/营业执照.docx": "不是数据文件，请提交CSV或XLSX",
    "20261123/深/x.csv": "目录“20261123/深”没有来源接收",
    "x.csv": "不在约定的目录中",
}
LEFT_ALONE = (
    "~$x.csv", "~$DATA.CSV", ".hidden.csv", "x.csv.part", "x.csv.PART", "x.csv.tmp", "x.tmp", ".~lock.x.csv#",
    "x.csv.filepart", "Thumbs.db", ".DS_Store", "x.csv~",
)  # fmt: skip


@pytest.fixture(params=["local", "sftp"])
def drop(request, installation, tmp_path):
    """The installation's drop as a folder of this machine, or behind SFTP."""
    if request.param == "local":
        yield installation
        return
    with sftp_server(tmp_path / "drop", tmp_path / "known_hosts") as server:
        environment = {
            **installation.settings.environment,
            "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": server.address(),
        }
        installation.settings = Settings(home=installation.settings.home, environment=environment)
        yield installation


def lay(installation, name, content="x"):
    path = installation.drop.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    moment = time.time() - 3600
    os.utime(path, (moment, moment))
    return path


def told(installation, run_id=None):
    with store_connection(installation.settings.database_url) as connection:
        found = ledger.untaken(connection, department="market_supervision", run_id=run_id)
    return {file.name: file.reason for file in found}


def test_each_file_that_no_feed_takes_is_told_once_and_the_run_is_green(drop, make_row, caplog):
    drop.deliver_rows("DATA.CSV", make_row(1))
    drop.deliver("DATA.CSV.MANIFEST.JSON", '{"rows": 1}')
    for name in UNTAKEN:
        lay(drop, name)
    for name in LEFT_ALONE:
        lay(drop, f"business_license/{name}")
    with caplog.at_level(logging.WARNING):
        [batch] = drop.run("night-1")
    assert (batch.source_name, batch.status, batch.inserted) == ("DATA.CSV", "loaded", 1)
    assert batch.manifest == {"rows": 1}
    assert told(drop, "night-1") == told(drop) == UNTAKEN
    page = drop.pipeline.conclude("market_supervision", "night-1").read_text(encoding="utf-8")
    for name, reason in UNTAKEN.items():
        assert name in page
        assert reason in page
        assert sum(f"No feed takes {name} in " in line for line in caplog.messages) == 1
    assert "~$" not in page
    caplog.clear()
    drop.deliver_rows("2.csv", make_row(2), minutes_ago=30)
    with caplog.at_level(logging.WARNING):
        drop.run("night-2")
    assert told(drop, "night-2") == {}
    assert not [line for line in caplog.messages if "No feed takes" in line]
    assert told(drop) == UNTAKEN
    assert "没有来源接收的文件" not in drop.pipeline.conclude("market_supervision", "night-2").read_text(
        encoding="utf-8"
    )


def test_file_that_is_gone_is_no_longer_listed_and_another_of_its_name_is_told(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1))
    path = lay(installation, "business_license/x.txt")
    installation.run("night-1")
    path.unlink()
    installation.run("night-2")
    assert told(installation) == {}
    lay(installation, "business_license/x.txt", "xy")
    installation.run("night-3")
    assert set(told(installation, "night-3")) == {"business_license/x.txt"}


def test_what_lies_there_is_told_where_nothing_is_to_collect(installation):
    lay(installation, "business_license/x.zip")
    with pytest.raises(DeliveryUnavailable, match=r"No file \*\.csv"):
        installation.run("night-1")
    assert set(told(installation, "night-1")) == {"business_license/x.zip"}


def test_file_that_waits_for_its_manifest_for_days_is_told(installation, tmp_path, make_row):
    change_department(installation, tmp_path, lambda text: text.replace("manifest: optional", "manifest: required"))
    installation.deliver_rows("1.csv", make_row(1), minutes_ago=60)
    installation.deliver_rows("2.csv", make_row(2), minutes_ago=3 * 24 * 60)
    with pytest.raises(DeliveryUnavailable, match="with its manifest"):
        installation.run("night-1")
    assert told(installation) == {"business_license/2.csv": "缺少约定的清单文件，未采集"}


def test_folder_of_another_feed_is_its_own(installation, tmp_path, make_row, register_catalog):
    other = "food_business_license"
    text = (register_catalog / "departments" / "market_supervision.yaml").read_text(encoding="utf-8")
    feed = text[text.index("  business_license:\n") :]
    twin = feed.replace("  business_license:\n", "  twin:\n").replace("folder: business_license", f"folder: {other}")
    change_department(installation, tmp_path, lambda text: text + twin)
    installation.deliver_rows("1.csv", make_row(1))
    lay(installation, f"{other}/x.csv")
    lay(installation, f"{other}/x.txt")
    installation.run("night-1")
    assert set(told(installation)) == {f"{other}/x.txt"}
