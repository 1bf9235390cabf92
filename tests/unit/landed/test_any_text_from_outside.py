"""Whatever a department's system writes beside its rows: it is read, or refused in our own words, and nothing else."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zhengku.errors import DeliveryRejected
from zhengku.landed.http_answer import Answer, NoAnswer, RowsPlace, codec_of, read_row
from zhengku.landed.manifest import Manifest, read_manifest
from zhengku.transports.http.client import LONGEST_RETRY_AFTER, retry_after_seconds

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MANIFESTS = st.dictionaries(st.sampled_from(["rows", "sha256", "md5", "sm3", "x"]), JSON, max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), JSON.map(json.dumps).map(str.encode), MANIFESTS.map(json.dumps).map(str.encode))
)
@example(b'{"rows": ' + b"9" * 5000 + b"}")
@example(b"[" * 100_000)
def test_manifest_is_read_or_rejected(content: bytes) -> None:
    try:
        manifest = read_manifest("清单", content)
    except DeliveryRejected:
        return
    assert manifest.rows is not None or manifest.digests
    assert Manifest.from_json(manifest.as_json()) == manifest


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=80), JSON.map(json.dumps).map(str.encode)),
    st.sampled_from(["utf-8", "gb18030"]),
    TEXTS,
    st.sets(st.sampled_from(["nothing", "one_row", "json_text"])),
)
@example(b'{"a": ' * 50_000, "utf-8", "a.a", {"one_row"})
@example(b'{"a": [NaN' + b"," * 50_000 + b"]}", "utf-8", "a", set())
def test_answer_is_read_or_is_none(body: bytes, charset: str, place: str, also: set[str]) -> None:
    try:
        answer = Answer(body, charset, RowsPlace(place or "a", also))
        answer.at(place or "a")
        rows = answer.rows()
    except NoAnswer:
        return
    assert all(row is None or isinstance(row, dict) for row in map(read_row, rows))


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        TEXTS,
        st.from_regex(
            r"(Mon|Tue|Foo), [0-9]{1,3} (Jan|Feb|Xxx) [0-9]{1,5} [0-9:]{0,9} (GMT|[+-][0-9]{4,6}|)", fullmatch=True
        ),
    )
)
@example("9" * 400)
@example("Mon, 01 Jan 0001 00:00:00 +2400")
def test_retry_after_is_a_pause_or_none(text: str) -> None:
    seconds = retry_after_seconds(text)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), (" 7 ", 7.0), ("9" * 400, LONGEST_RETRY_AFTER), ("", None), ("soon", None)]
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    assert retry_after_seconds(text) == seconds


@given(TEXTS)
@example("text/html; charset=GBK")
@example("charset=\x00")
def test_charset_is_one_of_two(content_type: str) -> None:
    assert codec_of(content_type) in ("utf-8", "gb18030")
