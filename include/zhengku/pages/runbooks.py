"""The runbooks of `docs/runbooks`, as pages: rendered from Markdown, with the anchors that notices link to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

# HTML in the text is shown, not obeyed.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")

# What GitHub leaves out of an anchor.
_NOT_IN_AN_ANCHOR = re.compile(r"[^\w\- ]")

_OTHER_RUNBOOK = re.compile(r"(?P<name>[\w-]+)\.md(?P<anchor>#.*)?")


@dataclass(frozen=True)
class Runbook:
    """A runbook: its file's name without `.md`, its title, its text as HTML, and the anchors of its headings."""

    name: str
    title: str
    text: Markup
    anchors: tuple[str, ...]


def runbook_names(folder: Path) -> list[str]:
    """Return the names of the runbooks in a folder, in order; none where the folder is missing."""
    return sorted(path.stem for path in folder.glob("*.md"))


def read_runbook(folder: Path, name: str) -> Runbook | None:
    """Read a runbook of a folder; None when there is none of that name.

    A heading has the anchor that GitHub gives it. A link to another runbook leads to its page; a link to any other
    document, which an installation does not have, is shown as text with the document's path.
    """
    if name not in runbook_names(folder):
        return None
    tokens = _MARKDOWN.parse((folder / f"{name}.md").read_text(encoding="utf-8"))
    anchors: list[str] = []
    title = name
    for opening, content in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        words = _text(content)
        title = words if opening.tag == "h1" else title
        anchors.append(_anchor(words, anchors))
        opening.attrSet("id", anchors[-1])
    for token in tokens:
        if token.children:
            token.children = list(_with_our_links(token.children))
    return Runbook(name, title, Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})), tuple(anchors))


def _text(token: Token) -> str:
    """Return the text of a heading without its marks."""
    return "".join(child.content for child in token.children or ())


def _anchor(words: str, earlier: list[str]) -> str:
    """Return the anchor of a heading as GitHub makes it: a repeated one gets a number."""
    anchor = _NOT_IN_AN_ANCHOR.sub("", words.lower()).replace(" ", "-")
    repeated = sum(1 for other in earlier if re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other))
    return f"{anchor}-{repeated}" if repeated else anchor


def _with_our_links(children: list[Token]) -> Iterator[Token]:
    """Yield the parts of a text, with the links of this installation."""
    left_out: list[str] = []
    for token in children:
        if token.type == "link_open":
            address = unquote(str(token.attrGet("href")))
            if address.startswith("#"):
                yield token
            elif found := _OTHER_RUNBOOK.fullmatch(address):
                token.attrSet("href", f"{found['name']}{found['anchor'] or ''}")
                yield token
            else:
                left_out.append(address)
        elif token.type == "link_close" and left_out:
            path = left_out.pop().removeprefix("../")
            yield Token("text", "", 0, content=f" ({path})")
        else:
            yield token
