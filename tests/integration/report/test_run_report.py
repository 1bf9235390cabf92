"""The run report: a page that a browser opens, made of names and values that departments write."""

import re
from html.parser import HTMLParser

SCRIPT = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """The names of the elements of a page, and its text outside of them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_no_name_or_value_of_a_delivery_is_markup(installation, make_row, header):
    # A slash cannot be in a file's name.
    name, untaken, column, value = "<img src=x>1.csv", "<svg onload=x>.txt", "<b>列</b>", SCRIPT
    installation.deliver(
        name,
        f"{header},{column}\n{make_row(1, 企业名称='', 经营范围=value)},<i>a</i>\n{make_row(2)},b\n{make_row(3)},c\n",
    )
    installation.deliver(untaken, "x")
    (batch,) = installation.run("night")
    assert batch.quarantined == 1
    page = installation.pipeline.conclude("market_supervision", "night").read_text(encoding="utf-8")
    tags = Tags(page)
    assert not {"script", "img", "svg", "b", "i"} & set(tags.names)
    shown = re.sub(r"\s+", " ", tags.text)
    for one in (name, untaken, column, value):
        assert one in shown, one
