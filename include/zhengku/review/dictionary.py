"""The data dictionary (数据字典): what each data set has, made from the catalogue, the rules and the database itself.

Where catalogue and database differ, a sentence says so: a migration is missing, or a row of `standard_fields.csv`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from psycopg.rows import class_row

from zhengku import clock
from zhengku.catalog import Catalog, Feed
from zhengku.catalog.department import FieldMapping
from zhengku.catalog.reference import StandardField
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.operations.standing import estimated_rows
from zhengku.report.run_report import SEVERITY_NAMES
from zhengku.report.sheets import Book, Column, Cover, Sheets, city_time
from zhengku.validate.suites import Rule, load_suites

KIND_NAMES: Final = {
    "identifier": "标识",
    "code": "代码",
    "name": "名称",
    "text": "文本",
    "date": "日期",
    "end_date": "截止日期",
    "timestamp": "时间",
    "district": "区划",
}
PERSONAL_NAMES: Final = {
    "no": "",
    "name": "姓名：仅留姓",
    "holder": "持证主体：个人仅留姓，单位不遮蔽",
    "identity": "号码：遮蔽中间各位",
}

_TYPES: Final = {"timestamp": "timestamp with time zone", "date": "date", "end_date": "date"}
"""Kinds of fields that are not text in the database."""

_OF_EVERY_RECORD: Final = {
    "license_type": "证照类型，即分区",
    "record_key": "记录键：唯一标识一条记录的字段值",
    "extension": "该类证照的扩展字段，按中文名",
    "district_delivered": "部门送来的区划原值",
    "version_at": "本版本的时间，决定新旧",
    "version_no": "第几个版本",
    "row_hash": "各字段的散列，用于认出未变的行",
    "department": "提供部门",
    "feed": "来源",
    "batch_id": "写入本版本的批次",
    "row_no": "在该批次中的行号",
    "loaded_at": "入库时间",
    "removed_at": "标记删除的时间",
    "removal": "为何标记删除",
    "received_hash": "来时各列原文的散列",
    "warning_set": "当时的警告",
    "valid_without_end": "是否长期有效",
    "replaced_by_batch_id": "取代本版本的批次",
    "replaced_at": "被取代的时间",
}
"""Columns that are not delivered: what they are for. A comment in the database takes precedence."""


@dataclass(frozen=True)
class TableColumn:
    """A column of a table of the store, as the database describes it."""

    table_name: str
    name: str
    type: str
    comment: str

    @property
    def meaning(self) -> str:
        """What the column is for, in Chinese; blank where nobody says."""
        return self.comment or _OF_EVERY_RECORD.get(self.name, "")


@dataclass(frozen=True)
class TableIndex:
    """An index, by its method and columns."""

    table_name: str
    name: str
    is_unique: bool
    definition: str


@dataclass(frozen=True)
class Table:
    """A table of the store; `estimated` rows are those that the server counted last, None where it never did."""

    name: str
    comment: str
    partitions: int
    estimated: int | None
    indexes: Sequence[TableIndex]


@dataclass(frozen=True)
class FieldRule:
    """A rule that checks a field; `suite` names the file of `expectations/`."""

    suite: str
    rule: Rule

    @property
    def severity(self) -> str:
        """What happens to a row that fails, in Chinese."""
        return SEVERITY_NAMES[self.rule.severity]


@dataclass(frozen=True)
class FieldSource:
    """What a feed has for a field: the name of a column, a constant, or that it does not have the field."""

    feed: Feed
    department_name: str
    value: str


@dataclass(frozen=True)
class Field:
    """A standard field with all that is known of it; `column` is None where the database has none."""

    standard: StandardField
    column: TableColumn | None
    rules: Sequence[FieldRule]
    sources: Sequence[FieldSource]
    absent: int

    @property
    def kind(self) -> str:
        """How the field is cleaned, in Chinese."""
        return KIND_NAMES[self.standard.kind]

    @property
    def personal(self) -> str:
        """How the field is masked, in Chinese; blank where it is not."""
        return PERSONAL_NAMES[self.standard.personal]


@dataclass(frozen=True)
class DataSet:
    """A data set: its tables, fields, and other columns; `differences` are sentences about catalogue and database."""

    name: str
    tables: Sequence[Table]
    fields: Sequence[Field]
    others: Sequence[TableColumn]
    license_types: Sequence[str]
    feeds: Sequence[Feed]
    differences: Sequence[str]

    @property
    def title(self) -> str:
        """The Chinese title: the comment of its table."""
        return (self.tables[0].comment if self.tables else "") or self.name


def dictionary(connection: Connection, catalog: Catalog, suite_folder: Path) -> list[DataSet]:
    """Return all data sets, in the order of the catalogue. Raises `CatalogError` for a suite that cannot be read."""
    reader = _Reader(connection, catalog, suite_folder)
    return [reader.data_set(name) for name in catalog.reference.standard_fields]


class _Reader:
    def __init__(self, connection: Connection, catalog: Catalog, suite_folder: Path) -> None:
        self._connection = connection
        self._catalog = catalog
        self._suites = suite_folder

    @cached_property
    def _columns(self) -> dict[str, dict[str, TableColumn]]:
        found: dict[str, dict[str, TableColumn]] = defaultdict(dict)
        with self._connection.cursor(row_factory=class_row(TableColumn)) as cursor:
            for column in cursor.execute(statement("review/dictionary.columns")):
                found[column.table_name][column.name] = column
        return found

    @cached_property
    def _tables(self) -> dict[str, Table]:
        with self._connection.cursor(row_factory=class_row(TableIndex)) as cursor:
            indexes = cursor.execute(statement("review/dictionary.indexes")).fetchall()
        estimated = estimated_rows(self._connection)
        return {
            name: Table(
                name, comment, partitions, estimated.get(name), [each for each in indexes if each.table_name == name]
            )
            for name, comment, partitions in self._connection.execute(statement("review/dictionary.tables"))
        }

    def data_set(self, name: str) -> DataSet:
        fields = self._catalog.standard_fields(name)
        feeds = [
            feed
            for department in self._catalog.departments.values()
            for feed in department.feeds.values()
            if feed.dataset == name
        ]
        rules = self._rules(feeds)
        columns = self._columns.get(name, {})
        types = dict.fromkeys(feed.license_type for feed in feeds if feed.license_type)
        return DataSet(
            name,
            [self._tables[table] for table in (name, f"{name}_history") if table in self._tables],
            [self._field(each, columns.get(each.field), rules[each.field], feeds) for each in fields.values()],
            [column for column in columns.values() if column.name not in fields],
            [self._catalog.license_type_name(each) for each in types],
            feeds,
            list(self._differences(name, fields)),
        )

    def _rules(self, feeds: Sequence[Feed]) -> dict[str, list[FieldRule]]:
        """Return the rules of all suites of the feeds, by the field that they check."""
        named = dict.fromkeys(feed.suites for feed in feeds)
        suites = {suite.name: suite for names in named for suite in load_suites(self._suites, names)}
        found: dict[str, list[FieldRule]] = defaultdict(list)
        for suite in suites.values():
            for rule in suite.rules:
                for field in dict.fromkeys(rule.meta.fields):
                    found[field].append(FieldRule(suite.name, rule))
        return found

    def _field(
        self, standard: StandardField, column: TableColumn | None, rules: list[FieldRule], feeds: Sequence[Feed]
    ) -> Field:
        sources = [
            FieldSource(feed, self._catalog.department_name(feed.department), _source(feed.fields[standard.field]))
            for feed in feeds
            if standard.field in feed.fields
        ]
        absent = sum(standard.field in feed.absent_fields for feed in feeds)
        return Field(standard, column, rules, sources, absent)

    def _differences(self, dataset: str, fields: Mapping[str, StandardField]) -> Iterator[str]:
        for table in (dataset, f"{dataset}_history"):
            columns = self._columns.get(table)
            if columns is None:
                yield f"目录有数据集 {dataset}，数据库没有表 store.{table}：请执行 zhengku db upgrade，或补写迁移。"
                continue
            for field in fields.values():
                column = columns.get(field.field)
                expected = _TYPES.get(field.kind, "text")
                if column is None:
                    yield (
                        f"目录有字段 {field.field}（{field.name_zh}），数据库的表 store.{table} 没有这一列："
                        "请补写迁移并执行 zhengku db upgrade。"
                    )
                elif column.type != expected:
                    yield (
                        f"字段 {field.field}（{field.name_zh}）的类别为{KIND_NAMES[field.kind]}，应存为 {expected}，"
                        f"表 store.{table} 中为 {column.type}。"
                    )
            for column in columns.values():
                if column.name not in fields and not column.meaning:
                    yield (
                        f"数据库的表 store.{table} 有列 {column.name}，目录没有这一字段，数据库中也没有说明："
                        "请在 standard_fields.csv 中补登，或为该列写说明。"
                    )


def _source(mapping: FieldMapping) -> str:
    return mapping.column if mapping.column is not None else f"固定为“{mapping.constant}”"


_FIELD_COLUMNS: Final[tuple[Column[tuple[DataSet, Field]], ...]] = (
    Column("数据集", 14, lambda row: row[0].name, "wrap"),
    Column("字段", 24, lambda row: row[1].standard.field, "wrap"),
    Column("中文名", 18, lambda row: row[1].standard.name_zh, "wrap"),
    Column("类别", 10, lambda row: row[1].kind, "wrap"),
    Column("标准", 22, lambda row: row[1].standard.standard, "wrap"),
    Column("标准要求", 9, lambda row: "必填" if row[1].standard.required else "", "centre"),
    Column("个人信息", 20, lambda row: row[1].personal, "wrap"),
    Column("数据库类型", 22, lambda row: row[1].column.type if row[1].column else "没有这一列", "wrap"),
    Column("数据库说明", 30, lambda row: row[1].column.comment if row[1].column else "", "wrap"),
    Column(
        "规则", 60, lambda row: "\n".join(f"{each.rule.reason}（{each.rule.rule_id}）" for each in row[1].rules), "wrap"
    ),
)
_SOURCE_COLUMNS: Final[tuple[Column[tuple[DataSet, Field, FieldSource]], ...]] = (
    Column("数据集", 14, lambda row: row[0].name, "wrap"),
    Column("字段", 24, lambda row: row[1].standard.field, "wrap"),
    Column("中文名", 18, lambda row: row[1].standard.name_zh, "wrap"),
    Column("部门", 26, lambda row: row[2].department_name, "wrap"),
    Column("来源", 26, lambda row: row[2].feed.title, "wrap"),
    Column("来源列", 30, lambda row: row[2].value, "wrap"),
)
_OTHER_COLUMNS: Final[tuple[Column[tuple[DataSet, TableColumn]], ...]] = (
    Column("数据集", 14, lambda row: row[0].name, "wrap"),
    Column("列", 24, lambda row: row[1].name, "wrap"),
    Column("数据库类型", 26, lambda row: row[1].type, "wrap"),
    Column("说明", 60, lambda row: row[1].meaning, "wrap"),
)


def write_dictionary(path: Path, found: Sequence[DataSet]) -> None:
    """Write the dictionary as a workbook: fields, what feeds have for them, and the other columns."""
    made = clock.now()
    book = Book(path, "数据字典", made, f"{made:%Y-%m-%d}", "内部资料")
    sheets: list[Sheets[Any]] = []
    parts: tuple[tuple[str, Sequence[Column[Any]], Sequence[Any]], ...] = (
        ("字段", _FIELD_COLUMNS, [(each, field) for each in found for field in each.fields]),
        (
            "来源列",
            _SOURCE_COLUMNS,
            [(each, field, source) for each in found for field in each.fields for source in field.sources],
        ),
        ("其他列", _OTHER_COLUMNS, [(each, column) for each in found for column in each.others]),
    )
    for name, columns, rows in parts:
        sheet: Sheets[Any] = Sheets(book, name, columns)
        sheet.write(rows)
        sheets.append(sheet)
    cover = Cover(book, "数据字典")
    cover.write_title(city_time(made))
    cover.write_heading("数据集")
    for each in found:
        cover.write_particular(each.name, f"{each.title}；{len(each.fields)}个字段，{len(each.feeds)}个来源")
    differences = [sentence for each in found for sentence in each.differences]
    cover.write_heading("目录与数据库")
    for sentence in differences or ["一致"]:
        cover.write_particular("差异" if differences else "核对", sentence, is_warning=bool(differences))
    cover.write_contents(
        sheets,
        {"字段": "目录的每个字段", "来源列": "每个来源以哪一列提供该字段", "其他列": "系统自行写入的列"},
    )
    book.close()
