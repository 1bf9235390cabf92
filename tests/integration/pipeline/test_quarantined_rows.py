"""What is wrong with a row quarantines that row with its bytes, and the others load."""

import hashlib
import os

import pytest


def wrong_rows(make_row) -> dict[str, bytes]:
    good = make_row(50).encode()
    return {
        "row.ragged": good + b",x",
        "row.ragged ": good[: good.index(b",2020")],
        "row.nul": good.replace(b"2020", b"20\x0020"),
        "row.encoding": good.replace("张某某".encode(), b"\xff\xfe\x81"),
        "row.too_long": good.replace(b"100", b"1" * 2_000_000),
        "row.quote": good.replace(b"100", b'"100'),
        "row.quote ": good.replace(b",100", b',"a"b'),
        "row.control_character": good.replace("虚构货物".encode(), "虚构\r货物".encode()),
    }


KINDS = [
    "row.ragged",
    "row.ragged ",
    "row.nul",
    "row.encoding",
    "row.too_long",
    "row.quote",
    "row.quote ",
    "row.control_character",
]


# Where the row stands matters where a record may run on into the next line.
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (KINDS[0], 1),
        ("row.quote", 0),
        *(pytest.param(kind, 1, marks=pytest.mark.slow) for kind in KINDS[1:]),
        *(pytest.param(kind, 3, marks=pytest.mark.slow) for kind in ("row.quote", "row.ragged")),
    ],
)
def test_wrong_row_is_kept_with_its_bytes_and_its_neighbours_load(installation, make_row, header, kind, place):
    wrong = wrong_rows(make_row)[kind]
    lines = [make_row(n).encode() for n in range(3)]
    lines.insert(place, wrong)
    content = b"\n".join([header.encode(), *lines]) + b"\n"
    installation.deliver("1.csv", content)
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (4, 3, 1)
    [(row_no, rules, payload, length, offset, digest)] = installation.query(
        "select first_row_no, rules, payload_bytes, payload_length, payload_offset, payload_sha256"
        " from quarantine.problem_row"
    )
    assert (row_no, rules) == (place + 2, [kind.strip()])
    assert bytes(payload) == wrong[:65536]
    assert (length, digest) == (len(wrong), hashlib.sha256(wrong).hexdigest())
    # The whole row can be read again from the landed file.
    landed = installation.pipeline.landing.open(batch.landing_path)
    landed.seek(offset)
    assert landed.read(length) == wrong


def test_file_cut_inside_its_last_row_loads_the_others(installation, make_row, header):
    content = "\n".join([header, make_row(1), make_row(2), make_row(3)]).encode()
    installation.deliver("1.csv", content[:-120])
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (3, 2, 1)


def test_row_wrong_in_every_way_once_each_is_counted_once_each(installation, make_row, header):
    rows = [*wrong_rows(make_row).values(), *(make_row(n).encode() for n in range(3))]
    installation.deliver("1.csv", b"\n".join([header.encode(), *rows]) + b"\n")
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (11, 3, 8)


def test_identical_wrong_rows_are_each_accounted_for(installation, make_row):
    installation.deliver_rows("1.csv", *[make_row(1, 企业名称="")] * 3, *["x,y"] * 2, make_row(2), make_row(3))
    assert installation.run_one().quarantined == 5
    assert installation.query("select count(*) from quarantine.problem_row") == [(5,)]


@pytest.mark.slow
def test_one_line_of_a_gigabyte_is_quarantined_and_the_rows_around_it_load(installation, make_row, header):
    path = installation.drop / "1.csv"
    with path.open("wb") as file:
        file.write(f"{header}\n{make_row(1)}\n".encode())
        for _ in range(1024):
            file.write(b"a" * 1024 * 1024)
        file.write(f"\n{make_row(2)}\n".encode())
    moment = path.stat().st_mtime - 3600
    os.utime(path, (moment, moment))
    batch = installation.run_one()
    assert (batch.fetched, batch.inserted, batch.quarantined) == (3, 2, 1)
    [(length, kept)] = installation.query("select payload_length, length(payload_bytes) from quarantine.problem_row")
    assert (length, kept) == (1024**3, 65536)


def test_key_longer_than_an_index_takes_is_quarantined(installation, make_row):
    installation.deliver_rows("1.csv", make_row(1), make_row(2, 统一社会信用代码="9" * 6000))
    assert installation.run_one().quarantined == 1
    [(rules,)] = installation.query("select rules from quarantine.problem_row")
    assert {"certificate.record_key.length", "certificate.holder_code.length"} <= set(rules)


def test_two_columns_swapped_are_quarantined(installation, make_row):
    name, code = make_row(2).split(",")[:2]
    installation.deliver_rows("1.csv", make_row(1), make_row(2, 企业名称=code, 统一社会信用代码=name))
    assert installation.run_one().quarantined == 1
