"""The page of all rules (`docs/rules.zh-CN.md`), generated from the rules, so that it cannot differ from them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from zhengku.catalog import Catalog, Feed
from zhengku.readers.row_rules import ROW_EXPECTED, ROW_RULES
from zhengku.validate.guidance import expected, field_names
from zhengku.validate.suites import BATCH_SUITE, Rule, Severity, Suite, load_suites, parameter_name, suite_names

PAGE: Final = Path("docs") / "rules.zh-CN.md"
"""The path of the page in the project."""

SEVERITIES: Final[Mapping[Severity, str]] = {"critical": "严重", "warning": "警告", "info": "提示"}

_INTRODUCTION: Final = """\
# 校验规则

本页由 `zhengku rules page` 根据 `expectations/*.json` 生成，请勿手工修改；与规则不一致时，`make lint` 不通过。

## 严重程度

- **严重**：不合格的数据不入库，进入问题数据，退回部门更正；对整批数据的规则则是整批暂缓入库，由人工放行。
- **警告**、**提示**：照常入库，在运行报告中列出。

## 怎样调整阈值

“参数”一栏是可以调整的阈值，改 `expectations/<规则集>.json` 中该规则的 `kwargs` 即可，不改程序：

1. 复制规则集为一份新文件，在其中修改；`reason_zh` 等文字随之改正。
2. `zhengku rules try <规则集> --file <新文件>`：用最近7天已入库的批次试算，看哪些数据会新进入问题数据，哪些会转为合格。
3. 效果合意后，用新文件替换原文件，运行 `zhengku rules page` 重新生成本页，一并提交。
"""

_ARGUMENTS: Final[Mapping[str, str]] = {
    "value_set": "取值范围",
    "regex": "正则表达式",
    "pattern": "正则表达式",
    "least": "最少字符数",
    "greatest": "最多字符数",
    "earliest": "最早",
    "latest": "最晚",
    "days_later": "宽限天数",
    "years": "年数",
    "days": "天数",
    "min_value": "最小值",
    "max_value": "最大值",
    "letters": "字母",
}
"""Arguments that a section may change; the others say which column a rule checks, and when."""


def rules_page(catalog: Catalog, suite_folder: Path) -> str:
    """Return the page of every rule of every suite, in Markdown.

    Raises `CatalogError` when a suite or the catalogue is wrong, or the type of a rule has no words.
    """
    used = _feeds_by_suite(catalog, suite_folder)
    parts = [_INTRODUCTION]
    for name in suite_names(suite_folder):
        [suite] = [suite for suite in load_suites(suite_folder, [name]) if suite.name == name]
        parts.append("\n".join(_section(suite, used.get(name, []), catalog)))
    parts.append("\n".join(_row_rules()))
    return "\n".join(parts)


def _feeds_by_suite(catalog: Catalog, suite_folder: Path) -> dict[str, list[Feed]]:
    used: dict[str, list[Feed]] = {}
    for department in catalog.departments.values():
        for feed in department.feeds.values():
            for suite in load_suites(suite_folder, feed.suites):
                used.setdefault(suite.name, []).append(feed)
    return used


def _section(suite: Suite, feeds: list[Feed], catalog: Catalog) -> Iterator[str]:
    yield f"## {suite.name}\n"
    yield f"{suite.notes or ''}{_users(suite.name, feeds, catalog)}\n"
    yield "| 编号 | 严重程度 | 字段 | 不合格原因 | 应为 | 标准 | 错误示例 | 正确示例 | 参数 |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for rule in suite.rules:
        cells = (
            f"`{rule.rule_id}`",
            SEVERITIES[rule.severity],
            *map(
                _text,
                (
                    "、".join(field_names(rule, catalog)),
                    rule.reason,
                    expected(rule, None, catalog),
                    rule.meta.standard,
                    rule.meta.example,
                    rule.meta.right_example,
                ),
            ),
            "；".join(_arguments(rule)),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _users(suite: str, feeds: list[Feed], catalog: Catalog) -> str:
    """Return who uses a suite: each license type once, with the feeds; only their numbers where there are many."""
    if suite == BATCH_SUITE:
        return "用于所有数据源。"
    if not feeds:
        return "目前没有数据源使用。"
    types = dict.fromkeys(
        catalog.license_type(feed.license_type).name_zh if feed.license_type else feed.title for feed in feeds
    )
    if len(types) > _TYPES_LISTED:
        return f"用于{len(types)}种证照，{len(feeds)}个数据源。"
    return f"用于{'、'.join(types)}（{'、'.join(f'`{feed.name}`' for feed in feeds)}）。"


_TYPES_LISTED: Final = 8


def _row_rules() -> Iterator[str]:
    yield "## 无法读取的数据\n"
    yield "一行数据未能读成一条记录时，在其他规则之前即进入问题数据，均为严重，没有可调整的参数。\n"
    yield "| 编号 | 不合格原因 | 应为 |"
    yield "|---|---|---|"
    for rule_id, reason in ROW_RULES.items():
        yield f"| `{rule_id}` | {_text(reason)} | {_text(ROW_EXPECTED[rule_id])} |"
    yield ""


def _arguments(rule: Rule) -> Iterator[str]:
    for name, value in rule.kwargs.items():
        if name in _ARGUMENTS and not _is_parameter(value):
            yield f"{_ARGUMENTS[name]} {_code(value)}"
        # A row_condition with a number is a threshold as well.
        if name == "row_condition" and isinstance(value["parameter"], int | float):
            yield f"至少条数 {_code(value['parameter'])}"


def _is_parameter(value: Any) -> bool:
    """Return whether an argument, or an item of a list, is a parameter: its value is not in the suite."""
    return any(parameter_name(one) is not None for one in (value if isinstance(value, list) else [value]))


def _code(value: Any) -> str:
    """Return a value as code in a cell of a table, with bars escaped, which would end the cell."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    escaped = shown.replace("|", "\\|")
    return f"`{escaped}`"


def _text(text: str) -> str:
    """Return text for a cell, with all Markdown characters escaped."""
    return "".join(f"\\{mark}" if mark in "\\|`*_[]<>" else mark for mark in text)
