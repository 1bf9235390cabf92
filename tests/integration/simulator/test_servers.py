"""The made-up departments' servers, asked by clients that are not zhengku's: requests, SQL, csv, openpyxl, paramiko."""

import base64
import csv
import hashlib
import hmac
import io
import json
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import openpyxl
import paramiko
import pytest
import requests
import sqlalchemy as sa

from simulator.databases import create_database, drop_database, fill
from simulator.drops import send_again, write_file
from simulator.faults import KINDS, PASSING, SPOILING, Faults
from simulator.http_service import write_state
from simulator.model import (
    Column,
    FilePlace,
    HttpPlace,
    Night,
    NightDelivery,
    SourceRow,
    SourceSystem,
    TablePlace,
)
from simulator.publish import Places, connections, publish
from simulator.serve import Servers

MARIADB = "mysql+pymysql://root@127.0.0.1:3306"
BEGIN = datetime(2024, 5, 1, 8)
COLUMNS = ("id", "证照编号", "extend.准驾车型", "extend.住址", "op", "modified")


def system(place: HttpPlace | TablePlace | FilePlace, feed: str = "permits") -> SourceSystem:
    return SourceSystem(
        "transport",
        feed,
        "residence_permit",
        "transport_api",
        place,
        tuple(Column(name, None) for name in COLUMNS),
        row_id="id",
        time_column="modified",
        operation_column="op",
    )


def rows(count: int, first: int = 1, *, at: datetime | None = None, text_times: bool = True) -> list[SourceRow]:
    """Rows of which three at a time bear one stamp."""
    made = []
    for number in range(first, first + count):
        moment = at or BEGIN + timedelta(minutes=number // 3)
        row_id = f"{number:08d}"
        values = {
            "id": row_id,
            "证照编号": f"鄂{number}",
            "extend.准驾车型": "C1",
            "extend.住址": None if number % 2 else '虚构路1号,"甲"\n乙座',
            "op": "I",
            "modified": moment.strftime("%Y-%m-%d %H:%M:%S") if text_times else moment,
        }
        made.append(SourceRow(row_id, values, moment, 1))
    return made


NUMBER = HttpPlace("certs/permits", "hmac_sha256", "number")
CURSOR = HttpPlace(
    "share/permits",
    "token",
    "cursor",
    rows_at="result.list",
    total_at="result.count",
    next_at="result.next",
    code_at="errcode",
    message_at="errmsg",
    ok_code=0,
    token_code=40001,
)
BY_TIME = HttpPlace(
    "api/permits",
    "md5",
    "time",
    has_until=False,
    rows_at="data",
    total_at=None,
    code_at="status",
    ok_code="success",
    retry_code="busy",
    method="post",
    id_header="appkey",
    time_header="rtime",
    signature_header="sign",
)
PLACES = pytest.mark.parametrize("place", [NUMBER, CURSOR, BY_TIME], ids=["number", "cursor", "time"])


def at(answer: Any, place: str) -> Any:
    for key in place.split("."):
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


class ReadAgain(Exception):
    """A reading whose pages do not fit together."""


def read(response: requests.Response) -> dict[str, Any]:
    """Return an answer's object; some of its rows are JSON that is nearly right."""
    answer: dict[str, Any] = json.loads(re.sub(r",(?=[}\]])", "", response.text))
    return answer


class Client:
    """What a right collector does, in the plainest way: five attempts for a request, five for a reading."""

    def __init__(self, address: str, place: HttpPlace) -> None:
        parts = urlsplit(address)
        self.id, self.secret = parts.username or "", parts.password or ""
        self.base = f"http://{parts.hostname}:{parts.port}{parts.path}"
        self.place = place
        self.session = requests.Session()
        self.session.trust_env = False
        self.token: str | None = None
        self.most_attempts = 0
        self.readings = 0

    def headers(self, *, moment: float | None = None) -> dict[str, str]:
        place = self.place
        if place.signature == "token":
            if self.token is None:
                answer = self.session.post(
                    f"{self.base}/{place.token_path}", json={"appId": self.id, "appSecret": self.secret}, timeout=10
                )
                answer.raise_for_status()
                self.token = str(read(answer)["data"]["token"])
            return {place.token_header: f"Bearer {self.token}"}
        stamp = str(int((moment or time.time()) * (1000 if place.time_unit == "milliseconds" else 1)))
        if place.signature == "md5":
            signature = hashlib.md5((self.id + self.secret + stamp).encode()).hexdigest()
        else:
            digest = hmac.new(self.secret.encode(), (self.id + stamp).encode(), hashlib.sha256).digest()
            signature = digest.hex() if place.encoding == "hex" else base64.b64encode(digest).decode()
        return {place.id_header: self.id, place.time_header: stamp, place.signature_header: signature}

    def raw(self, parameters: dict[str, Any], *, moment: float | None = None) -> requests.Response:
        url = f"{self.base}/{self.place.path}"
        headers = self.headers(moment=moment)
        if self.place.method == "get":
            return self.session.get(url, params=parameters, headers=headers, timeout=10)
        return self.session.post(url, json=parameters, headers=headers, timeout=10)

    def ask(self, parameters: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(1, 6):
            self.most_attempts = max(self.most_attempts, attempt)
            try:
                response = self.raw(parameters)
                response.raise_for_status()
                answer = read(response)
            except (requests.RequestException, ValueError):
                continue
            code = at(answer, self.place.code_at)
            if code == self.place.ok_code:
                return answer
            if code == self.place.token_code:
                self.token = None
            elif code != self.place.retry_code:
                raise AssertionError(f"business code {code}")
        raise AssertionError("five attempts were not enough")

    def all_rows(self, size: int = 7, **window: str) -> list[dict[str, Any]]:
        for self.readings in range(1, 6):
            try:
                return self._reading(size, window)
            except ReadAgain:
                continue
        raise AssertionError("five readings were not enough")

    def _reading(self, size: int, window: dict[str, str]) -> list[dict[str, Any]]:
        place = self.place
        came: dict[str, dict[str, Any]] = {}
        parameters: dict[str, Any] = {place.size_parameter: size, **window}
        page = place.first_page
        while True:
            if place.paging == "number":
                parameters[place.page_parameter] = page
            answer = self.ask(parameters)
            found = at(answer, place.rows_at)
            before = len(came)
            came.update((row["id"], row) for row in found)
            if place.paging == "time":
                if len(found) < size:
                    return list(came.values())
                assert len(came) > before, "no progress"
                parameters[place.since_parameter] = found[-1]["modified"]
                continue
            if len(came) != before + len(found):
                raise ReadAgain
            total = at(answer, str(place.total_at))
            following = at(answer, place.next_at) if place.next_at else None
            if following is None and (place.paging == "cursor" or len(found) < size):
                if len(came) != total:
                    raise ReadAgain
                return list(came.values())
            page += 1
            if following:
                parameters[place.cursor_parameter] = following


@contextmanager
def serving(folder: Path, place: HttpPlace, shown: list[SourceRow], **options: Any) -> Iterator[Client]:
    fed = system(place)
    write_state(folder, fed, shown)
    options = {"slow_seconds": 0.2, **options}
    with Servers(folder, **options):
        [address] = connections(Places(folder), [fed]).values()
        yield Client(address, place)


# Signatures


@PLACES
def test_right_signature_is_accepted_and_a_wrong_secret_is_refused(tmp_path: Path, place: HttpPlace) -> None:
    with serving(tmp_path, place, rows(5)) as client:
        assert client.raw({}).status_code == 200
        client.secret, client.token = client.secret[::-1], None
        if place.signature == "token":
            with pytest.raises(requests.HTTPError, match="403"):
                client.raw({})
        else:
            refused = client.raw({})
            assert (refused.status_code, at(refused.json(), place.code_at)) == (403, place.refusal_code)


def test_signature_in_base64_and_seconds_is_its_own_dialect(tmp_path: Path) -> None:
    place = replace(NUMBER, encoding="base64", time_unit="seconds")
    with serving(tmp_path, place, rows(5)) as client:
        assert client.raw({}).status_code == 200
        client.place = NUMBER
        assert client.raw({}).status_code == 403


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_signature_of_another_hour_is_refused(tmp_path: Path, seconds: int) -> None:
    with serving(tmp_path, NUMBER, rows(5)) as client:
        assert client.raw({}, moment=time.time() + seconds).status_code == 403


def test_token_ends_after_its_life_and_no_other_one_is_taken(tmp_path: Path) -> None:
    with serving(tmp_path, CURSOR, rows(5), token_seconds=0.3) as client:
        assert client.raw({}).json()["errcode"] == 0
        time.sleep(0.4)
        assert client.raw({}).json()["errcode"] == 40001
        client.token = "invented"
        assert client.raw({}).json()["errcode"] == 40001
        client.token = None
        assert client.raw({}).json()["errcode"] == 0
    with serving(tmp_path, CURSOR, rows(5)) as client:
        assert client.session.get(f"{client.base}/{CURSOR.path}", timeout=5).status_code == 401


# Pages


@PLACES
@pytest.mark.parametrize("count", [0, 1, 7, 14, 50])
def test_every_paging_gives_every_row_once_in_order(tmp_path: Path, place: HttpPlace, count: int) -> None:
    with serving(tmp_path, place, rows(count)[::-1]) as client:
        assert [row["id"] for row in client.all_rows()] == [row.row_id for row in rows(count)]


@PLACES
def test_window_is_inclusive_at_both_ends(tmp_path: Path, place: HttpPlace) -> None:
    since, until = BEGIN + timedelta(minutes=2), BEGIN + timedelta(minutes=4)
    window = {"since": str(since), "until": str(until)}
    with serving(tmp_path, place, rows(30)) as client:
        expected = [row for row in rows(30) if row.changed_at and row.changed_at >= since]
        if place.has_until:
            expected = [row for row in expected if row.changed_at and row.changed_at <= until]
        assert [row["id"] for row in client.all_rows(**window)] == [row.row_id for row in expected]


def test_whole_register_knows_no_window(tmp_path: Path) -> None:
    with serving(tmp_path, replace(NUMBER, whole=True), rows(9)) as client:
        assert len(client.all_rows(since="2030-01-01 00:00:00")) == 9


def test_dotted_columns_are_objects_and_empty_ones_may_be_left_out(tmp_path: Path) -> None:
    with serving(tmp_path, NUMBER, rows(1)) as client:
        [row] = client.all_rows()
        assert row["extend"] == {"准驾车型": "C1", "住址": None}
    with serving(tmp_path, replace(NUMBER, omits_empty=True), rows(1)) as client:
        [row] = client.all_rows()
        assert row["extend"] == {"准驾车型": "C1"}


def test_wrong_parameters_are_refused_with_400(tmp_path: Path) -> None:
    with serving(tmp_path, NUMBER, rows(3)) as client:
        for wrong in ({"page": "0"}, {"size": "99999999"}, {"size": "x"}, {"since": "yesterday"}):
            assert client.raw(wrong).status_code == 400, wrong
    with serving(tmp_path, CURSOR, rows(3)) as client:
        assert client.raw({"cursor": "%%%"}).status_code == 400


def test_other_methods_and_paths_are_refused(tmp_path: Path) -> None:
    with serving(tmp_path, NUMBER, rows(3)) as client:
        assert client.session.post(f"{client.base}/{NUMBER.path}", timeout=5).status_code == 405
        assert client.session.get(f"{client.base}/certs/others", timeout=5).status_code == 404
        assert client.session.get(f"{client.base}/../../secret", timeout=5).status_code == 404


def test_new_night_shows_without_a_restart_and_cursors_stay_good(tmp_path: Path) -> None:
    with serving(tmp_path, CURSOR, rows(10)) as client:
        following = client.ask({"size": 4})["result"]["next"]
        write_state(tmp_path, system(CURSOR), rows(20))
        answer = client.ask({"size": 4, "cursor": following})
        assert (answer["result"]["list"][0]["id"], answer["result"]["count"]) == ("00000005", 20)


def test_state_is_refused_for_a_system_without_an_interface(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"transport\.permits: expected a system with an HTTP interface"):
        write_state(tmp_path, system(FilePlace("permits", "csv_utf8")), [])


# Limits and faults


def test_requests_beyond_the_limit_are_put_off(tmp_path: Path) -> None:
    with serving(tmp_path, NUMBER, rows(3), per_minute=4) as client:
        answers = [client.raw({}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61


EXPECTED: dict[str, Callable[[requests.Response], bool]] = {
    "too_many_requests": lambda answer: answer.status_code == 429 and answer.headers["Retry-After"] == "1",
    "server_error": lambda answer: answer.status_code == 500,
    "unavailable": lambda answer: answer.status_code == 503 and answer.headers["Retry-After"] == "1",
    "slow_body": lambda answer: answer.ok and answer.elapsed < timedelta(seconds=0.2),
    "slow_head": lambda answer: answer.ok and answer.elapsed >= timedelta(seconds=0.2),
    "slow_blocks": lambda answer: answer.headers["Content-Encoding"] == "gzip" and len(read(answer)) > 1,
    "busy": lambda answer: answer.ok and read(answer)["errcode"] == "5001",
    "expired_token": lambda answer: answer.ok and read(answer)["errcode"] == 40001,
    "wrong_total": lambda answer: read(answer)["result"]["count"] != 30,
    "repeated_page": lambda answer: read(answer)["result"]["list"][0]["id"] == "00000001",
}
BROKEN: dict[str, type[Exception]] = {
    "cut_body": requests.exceptions.ChunkedEncodingError,
    "cut_chunks": requests.exceptions.ChunkedEncodingError,
    "invalid_json": json.JSONDecodeError,
    "reset": requests.exceptions.ConnectionError,
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "shifted_page"])
def test_each_fault_is_what_it_says_and_is_gone_when_asked_again(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, CURSOR, rows(30)) as plain:
        second = plain.ask({"size": 7})["result"]["next"]
        right = plain.ask({"size": 7, "cursor": second})
    with serving(tmp_path, CURSOR, rows(30), faults=(faults := Faults(1.0, 5, [kind]))) as client:
        client.headers() if kind not in ("server_error", "unavailable", "reset") else login(client)
        begun = time.monotonic()
        if kind in BROKEN:
            with pytest.raises(BROKEN[kind]):
                read(client.raw({"size": 7, "cursor": second}))
        else:
            assert EXPECTED[kind](client.raw({"size": 7, "cursor": second}))
        if kind.startswith("slow_"):
            assert time.monotonic() - begun >= 0.2
        client.token = None if kind == "expired_token" else client.token
        assert read(client.raw({"size": 7, "cursor": second})) == right
    assert faults.served()[kind] >= 1
    assert sum(faults.served().values()) == faults.served()[kind]


def login(client: Client) -> None:
    """Get a token from a service whose first answer to that is a fault."""
    with pytest.raises(requests.RequestException):
        client.headers()
    client.headers()


def test_reset_is_a_reset_and_not_an_end(tmp_path: Path) -> None:
    with serving(tmp_path, NUMBER, rows(3), down=["transport"]) as client:
        parts = urlsplit(client.base)
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
            connection.sendall(b"GET /transport/certs/permits HTTP/1.1\r\nHost: here\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                connection.recv(1)


def test_shifted_page_leaves_a_row_out_and_shows_another_twice(tmp_path: Path) -> None:
    faults = Faults(1.0, 1, ["shifted_page"])
    with serving(tmp_path, NUMBER, rows(30), faults=faults) as client:
        first, again = (client.ask({"size": 7, "page": 2})["data"] for _ in range(2))
    assert (first["total"], again["total"]) == (30, 30)
    assert [row["id"] for row in first["rows"]] == [f"{number:08d}" for number in range(9, 16)]
    assert [row["id"] for row in again["rows"]] == [f"{number:08d}" for number in range(8, 15)]


@PLACES
@pytest.mark.parametrize("seed", range(3))
def test_right_client_gets_every_row_through_all_faults(tmp_path: Path, place: HttpPlace, seed: int) -> None:
    kinds = [kind for kind in KINDS if not kind.startswith("slow_")]
    faults = Faults(0.5, seed, kinds)
    with serving(tmp_path, place, rows(60), faults=faults) as client:
        client.headers = resolute(client.headers)  # type: ignore[method-assign]
        for _ in range(4):
            assert [row["id"] for row in client.all_rows()] == [row.row_id for row in rows(60)]
            assert client.readings <= 2
    assert client.most_attempts <= 3
    assert sum(faults.served().values()) >= 10


def resolute(headers: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    def ask(**options: Any) -> dict[str, str]:
        for _ in range(5):
            try:
                return headers(**options)
            except requests.RequestException:
                continue
        raise AssertionError("five attempts to get a token were not enough")

    return ask


def test_faults_depend_on_the_seed_alone() -> None:
    def drawn(seed: int) -> list[str | None]:
        faults = Faults(0.5, seed)
        return [faults.draw("transport/permits", number % 4, KINDS, 4) for number in range(400)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert set(drawn(1)) == {None, *KINDS}


def test_faults_are_rare_where_they_should_be_and_never_too_many_for_one_page() -> None:
    assert all(Faults(0.0).draw("f", 1, KINDS, 1) is None for _ in range(50))
    faults = Faults(1.0, 3, PASSING)
    drawn = [faults.draw("f", 1, KINDS, 1) for _ in range(300)]
    assert drawn.count(None) == 100
    assert all(one != other for one, other in pairwise(drawn))
    spoiling = Faults(1.0, 3, SPOILING)
    drawn = [spoiling.draw("f", number % 3, KINDS, 3) for number in range(80)]
    assert [drawn[start : start + 8].count(None) for start in range(0, 80, 8)] == [7] * 10


@pytest.mark.parametrize(("rate", "kinds"), [(1.5, KINDS), (-0.1, KINDS), (0.5, ["flood"])])
def test_impossible_faults_are_refused(rate: float, kinds: list[str]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        Faults(rate, 1, kinds)


def test_served_faults_are_told_and_a_department_goes_down_and_comes_back(tmp_path: Path) -> None:
    with serving(tmp_path, NUMBER, rows(3), faults=Faults(1.0, 1, ["busy"])) as client:
        client.ask({})
        control = client.base.removesuffix("/transport") + "/-"
        assert client.session.get(f"{control}/faults", timeout=5).json()["faults"]["busy"] == 1
        assert client.session.post(f"{control}/down/transport", timeout=5).json() == {
            "down": ["transport"],
            "hanging": [],
        }
        with pytest.raises(requests.ConnectionError):
            client.raw({})
        told = client.session.post(f"{control}/hang/transport", timeout=5).json()
        assert told == {"down": [], "hanging": ["transport"]}
        with pytest.raises(requests.ReadTimeout):
            client.session.get(client.base, timeout=0.5)
        assert client.session.post(f"{control}/up/transport", timeout=5).json() == {"down": [], "hanging": []}
        assert client.ask({})
        assert client.session.post(f"{control}/down/nobody", timeout=5).status_code == 404


# As a process


def test_process_says_where_it_listens_and_ends_with_its_faults(tmp_path: Path) -> None:
    fed = system(NUMBER)
    write_state(tmp_path, fed, rows(20))
    command = [sys.executable, "-m", "simulator", "serve", "--folder", str(tmp_path), "--faults", "0.5", "--seed", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 20
            while not (tmp_path / "serve.port").exists():
                assert process.poll() is None, "it ended"
                assert time.monotonic() < deadline, "it does not listen"
                time.sleep(0.05)
            [address] = connections(Places(tmp_path), [fed]).values()
            assert len(Client(address, NUMBER).all_rows()) == 20
            process.send_signal(signal.SIGTERM)
            written, _ = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 0
    assert sum(json.loads(written.splitlines()[-1])["faults"].values()) > 0
    assert not (tmp_path / "serve.port").exists()
    with pytest.raises(RuntimeError, match="python -m simulator serve"):
        connections(Places(tmp_path), [fed])


# Tables


@pytest.fixture(params=["mariadb", "postgresql"])
def exchange(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "mariadb":
        try:
            socket.create_connection(("127.0.0.1", 3306), timeout=2).close()
        except OSError:
            pytest.skip("no MariaDB listens at 127.0.0.1:3306")
        server = MARIADB
    else:
        server = request.getfixturevalue("server_url")
    url = create_database(server, f"test_{secrets.token_hex(4)}")
    try:
        yield url
    finally:
        drop_database(url)


def table_rows(url: str) -> list[dict[str, Any]]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    table = sa.Table("ex_permits", sa.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(table.select().order_by(table.c.id)).mappings()]


def test_table_holds_the_rows_with_a_real_time_and_an_index_by_time(exchange: str) -> None:
    shown = rows(12, at=datetime(2024, 5, 1, 8, 0, 0, 123000), text_times=False)
    assert fill(exchange, system(TablePlace("transport", "ex_permits")), shown, shown) == 12
    found = table_rows(exchange)
    assert [row["id"] for row in found] == list(range(1, 13))
    assert found[1]["extend.住址"] == '虚构路1号,"甲"\n乙座'
    assert found[0]["extend.住址"] is None
    assert {row["modified"] for row in found} == {datetime(2024, 5, 1, 8, 0, 0, 123000)}
    [index] = sa.inspect(sa.create_engine(exchange, poolclass=sa.NullPool)).get_indexes("ex_permits")
    assert index["column_names"] == ["modified", "id"]


def test_department_appends_rows_that_it_committed_late_too(exchange: str) -> None:
    place = system(TablePlace("transport", "ex_permits"))
    first = [row for row in rows(12, text_times=False) if row.row_id != "00000005"]
    late = [row for row in rows(12, text_times=False) if row.row_id == "00000005"]
    deleted = [replace(row, row_id="00000013", values={**row.values, "id": "00000013", "op": "D"}) for row in late]
    fill(exchange, place, first, first)
    assert fill(exchange, place, [*first, *late, *deleted], [*late, *deleted]) == 13
    assert [(row["id"], row["op"]) for row in table_rows(exchange)][-9:] == [
        *((number, "I") for number in range(5, 13)),
        (13, "D"),
    ]


def test_night_that_is_published_again_leaves_the_same_table(exchange: str) -> None:
    place = system(TablePlace("transport", "ex_permits"))
    shown = rows(8, text_times=False)
    for _ in range(2):
        fill(exchange, place, shown[:5], shown[:5])
    for _ in range(2):
        assert fill(exchange, place, shown, shown[5:]) == 8
    assert fill(exchange, place, shown[:5], shown[:5]) == 5


def test_whole_register_is_replaced(exchange: str) -> None:
    place = system(TablePlace("transport", "ex_permits", whole=True))
    fill(exchange, place, rows(8, text_times=False), [])
    fill(exchange, place, rows(4, first=3, text_times=False), [])
    assert [row["id"] for row in table_rows(exchange)] == [3, 4, 5, 6]


def test_table_may_have_the_longest_name_that_servers_take(exchange: str) -> None:
    name = "ex_" + "construction_" * 4 + "permit"
    assert fill(exchange, system(TablePlace("transport", name)), rows(2, text_times=False), []) == 2


def test_time_may_be_kept_as_text(exchange: str) -> None:
    fill(exchange, system(TablePlace("transport", "ex_permits", time_as_text=True)), rows(1), rows(1))
    assert table_rows(exchange)[0]["modified"] == "2024-05-01 08:00:00"


def test_database_of_somebody_else_is_not_dropped(exchange: str) -> None:
    with pytest.raises(ValueError, match="it is not dropped"):
        drop_database(sa.make_url(exchange).set(database="mysql").render_as_string(hide_password=False))


# Files


def csv_rows(path: Path, encoding: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(encoding), newline="")))


@pytest.mark.parametrize(
    ("form", "encoding"), [("csv_utf8", "utf-8"), ("csv_bom", "utf-8-sig"), ("csv_gb18030", "gb18030")]
)
def test_csv_reads_back_with_its_commas_quotes_and_line_breaks(tmp_path: Path, form: Any, encoding: str) -> None:
    path = write_file(tmp_path, system(FilePlace("permits", form)), rows(4), "许可_20240501.csv")
    header, *found = csv_rows(path, encoding)
    assert tuple(header) == COLUMNS
    assert [row[3] for row in found] == ["", '虚构路1号,"甲"\n乙座'] * 2
    assert path.read_bytes().startswith(b"\xef\xbb\xbf") == (form == "csv_bom")


def test_manifest_follows_its_file_and_says_what_is_in_it(tmp_path: Path) -> None:
    path = write_file(tmp_path, system(FilePlace("permits", "csv_utf8")), rows(4), "a.csv")
    manifest = path.with_name("a.csv.manifest.json")
    assert json.loads(manifest.read_text(encoding="utf-8")) == {
        "file": "a.csv",
        "rows": 4,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert {found.name for found in path.parent.iterdir()} == {"a.csv", "a.csv.manifest.json"}
    assert time.time() - path.stat().st_mtime > 50
    assert manifest.stat().st_mtime >= path.stat().st_mtime


def test_file_sent_twice_is_the_same_bytes_under_another_name(tmp_path: Path) -> None:
    path = write_file(tmp_path, system(FilePlace("permits", "xlsx")), rows(4), "a.xlsx")
    second = send_again(path, "a_重发.xlsx")
    assert second.read_bytes() == path.read_bytes()
    assert second.with_name("a_重发.xlsx.manifest.json").exists()


def test_spreadsheet_has_titles_and_a_header_of_two_merged_rows(tmp_path: Path) -> None:
    names = ("序号", "持证主体/名称", "持证主体/代码", "发证日期")
    fed = replace(
        system(FilePlace("permits", "xlsx", titles=2, manifest=False)), columns=tuple(Column(n, None) for n in names)
    )
    values: dict[str, Any] = {"序号": 1, "持证主体/名称": "李某某", "持证主体/代码": None, "发证日期": 45000}
    path = write_file(tmp_path, fed, [SourceRow("1", values, None, 1)], "名册.xlsx")
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert [list(row) for row in sheet.iter_rows(min_row=3, values_only=True)] == [
        ["序号", "持证主体", None, "发证日期"],
        [None, "名称", "代码", None],
        [1, "李某某", None, 45000],
    ]
    assert {str(found) for found in sheet.merged_cells.ranges} == {"A1:D1", "A2:D2", "A3:A4", "B3:C3", "D3:D4"}
    assert list(path.parent.iterdir()) == [path]


def test_spreadsheet_without_groups_has_one_header_row(tmp_path: Path) -> None:
    path = write_file(tmp_path, system(FilePlace("permits", "xlsx", titles=1)), rows(2), "a")
    found = list(openpyxl.load_workbook(path).worksheets[0].iter_rows(min_row=2, values_only=True))
    assert (found[0], len(found), found[2][3]) == (COLUMNS, 3, '虚构路1号,"甲"\n乙座')


def test_name_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.xlsx, got a\.csv"):
        write_file(tmp_path, system(FilePlace("permits", "xlsx")), [], "a.csv")


# SFTP and the whole


@contextmanager
def sftp(address: str, password: str | None = None) -> Iterator[paramiko.SFTPClient]:
    parts = urlsplit(address)
    with paramiko.SSHClient() as client:
        client.load_host_keys(unquote(parts.query.removeprefix("known_hosts=")))
        client.connect(
            parts.hostname or "",
            parts.port or 0,
            parts.username,
            password or parts.password,
            allow_agent=False,
            look_for_keys=False,
        )
        with client.open_sftp() as files:
            yield files


def deliver(*deliveries: tuple[SourceSystem, list[SourceRow]]) -> Night:
    return Night(1, date(2024, 5, 1), [NightDelivery(fed, shown, shown, [], []) for fed, shown in deliveries])


def test_published_files_lie_behind_sftp_for_whoever_has_the_password(tmp_path: Path) -> None:
    fed = system(FilePlace("permits", "csv_utf8", over_sftp=True))
    places = Places(tmp_path)
    publish(deliver((fed, rows(3))), places, sent_twice={fed.name})
    (tmp_path / "sftp" / "transport" / "permits" / "link").symlink_to(tmp_path / "secret")
    with Servers(tmp_path):
        [address] = connections(places, [fed]).values()
        with sftp(address) as files:
            names = set(files.listdir("transport/permits")) - {"link"}
            assert names == {f"permits_20240501{end}" for end in (".csv", "_重发.csv")} | {
                f"permits_20240501{end}.manifest.json" for end in (".csv", "_重发.csv")
            }
            with files.open("/transport/permits/permits_20240501.csv") as file:
                assert file.read().decode().startswith("id,证照编号")
            for outside in ("/transport/permits/link", "/../secret", "/no such file"):
                with pytest.raises(OSError):  # noqa: PT011 (its kinds differ)
                    files.open(outside)
            with pytest.raises(OSError):  # noqa: PT011
                files.open("/transport/new.csv", "w")
        with pytest.raises(paramiko.AuthenticationException), sftp(address, "wrong"):
            pass
    assert not (tmp_path / "sftp" / "transport" / "new.csv").exists()


def test_night_is_published_everywhere_and_its_connections_are_told(tmp_path: Path, exchange: str) -> None:
    places = Places(tmp_path, {"transport": exchange})
    interface = system(NUMBER)
    table = replace(system(TablePlace("transport", "ex_permits"), "tables"), connection="transport_exchange")
    drop = replace(system(FilePlace("permits", "csv_utf8"), "files"), connection="transport_drop")
    publish(deliver((interface, rows(3)), (table, rows(3, text_times=False)), (drop, rows(3))), places)
    with Servers(tmp_path):
        told = connections(places, [interface, table, drop])
        assert len(Client(told["ZHENGKU_CONN_TRANSPORT_API"], NUMBER).all_rows()) == 3
    assert len(table_rows(told["ZHENGKU_CONN_TRANSPORT_EXCHANGE"])) == 3
    assert len(csv_rows(Path(told["ZHENGKU_CONN_TRANSPORT_DROP"]) / "permits" / "files_20240501.csv", "utf-8")) == 4
    with pytest.raises(LookupError, match="no address is given for transport"):
        publish(deliver((table, [])), Places(tmp_path))


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    interface = system(NUMBER)
    with serving(tmp_path, NUMBER, rows(1)) as client:
        first = client.secret
    with serving(tmp_path, NUMBER, rows(1)) as client:
        assert client.secret == first
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert first not in (tmp_path / "systems" / f"{interface.name}.jsonl").read_text(encoding="utf-8")
