"""The text of a message: the most urgent first, what is new marked, what is over named, cut without losing its head."""

from zhengku import clock
from zhengku.watch.finding import KINDS, Finding, Link
from zhengku.watch.state import Standing
from zhengku.watch.telling import Told, is_news, message_text
from zhengku_airflow.notices import ROBOT_BYTES, Notice


def standing(kind: str, key: str, text: str = "", state: str = "", urgency: str = "") -> Standing:
    now = clock.now()
    links = [{"label": "运行", "path": "dags/x/runs/y%3A1"}]
    finding = Finding(kind, key, text or f"{kind} {key}")  # type: ignore[arg-type]
    return Standing(
        finding.finding_key,
        finding.kind,
        urgency or finding.how_urgent,
        finding.text,
        state,
        links,
        now,
        now,  # type: ignore[arg-type]
    )


def address(path: str) -> str:
    return f"https://zhengku.example/{path.removeprefix('/')}"


def text_of(*present: Standing, told: dict[str, Told] | None = None) -> tuple[str, str]:
    title, lines = message_text(present, told or {}, address)
    return title, "\n".join(lines)


def told_of(*findings: Standing) -> dict[str, Told]:
    return {one.finding_key: Told(one.finding_key, one.urgency, one.text, one.state) for one in findings}


def test_most_urgent_kind_comes_first_and_each_has_its_links():
    found = [standing("calendar", "c"), standing("task_failed", "a"), standing("list_late", "l")]
    title, text = text_of(*found)
    assert title == "证库：紧急 1 项，需处理 1 项，提醒 1 项"
    assert text.index("【紧急】清单未按时发布") < text.index("【需处理】部门任务失败") < text.index("【提醒】")
    assert "- task_failed a [运行](https://zhengku.example/dags/x/runs/y%3A1)" in text
    assert "[处理办法](https://zhengku.example/zhengku/review/runbook/daily-clearance#a-list-is-late)" in text
    # Nothing was told before: everything is new, and no word says so.
    assert "（新）" not in text


def test_what_is_new_comes_first_in_its_kind_and_is_marked():
    old, new = standing("task_failed", "a"), standing("task_failed", "b")
    _, text = text_of(old, new, told=told_of(old))
    assert text.index("（新）task_failed b") < text.index("- task_failed a")


def test_what_is_over_is_named_and_all_well_is_said():
    gone, left = standing("task_failed", "a", "市场监管局：失败"), standing("calendar", "c")
    title, text = text_of(left, told=told_of(gone, left))
    assert title == "证库：已全部恢复正常（另有提醒 1 项）"
    assert "**已恢复（1）**\n- 市场监管局：失败" in text
    assert text_of(told=told_of(gone))[0] == "证库：已全部恢复正常"
    # Nobody had been told of a problem: nothing has recovered.
    assert text_of(left)[0] == "证库：提醒 1 项"


def test_another_state_or_urgency_is_news_and_another_wording_is_not():
    before = standing("disk", "d", "仅余 9%")
    assert not is_news(standing("disk", "d", "仅余 8%"), told_of(before))
    assert is_news(standing("disk", "d", "仅余 3%", urgency="urgent"), told_of(before))
    assert is_news(standing("disk", "d", "仅余 9%", state="x"), told_of(before))


def test_robot_gets_the_head_of_a_message_that_is_too_long_and_the_page_for_the_rest():
    found = [standing("list_late", "l"), *(standing("task_failed", f"{n:04}", "虚构局：失败" * 20) for n in range(200))]
    title, lines = message_text(found, {}, address)
    text = Notice(title, lines, address("/zhengku/review/notices"), "当前异常").markdown(ROBOT_BYTES["wecom"])
    assert len(text.encode()) <= ROBOT_BYTES["wecom"]
    assert text.startswith("### 证库：紧急 1 项，需处理 200 项")
    assert "清单未按时发布" in text
    assert text.endswith("……其余请见当前异常页面。\n\n[查看当前异常](https://zhengku.example/zhengku/review/notices)")


def test_mail_has_links_and_no_markup_of_a_source():
    title, lines = message_text([standing("task_failed", "a", "虚构局 <b>x</b> [不是链接](javascript:1)")], {}, address)
    html = Notice(title, lines, address("/"), "当前异常").html()
    assert '<a href="https://zhengku.example/dags/x/runs/y%3A1">运行</a>' in html
    assert "<b>" not in html
    assert 'href="javascript' not in html


def test_numbers_of_people_are_masked_and_long_texts_are_cut():
    _, text = text_of(standing("batch_held", "1", "文件 420704199001011234.csv " + "长" * 400))
    assert "420704199001011234" not in text
    assert "……" in text
    assert max(map(len, text.splitlines())) < 400


def test_every_kind_has_a_paragraph_in_a_runbook():
    from zhengku.settings import project_home

    for name, kind in KINDS.items():
        runbook, _, anchor = kind.runbook.partition("#")
        text = (project_home() / "docs" / "runbooks" / f"{runbook}.md").read_text("utf-8")
        headings = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
        slugs = [
            "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_") for heading in headings
        ]
        assert anchor in slugs, name


def test_finding_is_told_apart_by_kind_and_key():
    assert Finding("disk", "a", "x", links=(Link("l", "p"),)).finding_key == "disk:a"
    assert Finding("disk", "a", "x").how_urgent == "problem"
    assert Finding("disk", "a", "x", urgency="urgent").how_urgent == "urgent"
