"""Whether one part of Airflow is healthy: `python -m zhengku_airflow.health scheduler`, which docker-compose.yml runs.

It takes a tenth of a second. `airflow jobs check` takes several seconds, and checking every part each half minute would
use most of a core. Both look at the heartbeat in Airflow's table `job`.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping

JOB_TYPES = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
PARTS = ("api-server", *JOB_TYPES, "worker")

HEARTBEAT_SECONDS = 60
"""How old a heartbeat may be; every part writes one each five seconds."""

ANSWER_SECONDS = 10.0


def main() -> None:
    """Exit with 0 when the part named on the command line is healthy, else with 1 and the reason."""
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: python -m zhengku_airflow.health {'|'.join(PARTS)}")
    reason = unhealthy_reason(sys.argv[1], os.environ)
    if reason:
        sys.exit(f"{sys.argv[1]}: {reason}")


def unhealthy_reason(part: str, environment: Mapping[str, str]) -> str | None:
    """Return why a part of this machine is not healthy, by the settings in `environment`; None when it is.

    A part that cannot be reached is not healthy, and the error is the reason.
    """
    if part == "api-server":
        return _api_server_reason(environment)
    if part == "worker":
        return _worker_reason(environment)
    return _job_reason(JOB_TYPES[part], environment)


def _api_server_reason(environment: Mapping[str, str]) -> str | None:
    address = f"http://127.0.0.1:{environment['AIRFLOW__API__PORT']}/api/v2/version"
    # A proxy of the machine cannot reach our own 127.0.0.1.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=ANSWER_SECONDS):
            return None
    except OSError as error:
        return f"{address} does not answer: {error}"


def _job_reason(job_type: str, environment: Mapping[str, str]) -> str | None:
    import psycopg

    address = re.sub(r"^postgresql\+\w+:", "postgresql:", setting("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", environment))
    try:
        with psycopg.connect(address, connect_timeout=int(ANSWER_SECONDS)) as connection:
            row = connection.execute(
                "select extract(epoch from now() - max(latest_heartbeat)) from job"
                " where job_type = %s and state = 'running' and hostname = %s",
                [job_type, socket.gethostname()],
            ).fetchone()
    except psycopg.Error as error:
        return f"Airflow's database does not answer: {type(error).__name__}"
    age = row[0] if row else None
    if age is None:
        return f"no running {job_type} on {socket.gethostname()}"
    return f"the last heartbeat is {age:.0f} s old" if age > HEARTBEAT_SECONDS else None


def _worker_reason(environment: Mapping[str, str]) -> str | None:
    from celery import Celery  # type: ignore[import-untyped]
    from kombu.exceptions import KombuError
    from redis.exceptions import RedisError

    name = environment.get("ZHENGKU_WORKER_NAME") or f"celery@{socket.gethostname()}"
    app = Celery(broker=setting("AIRFLOW__CELERY__BROKER_URL", environment))
    prefix = environment.get("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX")
    app.conf.broker_transport_options = {"global_keyprefix": prefix} if prefix else {}
    try:
        answers = app.control.ping(destination=[name], timeout=ANSWER_SECONDS / 2, limit=1)
    except (OSError, KombuError, RedisError) as error:
        return f"the queue does not answer: {type(error).__name__}"
    return None if answers else f"{name} does not answer"


def setting(name: str, environment: Mapping[str, str]) -> str:
    """Return one of Airflow's settings, or what its command `<name>_CMD` prints, as Airflow itself does."""
    if name in environment:
        return environment[name]
    return subprocess.run(shlex.split(environment[f"{name}_CMD"]), stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
