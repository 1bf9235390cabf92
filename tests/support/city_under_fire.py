"""A real Airflow that collects from the made-up city while processes are killed; night after night."""

import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
from tests.support.exchange_servers import DEFAULT_MARIADB, answers
from tests.support.night_comparison import differences, newest_batch
from tests.support.small_city import SmallCity, running
from tests.support.store_comparison import differences_between, evidence_faults
from tests.support.undisturbed_nights import UndisturbedNights, decide_about_problems, make_store

from local_stack.airflow import AirflowApi
from local_stack.postgres import EmbeddedPostgres
from simulator.databases import create_database, drop_database
from simulator.model import Night, SourceSystem
from simulator.publish import Places, connections, publish
from zhengku.clock import now
from zhengku.settings import Settings

HEARTBEAT_SECONDS: Final = 10
"""Airflow's `task_instance_heartbeat_timeout`, 300 unless set: only then a task without a supervisor is repeated."""


@dataclass(frozen=True)
class Kill:
    """One planned kill, by its seed; `feed` is `<department>/<feed>`, `tick` counts from 1.

    One with a COMMIT in flight has what becomes of that message, `sent` or `torn`, and counts writing transactions.
    """

    kill: int
    feed: str
    step: str
    tick: int
    victim: str
    commit: str | None = None


@dataclass(frozen=True)
class Points:
    """Where a step of a feed can be struck: its ticks, and those of its COMMITs that end a writing transaction."""

    ticks: int
    commits: int


@dataclass(frozen=True)
class NightUnderFire:
    """What became of one night: `late` are runs that failed and whose next run had to catch up.

    A kill with a COMMIT in flight has its `outcome`, `committed` or `rolled back`.
    """

    night: int
    kills: list[dict[str, Any]]
    late: list[str]
    differences: list[str]
    seconds: float


class KillFolder:
    """What the tasks' processes read and write about kills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.plan([])

    def plan(self, kills: Sequence[Kill]) -> None:
        """Say what is to be killed from now on."""
        part = self.folder / "plan.json.part"
        part.write_text(json.dumps([asdict(kill) for kill in kills]), encoding="utf-8")
        part.replace(self.folder / "plan.json")

    def log(self) -> list[dict[str, Any]]:
        """Return the kills that happened, the first first."""
        return self._lines("log.jsonl")

    def points(self) -> dict[tuple[str, str], Points]:
        """Return what each step of each feed had when it last ran undisturbed."""
        return {
            (line["feed"], line["step"]): Points(line["ticks"], line["commits"])
            for line in self._lines("ticks.jsonl")
            if line["ticks"]
        }

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


class CityUnderFire(SmallCity):
    """A city whose store has a server of its own, so that killing that does not kill Airflow's database.

    Its catalogue holds the feeds of `systems` alone.
    """

    def __init__(self, state: Path, systems: Sequence[SourceSystem], mariadb: Mapping[str, str]) -> None:
        feeds: dict[str, list[str]] = {}
        for system in systems:
            feeds.setdefault(system.department, []).append(system.feed)
        super().__init__(state, feeds, retries=6, retry_delay_seconds=1)
        self.systems = systems
        self.mariadb = mariadb
        # All that is committed must outlive the kill of a backend, so synchronous_commit stays on; the machine itself
        # does not crash, so fsync need not.
        self.store = EmbeddedPostgres(state / "store", {"fsync": "off", "shared_buffers": "64MB"})
        self.kills = KillFolder(state / "kills")
        self.undisturbed = UndisturbedNights(self.store, state / "undisturbed", feeds)

    def dag_file(self, department: str) -> str:
        """Return the shipped DAG file, with what kills the steps."""
        return f"{super().dag_file(department)}\nimport kill_points  # noqa: E402, F401\n"

    @property
    def places(self) -> Places:
        """Where the departments' systems are; some exchange databases lie on a MariaDB."""
        places = self.city.places
        return Places(places.folder, {**places.databases, **self.mariadb})

    def _our_settings(self) -> dict[str, str]:
        ours = super()._our_settings()
        if self.city.connections():
            ours.update(connections(self.places, self.systems))
        return {
            **ours,
            "ZHENGKU_DATABASE_URL": self.store.url("zhengku", "zhengku_pipeline"),
            "ZHENGKU_KILL_FOLDER": str(self.kills.folder),
            "PYTHONPATH": str(Path(__file__).parent / "killer"),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_SECONDS),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }

    def start(self) -> None:
        """Start all of it."""
        self.store.start()
        make_store(self.store, "zhengku")
        make_kill_table(self.store.url("zhengku"))
        super().start()
        self.undisturbed.start(self._our_settings())
        with self.api() as api:
            for department in self.departments:
                api.unpause(department)

    def stop(self) -> None:
        """Stop all of it."""
        super().stop()
        self.store.stop()

    def pass_night(self, night: Night, kills: Sequence[Kill] = ()) -> NightUnderFire:
        """Let a night pass: publish it, plan the kills, run every DAG, and compare what is left.

        It is compared with the truth, and in all its versions and problem records with a store that the same night
        fills without a kill. Then the evidence is sealed and verified, and people decide about problem records.
        """
        begin = time.monotonic()
        publish(night, self.places)
        url = self.store.url("zhengku")
        before, killed = newest_batch(url), len(self.kills.log())
        self.kills.plan(kills)
        with self.api() as api:
            failed = self.run(api, f"night-{night.number}", self.departments)
            self.kills.plan([])
            # What a person would do: the same once more.
            still = self.run(api, f"night-{night.number}-again", failed) if failed else []
            assert not still, f"night {night.number}: failed twice: {still}; {self._complaints(api, night, still)}"
        under_fire = round(time.monotonic() - begin, 1)
        found = differences(url, night, before, counts=not failed)
        found += self.undisturbed.pass_night(night)
        found += differences_between(url, self.undisturbed.url)
        found += evidence_faults(url)
        self._decide(night)
        struck = [self._with_outcome(kill) for kill in self.kills.log()[killed:]]
        passed = NightUnderFire(night.number, struck, failed, found, under_fire)
        print(passed.night, "kills", len(passed.kills), "late", passed.late, "seconds", passed.seconds, flush=True)
        for line in found:
            print("    ", line, flush=True)
        return passed

    def _decide(self, night: Night) -> None:
        """Let people decide the same in both stores."""
        ours = Settings(home=self.home, environment=self._our_settings())
        moment = now()
        for settings, url in ((ours, self.store.url("zhengku")), (self.undisturbed.settings, self.undisturbed.url)):
            decide_about_problems(settings, url, f"after night {night.number}", moment)

    def _with_outcome(self, kill: dict[str, Any]) -> dict[str, Any]:
        """Say whether the transaction of a COMMIT in flight was committed."""
        if kill["commit"] is None:
            return kill
        with psycopg.connect(self.store.url("zhengku").replace("+psycopg", "")) as connection:
            found = connection.execute("select from kills.struck where kill = %s", (kill["kill"],)).rowcount
        return {**kill, "outcome": "committed" if found else "rolled back"}

    def _complaints(self, api: AirflowApi, night: Night, departments: Collection[str]) -> list[str]:
        return [
            f"{department}: {task.name} {task.state} after {task.try_number} tries"
            for department in departments
            for task in api.task_states(department, f"night-{night.number}-again")
            if task.state != "success"
        ]


def make_kill_table(owner_url: str) -> None:
    """Make the table to which a transaction writes whose COMMIT is struck in flight."""
    with psycopg.connect(owner_url.replace("+psycopg", "")) as connection:
        connection.execute("create schema kills")
        connection.execute("create table kills.struck (kill integer primary key)")
        connection.execute("grant usage on schema kills to zhengku_pipeline")
        connection.execute("grant insert on kills.struck to zhengku_pipeline")


@contextmanager
def city_under_fire(state: Path, systems: Sequence[SourceSystem]) -> Iterator[CityUnderFire]:
    """Start a city; the housing bureau's exchange database lies on MariaDB, where one answers at its usual place."""
    with ExitStack() as stack:
        mariadb = {}
        server = os.environ.get("ZHENGKU_TEST_MARIADB_URL", DEFAULT_MARIADB)
        if answers(server):
            mariadb["housing"] = create_database(server, f"kills_{os.getpid()}")
            stack.callback(drop_database, mariadb["housing"])
        city = CityUnderFire(state, systems, mariadb)
        stack.enter_context(running(city))
        yield city


IN_FLIGHT: Final = (("task", "sent"), ("supervisor", "sent"), ("postgres", "sent"), ("task", "torn"))
"""Victim and message of the kills with a COMMIT in flight, by turns."""


def planned(seed: int, points: Mapping[tuple[str, str], Points]) -> Kill:
    """Decide by its seed where a kill strikes, among the steps, ticks and COMMITs that were seen in nights before.

    The step and the victim go by turns, so that each has its share. Every fourth kill has a COMMIT in flight.
    """
    # The first numbers of neighbouring small seeds are much alike; those of neighbouring texts are not.
    chance = Random(f"kill {seed}")
    # Five steps by turns; what lies between commit and success is one of them.
    step = ("collect", "stage", "validate", "load", chance.choice(("collected", "loaded")))[seed % 5]
    if seed % 4 == 1:
        if step in ("collected", "loaded"):
            # They have nothing to commit; of the others, the load is the one to be struck most.
            step = "load"
        feed = chance.choice(sorted(feed for (feed, name), point in points.items() if name == step and point.commits))
        victim, commit = IN_FLIGHT[seed // 4 % 4]
        # The last one has the work of the step, in the load all of it.
        commits = points[feed, step].commits
        return Kill(seed, feed, step, commits if step == "load" else chance.randint(1, commits), victim, commit)
    feed = chance.choice(sorted(feed for feed, name in points if name == step))
    victim = "postgres" if seed % 7 == 3 else "supervisor" if seed % 7 == 5 else "task"
    return Kill(seed, feed, step, chance.randint(1, points[feed, step].ticks), victim)
