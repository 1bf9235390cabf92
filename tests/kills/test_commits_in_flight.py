"""A COMMIT that is struck in flight was carried out or not, and the next try of the step finds which."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.city_under_fire import Kill, KillFolder, make_kill_table

FEED = "market_supervision/business_license"
LOAD = """
import os
import kill_points
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings, project_home
pipeline = Pipeline(Settings(home=project_home(), environment=dict(os.environ)))
pipeline.collect("market_supervision", "business_license", "one")
pipeline.load_run("market_supervision", "one")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("message", "committed"), [("sent", 1), ("torn", 0)])
def test_process_killed_with_the_commit_of_the_load_in_flight(
    installation, database_url, make_row, tmp_path, message, committed
):
    make_kill_table(database_url)
    folder = KillFolder(tmp_path / "kills")
    folder.plan([Kill(1, FEED, "load", 2, "task", message)])
    installation.deliver_rows("one.csv", make_row(1), make_row(2))
    environment = {
        **os.environ,
        **installation.settings.environment,
        "ZHENGKU_KILL_FOLDER": str(folder.folder),
        "PYTHONPATH": str(Path(__file__).parents[1] / "support" / "killer"),
    }
    killed = subprocess.run([sys.executable, "-c", LOAD], env=environment, check=False)
    assert killed.returncode == -9
    [kill] = [json.loads(line) for line in (folder.folder / "log.jsonl").read_text("utf-8").splitlines()]
    assert kill["at"] == f"Connection.commit, COMMIT {message}"
    # The lock of the killed process goes with its session: the next one waits until the server has noticed.
    subprocess.run([sys.executable, "-c", LOAD], env=environment, check=True)
    assert installation.query("select count(*) from kills.struck") == [(committed,)]
    assert installation.query("select status, inserted from ledger.batch") == [("loaded", 2)]
    assert installation.query("select version_no from store.certificate") == [(1,), (1,)]
