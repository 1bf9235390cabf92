"""Makes `store.sql`: a store of the first release with made-up data, written by the code of that release.

Run once, in a checkout of commit afbeac3 (schema 0005, the first that has all kinds of records) whose environment this
project's `.venv` can be, on a PostgreSQL 15 server:

    git worktree add --detach /tmp/first afbeac3
    cp tests/support/first_release/make_store.py /tmp/first/tests/review/test_make_store.py
    cd /tmp/first && PYTHONPATH=include FIRST_RELEASE_DUMP=<this folder>/store.sql \
        ZHENGKU_TEST_DATABASE_URL=postgresql://postgres@127.0.0.1:5432/postgres <.venv>/bin/python -m pytest -q \
        -p no:cacheprovider tests/review/test_make_store.py
"""

import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

from tests.clearance_facts import Store
from tests.clearance_sample import fill

from zhengku.catalog import load_catalog
from zhengku.database import store_connection
from zhengku.review import problems
from zhengku.review.daily import publish_nights
from zhengku.review.decisions import reject, release
from zhengku.review.redrive import redrive
from zhengku.review.returns import Returns
from zhengku.settings import CITY_TIME_ZONE

FEED = ("market_supervision", "business_license")
PERSON = "大数据科"


def test_make_store(reviewed, make_row, database_url):
    rows = {number: make_row(number) for number in range(12)}
    wrong = {number: make_row(number, 企业名称="") for number in (20, 21, 22)}
    reviewed.deliver_rows("night1.csv", *rows.values(), *wrong.values(), '"虚构,没有结尾的引号', minutes_ago=600)
    assert reviewed.run_one().status == "loaded"
    # Two records get a second version, one problem is put right, and a file comes a second time.
    changed = [make_row(1, 企业类型="股份有限公司"), make_row(2, 法人代表="李某某")]
    reviewed.deliver_rows("night2.csv", *changed, make_row(20), minutes_ago=500)
    assert reviewed.run_one().status == "loaded"
    reviewed.deliver_rows("night2-again.csv", *changed, make_row(20), minutes_ago=400)
    assert reviewed.run_one().repeats_batch_id is not None
    [waived, *others] = reviewed.problem_ids()
    with store_connection(reviewed.settings.database_url) as connection:
        today = connection.execute("select current_date").fetchone()[0]
        problems.waive(connection, [waived], PERSON, "档案缺失", today + timedelta(days=90), today)
    Returns(reviewed.settings, load_catalog(reviewed.settings.catalog_folder)).make(
        FEED[0], PERSON, _now(database_url)
    )
    redrive(reviewed.road, *FEED, PERSON, "试一次", others[:1])
    # Two batches are held: one is released, one rejected, a third waits for a decision.
    catalog = load_catalog(reviewed.settings.catalog_folder)
    for place, name in enumerate(("held1.csv", "held2.csv", "held3.csv")):
        bad = [make_row(1000 + 300 * place + number, 企业名称="") for number in range(300)]
        reviewed.deliver_rows(name, *bad, make_row(30 + place), minutes_ago=300 - place)
        batch = reviewed.run_one()
        assert batch.status == "held"
        if place == 0:
            release(reviewed.road, batch.batch_id, PERSON, "核对过")
        elif place == 1:
            reject(reviewed.settings, catalog, batch.batch_id, PERSON, "请重新导出")
    reviewed.deliver("broken.csv", b"\x00\x01\x02", minutes_ago=100)
    assert reviewed.run_one().status == "rejected"
    publish_nights(reviewed.settings, _now(database_url))
    store = Store(database_url)
    fill(store, today - timedelta(days=5), 5, 6)
    store.close()
    _dump(database_url, Path(os.environ["FIRST_RELEASE_DUMP"]))


def _now(url):
    with store_connection(url) as connection:
        return connection.execute("select now()").fetchone()[0].astimezone(CITY_TIME_ZONE)


def _dump(url, target):
    address = url.replace("+psycopg", "")
    command = ["pg_dump", "--no-owner", "--no-privileges", "--rows-per-insert=50", "--dbname", address]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # What only psql reads.
    text = re.sub(r"^\\(un)?restrict .*\n", "", text, flags=re.MULTILINE)
    target.write_text(re.sub(r"^--.*\n|^\n", "", text, flags=re.MULTILINE), encoding="utf-8")
