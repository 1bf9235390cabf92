"""Whether one part of a cluster is healthy: `python -m local_stack.health scheduler`, as docker-compose.yml asks.

It takes a tenth of a second where `airflow jobs check` takes several: with a check each half minute for every part,
that would be most of a core. It looks at what that command looks at, the sign of life in Airflow's table `job`.
"""

import os
import socket
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

JOB_TYPES = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
PARTS = ("api-server", *JOB_TYPES, "worker", "simulator")

SIGN_SECONDS = 60
"""How old a sign of life may be; every part gives one each five seconds."""

ANSWER_SECONDS = 10.0


def main() -> None:
    """Exit with 0 when the part named on the command line is healthy, else with 1 and the reason."""
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: python -m local_stack.health {'|'.join(PARTS)}")
    reason = ill(sys.argv[1], os.environ)
    if reason:
        sys.exit(f"{sys.argv[1]}: {reason}")


def ill(part: str, environment: Mapping[str, str]) -> str | None:
    """Return why a part of this machine is not healthy, by the settings in `environment`; None when it is.

    An error of the library that asks is a reason too: whoever cannot be asked is not healthy.
    """
    if part == "api-server":
        return _api_server_is_ill(environment)
    if part == "worker":
        return _worker_is_ill(environment)
    if part == "simulator":
        return _simulator_is_ill(environment)
    return _job_is_ill(JOB_TYPES[part], environment)


def _api_server_is_ill(environment: Mapping[str, str]) -> str | None:
    address = f"http://127.0.0.1:{environment['AIRFLOW__API__PORT']}/api/v2/version"
    # A proxy of the machine cannot reach our own 127.0.0.1.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=ANSWER_SECONDS):
            return None
    except OSError as error:
        return f"{address} does not answer: {error}"


def _job_is_ill(job_type: str, environment: Mapping[str, str]) -> str | None:
    import psycopg

    address = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "", 1)
    try:
        with psycopg.connect(address, connect_timeout=int(ANSWER_SECONDS)) as connection:
            row = connection.execute(
                "select extract(epoch from now() - max(latest_heartbeat)) from job"
                " where job_type = %s and state = 'running' and hostname = %s",
                [job_type, socket.gethostname()],
            ).fetchone()
    except psycopg.Error as error:
        return f"Airflow's database does not tell: {type(error).__name__}"
    age = row[0] if row else None
    if age is None:
        return f"no running {job_type} on {socket.gethostname()}"
    return f"the last sign of life is {age:.0f} s old" if age > SIGN_SECONDS else None


def _worker_is_ill(environment: Mapping[str, str]) -> str | None:
    from celery import Celery  # type: ignore[import-untyped]
    from kombu.exceptions import KombuError
    from redis.exceptions import RedisError

    name = environment.get("ZHENGKU_WORKER_NAME") or f"celery@{socket.gethostname()}"
    app = Celery(broker=environment["AIRFLOW__CELERY__BROKER_URL"])
    prefix = environment.get("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX")
    app.conf.broker_transport_options = {"global_keyprefix": prefix} if prefix else {}
    try:
        answers = app.control.ping(destination=[name], timeout=ANSWER_SECONDS / 2, limit=1)
    except (OSError, KombuError, RedisError) as error:
        return f"the queue does not answer: {type(error).__name__}"
    return None if answers else f"{name} does not answer"


def _simulator_is_ill(environment: Mapping[str, str]) -> str | None:
    from simulator.publish import HTTP_PORT_FILE, SFTP_PORT_FILE

    for name in (HTTP_PORT_FILE, SFTP_PORT_FILE):
        try:
            port = int((Path(environment["SIMULATOR_FOLDER"]) / name).read_text(encoding="ascii"))
            socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS / 2).close()
        except OSError as error:
            return f"{name}: {error}"
    return None


if __name__ == "__main__":
    main()
