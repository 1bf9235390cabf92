"""The page of the rules: every rule, in cells that a Markdown table keeps apart."""

import re
import shutil
from pathlib import Path

from tests.support.command_line import zhengku

from zhengku.catalog import load_catalog
from zhengku.readers.row_rules import ROW_RULES
from zhengku.settings import project_home
from zhengku.validate.rules_page import PAGE, rules_page
from zhengku.validate.suites import load_suites, suite_names

CATALOG = load_catalog(project_home() / "include" / "catalog")
SUITES = project_home() / "expectations"


def cells_by_rule(page: str) -> dict[str, list[str]]:
    """Return the cells of every row of the page's tables, by the first one."""
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    return {first.strip("`"): rest for first, *rest in cells}


def test_every_rule_is_on_the_page_with_all_its_cells() -> None:
    rules = {rule.rule_id: rule for suite in load_suites(SUITES, suite_names(SUITES)) for rule in suite.rules}
    cells = cells_by_rule(rules_page(CATALOG, SUITES))
    assert set(cells) == set(rules) | set(ROW_RULES)
    assert {len(cells[rule_id]) for rule_id in rules} == {8}
    assert {rule_id for rule_id in rules if not all(cells[rule_id][:-1])} == set()


def test_a_rule_is_told_with_its_thresholds() -> None:
    cells = cells_by_rule(rules_page(CATALOG, SUITES))
    assert cells["certificate.holder.length"] == [
        "警告",
        "持证主体",
        "持证主体名称的长度异常（应为2至200个字符）",
        "应为2至200个字符",
        "zhengku",
        "某",
        "鄂州市虚构有限公司",
        "最少字符数 `2`；最多字符数 `200`",
    ]
    assert cells["batch.quarantined_share.notable"][-1] == "最大值 `0.05`；至少条数 `200`"
    assert cells["motor_vehicle_license.use.known"][-1].startswith("正则表达式 `营运\\|客运")
    assert cells["certificate.issue_date.not_future"][-1] == "", "today is no threshold"


def test_a_suite_says_who_is_asked_it() -> None:
    page = rules_page(CATALOG, SUITES)
    assert "\n对整批数据的规则，检查 batch_summary 的一行。用于所有数据源。\n" in page
    assert "\n电子证照的基本规则，适用于所有证照类型。用于52种证照，52个数据源。\n" in page
    assert "用于巡游出租汽车驾驶员证、网络预约出租汽车驾驶员证（`transport/" in page


def test_the_committed_page_is_that_of_the_rules() -> None:
    assert (project_home() / PAGE).read_text(encoding="utf-8") == rules_page(CATALOG, SUITES)


def test_a_page_that_differs_fails_the_check_until_it_is_written(tmp_path: Path) -> None:
    shutil.copytree(SUITES, tmp_path / "expectations")
    (tmp_path / "docs").mkdir()
    environment = {"ZHENGKU_HOME": str(tmp_path), "ZHENGKU_CATALOG_DIR": str(CATALOG.folder)}
    missing = zhengku(environment, "rules", "page", "--check")
    assert (missing.returncode, missing.stderr) == (
        1,
        "zhengku: docs/rules.zh-CN.md: expected the page of the rules, and it is not there. Run `zhengku rules page` "
        "and commit the page.\n",
    )
    assert zhengku(environment, "rules", "page").returncode == 0
    right = zhengku(environment, "rules", "page", "--check")
    assert (right.returncode, right.stdout, right.stderr) == (0, "", "")
    suite = tmp_path / "expectations" / "batch.json"
    suite.write_text(suite.read_text("utf-8").replace("0.05", "0.04"), encoding="utf-8")
    differs = zhengku(environment, "rules", "page", "--check")
    assert differs.returncode == 1
    assert re.fullmatch(
        r"zhengku: docs/rules\.zh-CN\.md:\d+: differs from what the rules in expectations/ say\. Run .*\n",
        differs.stderr,
    )
