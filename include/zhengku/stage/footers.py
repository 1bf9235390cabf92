"""Footers: rows below a table, or between its parts, with sums, or with who made or checked the list, and when.

A row is a footer when it starts with one of the feed's words and its key is no usable key; docs/decisions/0033 explains
why both are required. An empty row and a repeated header row of a file are counted as footers as well.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import psycopg
from psycopg import sql

from zhengku.catalog import Feed
from zhengku.database import statement
from zhengku.readers.blocks import BadRow, Note

_UNSEEN: Final = re.compile("[\\s\u00ad\u180e\u200b-\u200f\u2060-\u206f\u3164\ufeff]+")
_BLANKS: Final = " \t\n\r\u3000\u00a0\u200b\ufeff"
_MARKS: Final = "*＊※★-—–_=(（[【<《"
"""Marks that may come before the word."""

_ENDS: Final = "[-—–_=)）\\]】>》。.！!]*"
_PAGE: Final = re.compile(r"第[0-9一二三四五六七八九十百]+页(?:[,，/／]?共[0-9一二三四五六七八九十百]+页)?")

EMPTY: Final = "空行"
REPEATED_HEADER: Final = "重复的表头"
_SUMS: Final = ("合计", "总计", "小计", "共计")

# What may follow the word: nothing, a colon, brackets, a number. 总计划有限公司 starts with a word and is no sum.
_SUFFIX: Final = r"(?:人数|户数|数量|件数|数|金额)?(?:[:：(（\[【].*|共.*|为?[0-9一二三四五六七八九十百千零〇两].*)?"
_DAY: Final = re.compile(r"(?:19|20)[0-9]{2}[-/.年][0-9]{1,2}(?:[-/.月].*)?")
_COUNT: Final = re.compile(r"(?:共|计)?[0-9][0-9,.]{0,8}[^0-9A-Za-z]{0,4}")
_NAMES_NUMBER: Final = ("日期", "时间", "电话", "年月")
"""Ends of words next to which a number is a date or a telephone number, and no key."""

_ROWS_NAMED: Final = 20


@dataclass(frozen=True)
class Footers:
    """How the footers of one feed are identified in deliveries with these `columns`.

    `keys` are the places, from 0, of the columns with the parts of a record's key; `columns` are the names of all
    columns of a file. They are empty for other transports, which deliver neither empty rows nor repeated headers.
    """

    words: tuple[str, ...]
    keys: tuple[int, ...]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, feed: Feed, columns: Sequence[str]) -> "Footers":
        """Return the footers of a feed in deliveries with these columns."""
        named = [feed.fields[name].column for name in feed.key if name in feed.fields]
        return cls.with_key(feed, named, columns)

    @classmethod
    def with_key(cls, feed: Feed, key: Iterable[str | None], columns: Sequence[str]) -> "Footers":
        """Return the footers of a feed where the columns `key` hold the parts of the record's key."""
        places = tuple(columns.index(name) for name in key if name in columns)
        return cls(feed.footer_words, places, tuple(columns) if feed.transport.delivers_files else ())

    @property
    def may_occur(self) -> bool:
        """Whether there may be any: not without words, nor where the key is the same in all rows."""
        return bool(self.words and self.keys)

    @cached_property
    def _form(self) -> re.Pattern[str]:
        words = "|".join(re.escape(_UNSEEN.sub("", word)) for word in sorted(self.words, key=len, reverse=True))
        sums = "|".join(word for word in _SUMS if word in self.words) or "(?!)"
        return re.compile(
            rf"[{re.escape(_MARKS)}]*(?:(?:本页|本表|本单位)?(?P<word>{words}){_SUFFIX}|(?P<page>{_PAGE.pattern})){_ENDS}"
            rf"|[\u4e00-\u9fff]{{1,10}}(?P<sum>{sums})",
            re.IGNORECASE,
        )

    def word_of(self, cells: Sequence[str]) -> str | None:
        """Return the word by which a row is identified as a footer; None for any other row.

        `cells` are as delivered; in a row of another width than the header, the first cells are in their columns.
        """
        texts = [_UNSEEN.sub("", cell) for cell in cells]
        filled = [text for text in texts if text]
        if self.columns and not filled:
            return EMPTY
        if self.columns and texts == self._names:
            return REPEATED_HEADER
        # A sheet that numbers its rows may have numbered this one as well.
        second = filled[1:2] if len(filled) > 1 and filled[0].isdigit() else []
        for text in (*filled[:1], *second):
            if found := self._form.fullmatch(text):
                word = found["word"] or found["sum"] or found["page"]
                keys = [texts[place] for place in self.keys if place < len(texts)]
                return word if all(self._is_no_key(key, word) for key in keys) else None
        return None

    def _is_no_key(self, key: str, word: str) -> bool:
        if not key or self._form.fullmatch(key) or _DAY.fullmatch(key):
            return True
        if word.endswith(_NAMES_NUMBER):
            return True
        if not any("0" <= char <= "9" for char in key):
            return sum(char.isascii() and char.isalpha() for char in key) < 5
        return _COUNT.fullmatch(key) is not None and sum(char.isdigit() for char in key) <= 6

    @cached_property
    def _names(self) -> list[str]:
        return [_UNSEEN.sub("", name) for name in self.columns]

    @cached_property
    def _begins(self) -> list[str]:
        """The first two characters that a footer may have."""
        begins = {"本页", "本表", "本单", "", *(name[:2] for name in self._names[:1])}
        begins |= {f"第{digit}" for digit in "0123456789一二三四五六七八九十"}
        for word in self.words:
            begins |= {word[:2], word[:2].lower(), word[:2].upper(), *(word[0] + blank for blank in _BLANKS)}
            if len(word) == 1:
                begins |= {word + mark for mark in ":：(（[【共为0123456789)）]】>》-—。"}
        return sorted(begins)

    def delete_from_staging(self, connection: psycopg.Connection[Any], width: int) -> dict[int, str]:
        """Delete the footers from the staging table `text_row` of `width` columns; return their words by row number."""
        names = [sql.Identifier(f"c{place}") for place in range(1, width + 1)]
        keys = [names[place] for place in self.keys]
        query = statement("stage/footers.may_be_footer").format(
            cells=sql.SQL(", ").join(names),
            first=sql.SQL("coalesce({})").format(
                sql.SQL(", ").join(sql.SQL("nullif({}, '')").format(name) for name in names)
            ),
            first_cells=sql.SQL(", ").join(names[:3]),
            keys=sql.SQL(" || ").join(sql.SQL("coalesce({}, '')").format(key) for key in keys),
        )
        # PostgreSQL's expressions have the same special characters.
        words = "|".join(re.escape(_UNSEEN.sub("", word)) for word in self.words)
        values = {
            "firsts": sorted({"", *_BLANKS, *_MARKS, *(begin[:1] for begin in self._begins)}),
            "begins": self._begins,
            "blanks": _BLANKS + _MARKS,
            "words": words,
        }
        found: dict[int, str] = {}
        with connection.cursor() as cursor:
            for row_no, cells in cursor.stream(query, values):
                if word := self.word_of([cell or "" for cell in cells]):
                    found[row_no] = word
        if found:
            connection.execute(statement("stage/footers.forget_text_rows"), {"rows": list(found)})
        return found

    def of_bad_rows(self, rows: Iterable[BadRow]) -> dict[int, str]:
        """Return the words of the footers among rows with too few or too many cells, by row number."""
        return {row.row_no: word for row in rows if row.cells and (word := self.word_of(row.cells)) is not None}


def note_of(footers: Mapping[int, str]) -> Note:
    """Return the note about footers that were left out, from their words by row number; at least one."""
    words = list(dict.fromkeys(footers.values()))
    rows = list(map(str, sorted(footers)))
    more_zh, more_en = ("等", ", …") if len(rows) > _ROWS_NAMED else ("", "")
    return Note(
        f"表尾行{len(rows)}行（{'、'.join(words[:_ROWS_NAMED])}），不是数据，未计入取得："
        f"第{'、'.join(rows[:_ROWS_NAMED])}{more_zh}行",
        f"{len(rows)} footer rows were counted separately: {', '.join(rows[:_ROWS_NAMED])}{more_en}",
    )
