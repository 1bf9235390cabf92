"""An interface that fails in every way that interfaces fail, over real sockets."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import certificate, tls_of
from tests.support.http_interface import (
    ID,
    ROWS,
    SECRET,
    START,
    WINDOW,
    Interface,
    Reply,
    Request,
    collect,
    envelope,
    feed_of,
    row,
    serving,
)

from zhengku.errors import ConfigurationError, DeliveryUnavailable, SourceRefused
from zhengku.landed.landing import LandingArea
from zhengku.landed.page_file import read_pages, read_totals
from zhengku.transports.http import session as http_session
from zhengku.transports.http.model import HttpApi
from zhengku.transports.http.reader import open_pages
from zhengku.transports.http.source import HttpApiSource
from zhengku.transports.source import Collected, Position, Window


def numbered(rows: list[dict[str, Any]], size: int = 10, **more: Any) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        first = (int(request.query["page"]) - 1) * size
        return Reply(envelope(rows[first : first + size], total=len(rows), **more))

    return answer


def ids(collected: Collected, folder: Path) -> list[str]:
    """Read what landed as staging reads it; ids in the order of their coming."""
    with LandingArea(str(folder)).open(collected.landed.path) as content:
        reader = open_pages(content, required_columns=["id", "name", "time"], rows="data.rows", omits_empty=False)
        lines = [line for block in reader for line in block.copy_text.splitlines()]
        assert collected.manifest is not None
        assert collected.manifest.rows == reader.fetched
        place = list(reader.columns).index("id") + 1
        return [line.split(b"\t")[place].decode() for line in lines]


def all_ids(rows: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in rows]


def failing_once(reply: Reply, then: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    """Answer the second page with `reply` once."""
    failed: list[bool] = []

    def answer(request: Request) -> Reply:
        if request.query.get("page") == "2" and not failed:
            failed.append(True)
            return reply
        return then(request)

    return answer


def test_all_pages_of_a_window_land_as_they_came(interface: Interface, tmp_path: Path) -> None:
    interface.answer = numbered(ROWS)
    collected = collect(interface, tmp_path)
    assert ids(collected, tmp_path) == all_ids(ROWS)
    assert [request.query["page"] for request in interface.requests] == ["1", "2", "3"]
    assert interface.requests[0].query["since"] == "2026-01-01 00:00:00"
    assert interface.requests[0].query["until"] == "2026-01-02 00:00:00"
    assert interface.requests[0].path == "/base/licenses"
    assert collected.position is not None
    assert collected.position.at == START + timedelta(minutes=24)
    assert collected.position.key == ("24",)
    with LandingArea(str(tmp_path)).open(collected.landed.path) as content:
        totals = read_totals(content)
        bodies = [page.body for page in read_pages(content, totals)]
    assert (totals.pages, totals.rows, totals.columns) == (3, 25, ("id", "name", "time"))
    assert bodies[0] == envelope(ROWS[:10], total=25)


def test_the_same_pages_give_the_same_digest(interface: Interface, tmp_path: Path) -> None:
    interface.answer = numbered(ROWS)
    first, second = collect(interface, tmp_path), collect(interface, tmp_path)
    assert first.landed.digests == second.landed.digests


def test_post_sends_parameters_in_a_json_body(interface: Interface, tmp_path: Path) -> None:
    interface.answer = numbered(ROWS)
    collected = collect(interface, tmp_path, method="post", parameters={"kind": "营业执照"})
    assert ids(collected, tmp_path) == all_ids(ROWS)
    assert interface.requests[0].query["kind"] == "营业执照"


def test_an_empty_window_is_a_delivery_without_rows(interface: Interface, tmp_path: Path) -> None:
    interface.answer = numbered([])
    collected = collect(interface, tmp_path)
    assert ids(collected, tmp_path) == []
    assert collected.position is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(status=503),
        Reply(status=408),
        Reply(status=425),
        Reply(status=429),
        Reply(reset=True),
        Reply(envelope(ROWS[10:20]), cut=40),
        Reply(envelope(ROWS[10:20]), cut=40, chunked=True),
        Reply(b'{"code":0,"data":{"rows":[{"id"'),
        Reply(b"<html>"),
        Reply(b""),
        Reply(b'{"code":0,"data":{"rows":7}}'),
        Reply(b'{"code":0,"data":[]}'),
        Reply(b'{"code":0,"data":{"rows":[],"total":"many"}}'),
        Reply(b'{"data":{"rows":[]}}'),
        Reply(b'{"code":99,"msg":"busy"}'),
    ],
    ids=lambda reply: f"{reply.status}-{reply.body[:24]!r}-{reply.cut}-{reply.chunked}-{reply.reset}",
)
def test_a_failure_that_passes_is_asked_again(interface: Interface, tmp_path: Path, reply: Reply) -> None:
    interface.answer = failing_once(reply, numbered(ROWS))
    response = {"total": "data.total", "code": "code", "message": "msg", "retry_codes": ["99"]}
    collected = collect(interface, tmp_path, response=response)
    assert ids(collected, tmp_path) == all_ids(ROWS)
    assert len(interface.requests) == 4


def test_tries_end_and_nothing_is_left_behind(interface: Interface, tmp_path: Path) -> None:
    interface.answer = failing_once(Reply(status=503), lambda request: Reply(status=503))
    with pytest.raises(DeliveryUnavailable, match=r"3 tries.*HTTP 503") as caught:
        collect(interface, tmp_path)
    assert len(interface.requests) == 3
    assert SECRET not in str(caught.value)
    assert ID not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_server_that_is_not_there_is_unavailable(interface: Interface, tmp_path: Path) -> None:
    interface.stop()
    with pytest.raises(DeliveryUnavailable, match="broke off"):
        collect(interface, tmp_path)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(interface: Interface, tmp_path: Path, form: str) -> None:
    def answer(request: Request) -> Reply:
        if len(interface.requests) > 1:
            return numbered(ROWS[:3])(request)
        until = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=2), usegmt=True)
        return Reply(status=429, headers={"Retry-After": "1" if form == "seconds" else until})

    interface.answer = answer
    collect(interface, tmp_path)
    first, second = interface.requests
    assert second.at - first.at >= 0.9


def test_pauses_of_one_request_add_up_to_the_longest_and_no_more(
    interface: Interface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_session, "LONGEST_RETRY_AFTER", 1.5)
    interface.answer = lambda request: Reply(status=429, headers={"Retry-After": "1"})
    with pytest.raises(DeliveryUnavailable, match=r"in 2 tries.*HTTP 429.*pauses.*1.5 s"):
        collect(interface, tmp_path, attempts=5)
    assert len(interface.requests) == 2


@pytest.mark.parametrize(
    "retry_after", ["9" * 400, "9" * 5000, f"Wed, 21 Oct {'9' * 30} 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"]
)
def test_an_absurd_retry_after_is_the_longest_pause(
    interface: Interface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retry_after: str
) -> None:
    monkeypatch.setattr(http_session, "LONGEST_RETRY_AFTER", 0.3)

    def answer(request: Request) -> Reply:
        if len(interface.requests) > 1:
            return numbered(ROWS[:3])(request)
        return Reply(status=503, headers={"Retry-After": retry_after})

    interface.answer = answer
    assert ids(collect(interface, tmp_path), tmp_path) == all_ids(ROWS[:3])
    first, second = interface.requests
    assert second.at - first.at >= 0.25


def test_a_handshake_that_breaks_off_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with serving(tls=tls_of(path), cut_handshakes=2) as server:
        server.answer = numbered(ROWS)
        assert ids(collect(server, tmp_path / "landing"), tmp_path / "landing") == all_ids(ROWS)
        assert server.connections == 3


def test_a_server_that_always_breaks_off_the_handshake_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with (
        serving(tls=tls_of(path), cut_handshakes=100) as server,
        pytest.raises(DeliveryUnavailable, match=r"3 tries.*handshake"),
    ):
        collect(server, tmp_path / "landing")


def test_a_certificate_that_is_not_trusted_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with serving(tls=tls_of(certificate(tmp_path))) as server:
        with pytest.raises(SourceRefused, match="not trusted"):
            collect(server, tmp_path / "landing")
        assert server.connections == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 204])
def test_a_refusal_is_not_asked_again(interface: Interface, tmp_path: Path, status: int) -> None:
    interface.answer = lambda request: Reply(status=status)
    with pytest.raises(SourceRefused, match=str(status)):
        collect(interface, tmp_path)
    assert len(interface.requests) == 1


def test_a_business_error_is_told_without_secret_and_number(interface: Interface, tmp_path: Path) -> None:
    said = f"key {ID} of 420704199001011234 is wrong {SECRET}"
    interface.answer = lambda request: Reply(json.dumps({"code": "40301", "msg": said}).encode())
    with pytest.raises(SourceRefused, match=r"business code 40301 \(key … of … is wrong …\)"):
        collect(interface, tmp_path)
    assert len(interface.requests) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"title": f"No right to 420704199001011234 for {SECRET}", "detail": "张虚构"}, r"No right to … for …"),
        ({"detail": "张虚构"}, "a problem without a title"),
        (["张虚构"], "a problem without a title"),
    ],
)
def test_a_refusal_is_told_by_its_reason_and_the_title_of_a_problem(
    interface: Interface, tmp_path: Path, body: object, told: str
) -> None:
    headers = {"Content-Type": "application/problem+json; charset=utf-8"}
    interface.answer = lambda request: Reply(json.dumps(body).encode(), 403, headers)
    with pytest.raises(SourceRefused, match=rf"got 403 \(Forbidden: {told}\)") as caught:
        collect(interface, tmp_path)
    assert "张虚构" not in str(caught.value)
    # Any other body may be about a row.
    interface.answer = lambda request: Reply(json.dumps(body).encode(), 403, {"Content-Type": "application/json"})
    with pytest.raises(SourceRefused, match=r"got 403 \(Forbidden\)\."):
        collect(interface, tmp_path)


def test_a_body_that_trickles_is_cut_off_as_a_whole(interface: Interface, tmp_path: Path) -> None:
    interface.answer = lambda request: Reply(envelope(ROWS), pause=0.1)
    begin = time.monotonic()
    with pytest.raises(DeliveryUnavailable, match="no complete answer within 1 s"):
        collect(interface, tmp_path, whole_timeout_seconds=1, attempts=1)
    assert time.monotonic() - begin < 3


def test_a_silent_server_is_given_up(interface: Interface, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        time.sleep(2)
        return Reply(status=500)

    interface.answer = answer
    with pytest.raises(DeliveryUnavailable, match="no byte within 1 s"):
        collect(interface, tmp_path, read_timeout_seconds=1, attempts=1)


def shifting(rows: list[dict[str, Any]], change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], **kept: Any):
    """Serve `rows` by pages of ten; they change once, after the first page was read."""
    state = list(rows)
    changed: list[bool] = []

    def answer(request: Request) -> Reply:
        page = int(request.query["page"])
        if page == 2 and not changed:
            changed.append(True)
            state[:] = change(state)
        first = (page - 1) * 10
        more = {"total": len(state)} if kept.get("total", True) else {}
        return Reply(envelope(state[first : first + 10], **more))

    return answer, state


def test_a_row_deleted_while_pages_are_read_loses_none(interface: Interface, tmp_path: Path) -> None:
    interface.answer, state = shifting(ROWS, lambda rows: rows[1:])
    collected = collect(interface, tmp_path)
    assert ids(collected, tmp_path) == all_ids(state)
    assert len(interface.requests) == 5


def test_a_row_inserted_while_pages_are_read_doubles_none(interface: Interface, tmp_path: Path) -> None:
    interface.answer, state = shifting(ROWS, lambda rows: [row(99), *rows], total=False)
    collected = collect(interface, tmp_path, response={})
    assert ids(collected, tmp_path) == all_ids(state)


def test_a_row_that_moves_to_the_end_loses_none(interface: Interface, tmp_path: Path) -> None:
    interface.answer, state = shifting(ROWS, lambda rows: [*rows[1:], rows[0]])
    collected = collect(interface, tmp_path)
    assert ids(collected, tmp_path) == all_ids(state)
    assert len(interface.requests) == 6


def test_a_full_page_that_comes_twice_is_seen_without_row_ids(interface: Interface, tmp_path: Path) -> None:
    interface.answer = failing_once(Reply(envelope(ROWS[:10], total=25)), numbered(ROWS))
    collected = collect(interface, tmp_path, row_id=[])
    assert ids(collected, tmp_path) == all_ids(ROWS)


@pytest.mark.parametrize("wrong", [24, 26])
def test_a_total_that_never_agrees_is_unavailable(interface: Interface, tmp_path: Path, wrong: int) -> None:
    def answer(request: Request) -> Reply:
        first = (int(request.query["page"]) - 1) * 10
        return Reply(envelope(ROWS[first : first + 10], total=wrong))

    interface.answer = answer
    with pytest.raises(DeliveryUnavailable, match=f"3 times; the last time: expected {wrong} rows.*25 were received"):
        collect(interface, tmp_path)


def test_an_interface_that_caps_pages_is_read_to_its_end(interface: Interface, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        first = (int(request.query["page"]) - 1) * 4
        return Reply(envelope(ROWS[first : first + 4]))

    interface.answer = answer
    assert ids(collect(interface, tmp_path, response={}), tmp_path) == all_ids(ROWS)


def test_an_interface_that_repeats_its_last_page_ends(interface: Interface, tmp_path: Path) -> None:
    interface.answer = lambda request: Reply(envelope(ROWS[:3]))
    assert ids(collect(interface, tmp_path, response={}), tmp_path) == all_ids(ROWS[:3])


def capped(rows: list[dict[str, Any]], **more: Any) -> Callable[[Request], Reply]:
    """Answer the first rows, five at most, whatever page is asked for; the size is heeded."""
    return lambda request: Reply(envelope(rows[: min(5, int(request.query["size"]))], **more))


@pytest.mark.parametrize(
    ("answer", "transport"),
    [
        pytest.param(capped(ROWS, total=25), {}, id="with a total"),
        pytest.param(capped(ROWS, total=25), {"row_id": []}, id="with a total and no row id"),
        pytest.param(capped(ROWS), {"response": {}}, id="without a total"),
    ],
)
def test_page_number_that_is_not_heeded_is_refused_where_pages_are_capped(
    interface: Interface, tmp_path: Path, answer: Callable[[Request], Reply], transport: dict[str, Any]
) -> None:
    interface.answer = answer
    with pytest.raises((SourceRefused, DeliveryUnavailable), match=r"page [23]"):
        collect(interface, tmp_path, **transport)


@pytest.mark.parametrize("total", [lambda page: len(page), lambda page: 20], ids=["of the page", "capped"])
def test_total_that_is_too_small_is_refused(
    interface: Interface, tmp_path: Path, total: Callable[[list[Any]], int]
) -> None:
    def answer(request: Request) -> Reply:
        first = (int(request.query["page"]) - 1) * 10
        page = ROWS[first : first + 10]
        return Reply(envelope(page, total=total(page)))

    interface.answer = answer
    with pytest.raises(SourceRefused, match="is not the number of all rows"):
        collect(interface, tmp_path)


CURSOR = {"kind": "cursor", "cursor": "data.next", "size": 10}


def by_cursor(request: Request) -> Reply:
    first = int(request.query.get("cursor", "0"))
    following = first + 10
    return Reply(envelope(ROWS[first:following], next=following if following < 25 else None, total=25))


def test_a_cursor_is_followed(interface: Interface, tmp_path: Path) -> None:
    interface.answer = by_cursor
    assert ids(collect(interface, tmp_path, paging=CURSOR), tmp_path) == all_ids(ROWS)
    assert "cursor" not in interface.requests[0].query


def test_place_of_the_cursor_that_no_answer_has_is_told(
    interface: Interface, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interface.answer = lambda request: Reply(envelope(ROWS[:10], nextCursor="10"))
    collected = collect(interface, tmp_path, paging=CURSOR, response={})
    assert "has nothing at data.next" in caplog.text
    with LandingArea(str(tmp_path)).open(collected.landed.path) as content:
        reader = open_pages(content, required_columns=["id", "name", "time"], rows="data.rows", omits_empty=False)
        assert sum(len(block.copy_text.splitlines()) for block in reader) == 10
        assert [note.text_zh for note in reader.notes] == [
            "接口首页为满页，应答中没有游标，据此以一页为全部数据，请核对目录中游标的位置"
        ]


def test_cursor_that_is_not_heeded_is_refused(interface: Interface, tmp_path: Path) -> None:
    turns = iter(range(100))
    interface.answer = lambda request: Reply(envelope(ROWS[:5], next=f"c{next(turns)}", total=25))
    with pytest.raises(SourceRefused, match="every one of its 5 had been received"):
        collect(interface, tmp_path, paging=CURSOR)


def test_a_cursor_loop_ends(interface: Interface, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        first = {"": 0, "a": 3, "b": 6}[request.query.get("cursor", "")]
        following = {0: "a", 3: "b", 6: "a"}[first]
        return Reply(envelope(ROWS[first : first + 3], next=following))

    interface.answer = answer
    with pytest.raises(DeliveryUnavailable, match="expected a new cursor"):
        collect(interface, tmp_path, paging=CURSOR, response={})
    assert len(interface.requests) == 9


TIME = {"kind": "time", "size": 5, "largest_size": 20}


def by_time(rows: list[dict[str, Any]], cap: int = 1000) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        found = [each for each in rows if each["time"] >= request.query["since"]]
        return Reply(envelope(found[: min(cap, int(request.query["size"]))], total=len(found)))

    return answer


def distinct(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


@pytest.mark.parametrize("row_id", [["id"], []])
def test_time_paging_goes_on_at_the_newest_row(interface: Interface, tmp_path: Path, row_id: list[str]) -> None:
    rows = [row(number, number // 3) for number in range(25)]
    interface.answer = by_time(rows)
    collected = collect(interface, tmp_path, paging=TIME, row_id=row_id)
    assert distinct(ids(collected, tmp_path)) == all_ids(rows)


def test_time_paging_asks_for_more_where_one_time_fills_a_page(interface: Interface, tmp_path: Path) -> None:
    rows = [*(row(number, 0) for number in range(18)), *(row(number) for number in range(18, 25))]
    interface.answer = by_time(rows)
    collected = collect(interface, tmp_path, paging=TIME)
    assert distinct(ids(collected, tmp_path)) == all_ids(rows)
    assert {request.query["size"] for request in interface.requests} == {"5", "20"}


def test_time_paging_refuses_what_the_largest_page_cannot_hold(interface: Interface, tmp_path: Path) -> None:
    interface.answer = by_time([row(number, 0) for number in range(21)])
    with pytest.raises(SourceRefused, match="largest_size"):
        collect(interface, tmp_path, paging=TIME)


@pytest.mark.parametrize("told", [True, False], ids=["total", "no total"])
def test_interface_that_leaves_out_the_very_time_that_is_asked_for_loses_no_tie(
    interface: Interface, tmp_path: Path, caplog: pytest.LogCaptureFixture, told: bool
) -> None:
    tied = [{**each, "time": ROWS[number // 3]["time"]} for number, each in enumerate(ROWS)]

    def answer(request: Request) -> Reply:
        found = [each for each in tied if each["time"] > request.query["since"]]
        return Reply(envelope(found[: int(request.query["size"])], **({"total": len(found)} if told else {})))

    interface.answer = answer
    window = Window(start=START - timedelta(days=1), end=START + timedelta(days=1))
    shape = {} if told else {"response": {}}
    collected = collect(interface, tmp_path, window, paging=TIME, until_parameter=None, **shape)
    assert set(ids(collected, tmp_path)) == set(all_ids(tied))
    assert "leaves out the rows of exactly the time" in caplog.text


def test_rows_without_a_time_that_can_be_read_are_refused_where_time_pages(
    interface: Interface, tmp_path: Path
) -> None:
    rows = [{**each, "time": 1767225600000 + number} for number, each in enumerate(ROWS)]
    interface.answer = lambda request: Reply(envelope(rows[:5]))
    with pytest.raises(SourceRefused, match="no row of page 1 has one that can be read"):
        collect(interface, tmp_path, paging=TIME, until_parameter=None, response={})


def test_time_that_is_not_heeded_ends_the_reading(interface: Interface, tmp_path: Path) -> None:
    interface.answer = lambda request: Reply(envelope(ROWS[: int(request.query["size"])]))
    with pytest.raises(SourceRefused):
        collect(interface, tmp_path, paging=TIME, until_parameter=None, response={})
    assert len(interface.requests) < 30


UNKNOWN_TOTAL = {"kind": "time", "size": 50}


def without_total(rows: list[dict[str, Any]], cap: int = 1000, length: int = 19) -> Callable[[Request], Reply]:
    """Serve at most `cap` rows from `since` on; only so many characters of a time are looked at."""

    def answer(request: Request) -> Reply:
        found = [each for each in rows if each["time"][:length] >= request.query["since"][:length]]
        return Reply(envelope(found[: min(cap, int(request.query["size"]))]))

    return answer


def asked_times(interface: Interface) -> list[str]:
    return [request.query["since"] for request in interface.requests]


def test_time_paging_refuses_a_page_that_a_cap_cut_within_one_time(interface: Interface, tmp_path: Path) -> None:
    rows = [*(row(number, 0) for number in range(3)), *(row(number, 1) for number in range(3, 18)), row(18), row(19)]
    interface.answer = without_total(rows, cap=10)
    with pytest.raises(SourceRefused, match=r"caps its pages at 10 rows.*page by number or cursor"):
        collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={})
    assert "2026-01-01 00:01:01" in asked_times(interface)


@pytest.mark.parametrize("row_id", [["id"], []])
def test_time_paging_proves_the_end_by_one_request(interface: Interface, tmp_path: Path, row_id: list[str]) -> None:
    rows = [*(row(number, 0) for number in range(3)), *(row(number, 1) for number in range(3, 8))]
    interface.answer = without_total(rows)
    collected = collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={}, row_id=row_id)
    assert distinct(ids(collected, tmp_path)) == all_ids(rows)
    assert asked_times(interface) == ["2026-01-01 00:00:00", "2026-01-01 00:01:00", "2026-01-01 00:01:01"]


def test_time_paging_needs_no_proof_of_an_empty_window(interface: Interface, tmp_path: Path) -> None:
    interface.answer = without_total([])
    assert ids(collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={}), tmp_path) == []
    assert len(interface.requests) == 1


def test_time_paging_needs_no_proof_where_a_total_gives_it(interface: Interface, tmp_path: Path) -> None:
    interface.answer = by_time(ROWS[:3])
    collect(interface, tmp_path, paging=UNKNOWN_TOTAL)
    assert asked_times(interface) == ["2026-01-01 00:00:00", "2026-01-01 00:02:00"]


@pytest.mark.parametrize("row_id", [["id"], []])
def test_time_paging_reads_a_row_that_comes_while_the_end_is_proved(
    interface: Interface, tmp_path: Path, row_id: list[str]
) -> None:
    rows = [row(0), row(1)]

    def answer(request: Request) -> Reply:
        if request.query["since"] == "2026-01-01 00:01:01" and len(rows) == 2:
            rows.append(row(2))
        return without_total(rows)(request)

    interface.answer = answer
    collected = collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={}, row_id=row_id)
    assert distinct(ids(collected, tmp_path)) == ["0", "1", "2"]
    assert collected.position == Position(START + timedelta(minutes=2), ("2",) if row_id else ())


def test_time_paging_refuses_a_row_that_only_the_proof_shows(interface: Interface, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        return Reply(envelope([row(9, 1)])) if request.query["since"] > ROWS[1]["time"] else shown(request)

    shown = without_total(ROWS[:2])
    interface.answer = answer
    with pytest.raises(SourceRefused, match="caps its pages at 1 rows"):
        collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={})


def test_time_paging_takes_nothing_from_the_proof(interface: Interface, tmp_path: Path) -> None:
    # Of what is known, and so proves nothing; but for a column that no page has.
    proof = [{**ROWS[1], "time": None, "other": "x"}]
    shown = without_total(ROWS[:2])
    interface.answer = lambda request: (
        Reply(envelope(proof)) if request.query["since"] > ROWS[1]["time"] else shown(request)
    )
    collected = collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={})
    assert ids(collected, tmp_path) == ["0", "1"]
    with LandingArea(str(tmp_path)).open(collected.landed.path) as content:
        totals = read_totals(content)
    assert (totals.pages, totals.rows, totals.columns) == (1, 2, ("id", "name", "time"))


def test_time_paging_bears_rows_without_a_time_that_always_come(interface: Interface, tmp_path: Path) -> None:
    timeless = [{"id": "x", "name": "虚构", "time": None}]
    interface.answer = lambda request: Reply(
        envelope([*timeless, *(each for each in ROWS if each["time"] >= request.query["since"])])
    )
    collected = collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={})
    assert distinct(ids(collected, tmp_path)) == ["x", *all_ids(ROWS)]


def test_time_paging_bears_an_interface_that_looks_at_the_day_alone(interface: Interface, tmp_path: Path) -> None:
    interface.answer = without_total(ROWS, length=10)
    collected = collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={}, until_parameter=None)
    assert distinct(ids(collected, tmp_path)) == all_ids(ROWS)


def test_time_paging_refuses_an_interface_that_does_not_heed_the_time(interface: Interface, tmp_path: Path) -> None:
    interface.answer = lambda request: Reply(envelope(ROWS[:10]))
    with pytest.raises(SourceRefused, match="ignores since"):
        collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={}, until_parameter=None)


@pytest.mark.parametrize(
    ("time_format", "proof"),
    [
        ("%Y-%m-%dT%H:%M:%S.%f", "2026-01-01T00:01:00.000001"),
        ("%Y-%m-%d %H:%M:%S", "2026-01-01 00:01:01"),
        ("%Y%m%d%H%M", "202601010002"),
        ("%Y-%m-%d %H", "2026-01-01 01"),
        ("%Y-%m-%d", "2026-01-02"),
    ],
)
def test_time_paging_proves_the_end_by_the_next_time_that_can_be_written(
    interface: Interface, tmp_path: Path, time_format: str, proof: str
) -> None:
    rows = [{"id": str(n), "name": "x", "time": (START + timedelta(minutes=n)).strftime(time_format)} for n in (0, 1)]
    interface.answer = lambda request: Reply(
        envelope([each for each in rows if each["time"] >= request.query["since"]])
    )
    collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={}, time_format=time_format, until_parameter=None)
    assert asked_times(interface)[-1] == proof
    assert len(set(asked_times(interface))) == len(asked_times(interface))


@pytest.mark.parametrize("last", ["9999-12-31 23:59:59", "2026-01-02 00:00:00"])
def test_time_paging_asks_for_no_proof_where_no_later_time_can_be(
    interface: Interface, tmp_path: Path, last: str
) -> None:
    rows = [row(0), {"id": "1", "name": "x", "time": last}]
    interface.answer = without_total(rows)
    collected = collect(interface, tmp_path, paging=UNKNOWN_TOTAL, response={})
    assert distinct(ids(collected, tmp_path)) == ["0", "1"]
    assert asked_times(interface) == ["2026-01-01 00:00:00", last]


FUTURE = {"id": "f", "name": "虚构", "time": "2062-01-01 00:00:00"}


@pytest.mark.parametrize("odd", [{}, {"extend": {"kind": "C1"}}], ids=["uniform", "nested"])
@pytest.mark.parametrize("place", [0, 12, 25])
def test_a_row_from_the_future_does_not_move_the_position(
    interface: Interface, tmp_path: Path, place: int, odd: dict[str, Any]
) -> None:
    rows = [*ROWS[:place], {**FUTURE, **odd}, *ROWS[place:]]
    interface.answer = numbered(rows)
    collected = collect(interface, tmp_path)
    assert ids(collected, tmp_path) == all_ids(rows)
    assert collected.position == Position(START + timedelta(minutes=24), ("24",))


def test_rows_of_the_future_alone_leave_no_position(interface: Interface, tmp_path: Path) -> None:
    interface.answer = numbered([FUTURE])
    assert collect(interface, tmp_path).position is None


def test_time_paging_goes_on_behind_rows_from_the_future(interface: Interface, tmp_path: Path) -> None:
    later = [{**FUTURE, "id": f"f{n}", "time": f"2062-01-01 00:00:{n:02}"} for n in range(12)]
    interface.answer = without_total([*ROWS[:7], *later])
    collected = collect(interface, tmp_path, paging=TIME, response={}, until_parameter=None)
    assert distinct(ids(collected, tmp_path)) == [*all_ids(ROWS[:7]), *all_ids(later)]
    assert collected.position == Position(START + timedelta(minutes=6), ("6",))


def test_time_paging_refuses_rows_that_go_back_in_time(interface: Interface, tmp_path: Path) -> None:
    interface.answer = lambda request: Reply(envelope([row(2), row(1)], total=2))
    with pytest.raises(SourceRefused, match="goes back in time"):
        collect(interface, tmp_path, paging=TIME)


def test_hmac_and_md5_sign_the_time(interface: Interface, tmp_path: Path) -> None:
    interface.answer = numbered(ROWS[:1])
    collect(interface, tmp_path, signature={"kind": "hmac_sha256"})
    collect(interface, tmp_path, signature={"kind": "hmac_sha256", "encoding": "base64", "time_unit": "seconds"})
    collect(interface, tmp_path, signature={"kind": "md5"})
    milliseconds, seconds, older = (request.headers for request in interface.requests)
    for headers in (milliseconds, seconds):
        assert headers["x-app-id"] == ID
        digest = hmac.digest(SECRET.encode(), (ID + headers["x-timestamp"]).encode(), "sha256")
        expected = digest.hex() if headers is milliseconds else base64.b64encode(digest).decode()
        assert headers["x-signature"] == expected
    assert abs(int(milliseconds["x-timestamp"]) / 1000 - time.time()) < 60
    assert abs(int(seconds["x-timestamp"]) - time.time()) < 60
    assert older["sign"] == hashlib.md5(f"{ID}{SECRET}{older['rtime']}".encode()).hexdigest()


def with_tokens(rows: list[dict[str, Any]], refusal: Reply, life: int | None = None, good_for: int = 1):
    """Serve pages to the newest token only, `good_for` times each."""
    given: list[str] = []
    used: list[int] = []

    def answer(request: Request) -> Reply:
        if request.path == "/base/token":
            assert request.query == {"appId": ID, "appSecret": SECRET}
            given.append(f"t{len(given)}")
            used.append(0)
            return Reply(json.dumps({"code": 0, "data": {"token": given[-1], "expiresIn": life}}).encode())
        if request.headers.get("authorization") != f"Bearer {given[-1]}" or used[-1] >= good_for:
            return refusal
        used[-1] += 1
        return numbered(rows)(request)

    return answer, given


TOKEN = {"kind": "token", "path": "token"}


@pytest.mark.parametrize("refusal", [Reply(status=401), Reply(b'{"code": 7001, "msg": "expired"}')])
def test_a_token_that_expires_midway_is_renewed(interface: Interface, tmp_path: Path, refusal: Reply) -> None:
    interface.answer, given = with_tokens(ROWS, refusal)
    response = {"total": "data.total", "code": "code", "token_codes": ["7001"]}
    assert ids(collect(interface, tmp_path, signature=TOKEN, response=response), tmp_path) == all_ids(ROWS)
    assert given == ["t0", "t1", "t2"]


def test_a_token_is_renewed_before_it_expires(interface: Interface, tmp_path: Path) -> None:
    interface.answer, given = with_tokens(ROWS, Reply(status=500), life=0, good_for=1)
    collect(interface, tmp_path, signature=TOKEN)
    assert len(given) == 3
    assert len(interface.requests) == 6


def test_a_fresh_token_that_is_refused_ends_the_reading(interface: Interface, tmp_path: Path) -> None:
    interface.answer, given = with_tokens(ROWS, Reply(status=401), good_for=0)
    with pytest.raises(SourceRefused, match="just given"):
        collect(interface, tmp_path, signature=TOKEN)
    assert len(given) == 2


def test_wrong_credentials_for_a_token_are_refused_at_once(interface: Interface, tmp_path: Path) -> None:
    interface.answer = lambda request: Reply(b'{"code": 1, "msg": "bad secret"}')
    with pytest.raises(SourceRefused, match="bad secret"):
        collect(interface, tmp_path, signature=TOKEN)
    assert len(interface.requests) == 1


def test_credentials_do_not_follow_a_redirect_to_another_host(interface: Interface, tmp_path: Path) -> None:
    with serving() as other:
        interface.answer = lambda request: Reply(
            status=302, headers={"Location": f"http://127.0.0.1:{other.port}/base/licenses"}
        )
        with pytest.raises(SourceRefused, match="another host"):
            collect(interface, tmp_path, signature={"kind": "md5"})
        assert not other.requests


def test_a_redirect_on_the_same_host_is_followed(interface: Interface, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/base/licenses":
            return Reply(status=302, headers={"Location": f"/new?page={request.query['page']}"})
        return numbered(ROWS)(request)

    interface.answer = answer
    assert ids(collect(interface, tmp_path), tmp_path) == all_ids(ROWS)


def test_proxies_of_the_environment_are_not_used(
    interface: Interface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    interface.answer = numbered(ROWS)
    assert ids(collect(interface, tmp_path), tmp_path) == all_ids(ROWS)


def test_slots_share_the_limit_of_requests(interface: Interface, tmp_path: Path) -> None:
    interface.answer = numbered(ROWS)
    collect(interface, tmp_path, slots=2, requests_per_minute=600)
    times = [request.at for request in interface.requests]
    # Each slot by itself would ask every 0.1 s.
    assert times[2] - times[0] >= 0.3


@pytest.mark.parametrize("address", ["/a/folder", "ftp://a:b@c/d", "https://", "http://host/base", "http://a:b@h:x/"])
def test_an_address_that_cannot_serve_is_a_configuration_error(tmp_path: Path, address: str) -> None:
    feed = feed_of(signature={"kind": "md5"})
    assert isinstance(feed.transport, HttpApi)
    source = HttpApiSource(feed, feed.transport, address, 1)
    with pytest.raises(ConfigurationError, match="ZHENGKU_CONN_PLATFORM"):
        source.land(source.deliveries(WINDOW)[0], LandingArea(str(tmp_path)), "a")


def test_one_unreadable_row_does_not_cost_its_page(interface: Interface, tmp_path: Path) -> None:
    bad = [b'{"id":"x","name":"\xff","time":""}', b'{"id":"y","name":"\\ud800","time":""}', b'{"id":"z","name":"\x00"}']
    good = [json.dumps(each, ensure_ascii=False).encode() for each in ROWS[:5]]
    body = b'{"code":0,"data":{"total":9,"rows":[' + b",".join([*bad, *good, b"7"]) + b"]}}"
    interface.answer = lambda request: Reply(body)
    collected = collect(interface, tmp_path)
    assert ids(collected, tmp_path) == all_ids(ROWS[:5])
    with LandingArea(str(tmp_path)).open(collected.landed.path) as content:
        blocks = list(open_pages(content, required_columns=["id", "name"], rows="data.rows", omits_empty=False))
    assert [(each.row_no, each.rule_id) for block in blocks for each in block.bad] == [
        (1, "row.encoding"),
        (2, "row.encoding"),
        (3, "row.nul"),
        (9, "row.shape"),
    ]
    assert [each.payload for block in blocks for each in block.bad] == [*bad, b"7"]


def test_columns_and_position_are_the_same_for_rows_of_any_shape(interface: Interface, tmp_path: Path) -> None:
    """Most rows are looked at many at once; one with an object, or without a row_id, has its page read row by row."""
    rows = [{**row(number, minute=number % 7), "extend": None, "late": None} for number in range(1200)]
    rows[600]["extend"] = {"kind": "C1"}
    rows[900]["late"] = "x"
    interface.answer = numbered(rows, size=400)
    collected = collect(interface, tmp_path, paging={"kind": "number", "size": 400})
    assert ids(collected, tmp_path) == all_ids(rows)
    assert collected.position == Position(START + timedelta(minutes=6), ("1196",))
    with LandingArea(str(tmp_path)).open(collected.landed.path) as content:
        assert read_totals(content).columns == ("id", "name", "time", "late", "extend.kind")


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize(("double", "requests"), [(3, 3), (8, 3), (15, 6)])
@pytest.mark.parametrize("change", [{}, {"name": "虚构的另一行"}])
def test_a_row_id_that_the_source_holds_twice_is_collected_with_a_warning(
    interface: Interface,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    total: bool,
    double: int,
    requests: int,
    change: dict[str, str],
) -> None:
    """On one page it is known at once; on two, a second reading tells that no page shifted."""
    rows = list(ROWS)
    rows.insert(5 if double == 3 else double + 1, {**ROWS[double if double != 15 else 2], **change})

    def answer(request: Request) -> Reply:
        first = (int(request.query["page"]) - 1) * 10
        more = {"total": len(rows), "time": time.monotonic()} if total else {}
        return Reply(envelope(rows[first : first + 10], **more))

    interface.answer = answer
    collected = collect(interface, tmp_path, **({} if total else {"response": {}}))
    assert sorted(ids(collected, tmp_path)) == sorted([*all_ids(ROWS), rows[5 if double == 3 else double + 1]["id"]])
    assert len(interface.requests) == requests
    assert "the source holds them twice" in caplog.text


def test_rows_that_repeat_differently_in_each_reading_are_a_shift(interface: Interface, tmp_path: Path) -> None:
    state = list(ROWS)

    def answer(request: Request) -> Reply:
        page = int(request.query["page"])
        if page > 1:
            state.insert(0, row(100 + len(state)))
        return Reply(envelope(state[(page - 1) * 10 : page * 10]))

    interface.answer = answer
    with pytest.raises(DeliveryUnavailable, match=r"shifted .* were on two pages"):
        collect(interface, tmp_path, response={})


@pytest.mark.parametrize("row_id", [["id"], []])
@pytest.mark.parametrize("count", [20, 25, 10])
def test_an_interface_that_answers_its_last_page_beyond_the_end_is_read_once(
    interface: Interface, tmp_path: Path, caplog: pytest.LogCaptureFixture, row_id: list[str], count: int
) -> None:
    def answer(request: Request) -> Reply:
        size = int(request.query["size"])
        page = min(int(request.query["page"]), -(-count // size))
        return Reply(envelope(ROWS[:count][(page - 1) * size : page * size], page=request.query["page"]))

    interface.answer = answer
    collected = collect(interface, tmp_path, response={}, row_id=row_id)
    assert ids(collected, tmp_path) == all_ids(ROWS[:count])
    assert ("answers its last page for every number after the end" in caplog.text) == (count % 10 == 0)


def test_a_page_of_rows_inserted_between_two_requests_loses_none(interface: Interface, tmp_path: Path) -> None:
    """The second page is the first one again, and yet it is not the end."""
    interface.answer, state = shifting(ROWS, lambda rows: [*map(row, range(50, 60)), *rows], total=False)
    collected = collect(interface, tmp_path, response={}, paging={"kind": "number", "size": 10})
    assert ids(collected, tmp_path) == all_ids(state)


def test_an_interface_that_does_not_heed_the_pages_number_is_told(interface: Interface, tmp_path: Path) -> None:
    interface.answer = lambda request: Reply(envelope(ROWS[: int(request.query["size"])]))
    with pytest.raises(SourceRefused, match="ignores page"):
        collect(interface, tmp_path, response={})


@pytest.mark.parametrize("stands", [True, False])
def test_a_last_page_that_names_its_own_cursor_is_the_end(interface: Interface, tmp_path: Path, stands: bool) -> None:
    """Beyond the end the last page comes again; either its cursor was new, or it was the one that was asked for."""

    def answer(request: Request) -> Reply:
        first = min(int(request.query.get("cursor", "0")), 20)
        return Reply(envelope(ROWS[first : first + 10], next=min(first + 10, 20 if stands else 30)))

    interface.answer = answer
    assert ids(collect(interface, tmp_path, paging=CURSOR, response={}), tmp_path) == all_ids(ROWS)


def test_a_body_in_gbk_is_read_by_its_charset(interface: Interface, tmp_path: Path) -> None:
    text = envelope(ROWS[:3], total=4).decode()
    body = text.encode("gbk").replace(b"]", b',{"id":"\x81","name":"a"}]')
    interface.answer = lambda request: Reply(body, headers={"Content-Type": "application/json; charset=GBK"})
    collected = collect(interface, tmp_path)
    assert ids(collected, tmp_path) == ["0", "1", "2"]
    with LandingArea(str(tmp_path)).open(collected.landed.path) as content:
        totals = read_totals(content)
        [page] = read_pages(content, totals)
        assert (page.body, page.charset) == (body, "gb18030")
        [block] = open_pages(content, required_columns=["id"], rows="data.rows", omits_empty=False)
    assert "虚构2".encode() in block.copy_text
    assert [(each.rule_id, each.payload) for each in block.bad] == [("row.encoding", b'{"id":"\x81","name":"a"}')]
