"""The statements of `sql/`: each has a name of its own, is called by it, and is found by it alone."""

import re
from collections import Counter
from pathlib import Path

import pytest

from zhengku import database
from zhengku.database import statement, statement_names, statements_of
from zhengku.settings import project_home, sql_folder

SQL = sql_folder()
FOLDERS = sorted({name.partition("/")[0] for name in statement_names()})
FILES = sorted({name.rpartition(".")[0] for name in statement_names()})
CALLED = re.compile(rf'"((?:{"|".join(FOLDERS)})/\w+\.\w+)"')


def called_in(*folders: str) -> set[str]:
    """Return the names of statements that stand as literals in the Python files of some folders."""
    files = {path for folder in folders for path in (project_home() / folder).rglob("*.py")}
    # These hold names that are wrong on purpose.
    files -= {Path(__file__), Path(__file__).with_name("test_docs_links.py")}
    return {name for path in files for name in CALLED.findall(path.read_text(encoding="utf-8"))}


def test_every_name_stands_once_in_all_of_sql():
    lines = [
        line
        for path in SQL.rglob("*.sql")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("-- name:")
    ]
    assert [line for line, times in Counter(lines).items() if times > 1] == []
    assert sorted(line.removeprefix("-- name: ") for line in lines) == sorted(
        name.rpartition(".")[2] for name in statement_names()
    )


def test_every_statement_is_called_by_a_literal_name():
    assert set(statement_names()) - called_in("include/zhengku", "plugins") == set()


def test_every_literal_name_is_of_a_statement():
    assert called_in("include", "plugins", "benchmarks", "tests") - set(statement_names()) == set()


@pytest.mark.parametrize("file", FILES)
def test_file_begins_with_a_name_and_each_statement_ends_with_its_only_semicolon(file):
    text = (SQL / f"{file}.sql").read_text(encoding="utf-8")
    assert text.startswith("-- name: ")
    for section in text.split("-- name: ")[1:]:
        code = re.sub(r" *--.*", "", section).rstrip()
        assert (code.count(";"), code[-1]) == (1, ";"), section


def test_statement_has_its_comment_and_no_semicolon():
    assert statement("clearance/candidates.no_keys").as_string(None).startswith("-- For candidates.sql: no batch")
    assert statement("load/merge.kept_versions").as_string(None).endswith("\nfrom {store} as s -- noqa: AL05\n")
    assert statement("validate/staged_batch.has_rows").as_string(None) == "select exists(select from {table})\n"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            "load/merge.keep_histroy",
            "'keep_histroy' in 'load/merge': .* no such name. Nearest: load/merge.keep_history",
        ),
        ("load/settle.gone", "'gone' in 'load/settle': .* no such name. Nearest: load/disappeared.gone."),
        ("lod/merge.confirm", "'confirm' in 'lod/merge': sql/lod/merge.sql is not there. Nearest: load/merge.confirm."),
        ("confirm", "'confirm' in '': .* Nearest: load/merge.confirm."),
        ("load/nothing.xyzzy", "Nearest: none"),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(asked, expected):
    with pytest.raises(LookupError, match=expected):
        statement(asked)


def test_only_the_files_that_are_needed_are_read_and_each_once(monkeypatch):
    monkeypatch.setattr(database, "statements_of", database.cache(statements_of.__wrapped__))
    read = []
    real = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, **named: (read.append(path.name), real(path, **named))[1])
    for name in ("load/merge.confirm", "load/merge.merge", "load/settle.settle", "load/merge.confirm"):
        statement(name)
    assert read == ["merge.sql", "settle.sql"]


def test_replaced_text_stands_for_the_statement(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(statements_of("load/merge"), "confirm", "select 1")
        assert statement("load/merge.confirm").as_string(None) == "select 1"
    assert statement("load/merge.confirm").as_string(None) != "select 1"


@pytest.mark.slow
def test_linter_sees_every_statement():
    from sqlfluff.core import FluffConfig, Linter

    config = FluffConfig.from_path(str(SQL))
    for file in FILES:
        path = SQL / f"{file}.sql"
        tree = Linter(config=config).parse_string(path.read_text(encoding="utf-8"), fname=str(path)).tree
        assert tree is not None
        assert list(tree.recursive_crawl("unparsable")) == []
        seen = list(tree.recursive_crawl("statement", recurse_into=False))
        assert len(seen) == len(statements_of(file)), file
