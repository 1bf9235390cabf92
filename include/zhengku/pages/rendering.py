"""Rendering a page: templates, security headers, and the format of numbers and times."""

import secrets
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import escape

from zhengku.clearance.rates import Rate, percentage
from zhengku.report.templates import templates

# Goals of the city's plan; other rates have none.
_ABOVE_999 = ("满意率（含默认）", "满意率（不含默认）")
_ALL = ("实名差评回访整改率",)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer: no browser or proxy may store lists, and only Airflow's own page may show them."""


def page(request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Return a page; its style and script are part of it, and nothing else may be loaded or run."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    )
    # Random characters may look like a telephone number.
    tokens = {name: escape(value) for name, value in values.items() if name == "token"}
    text = _templates().get_template(template).render(**{**values, **tokens, "nonce": escape(nonce)})
    return HTMLResponse(text, status_code, {**HEADERS, "Content-Security-Policy": policy})


@cache
def _templates() -> Environment:
    environment = templates().overlay()
    environment.filters = {**environment.filters, "share": percentage, "goal": _goal, "goal_class": _goal_class}
    return environment


def _goal(rate: Rate) -> str:
    return "高于99.9%" if rate.name_zh in _ABOVE_999 else "100%" if rate.name_zh in _ALL else ""


def _goal_class(rate: Rate) -> str:
    """Return the style class of a rate with a goal: met or not; blank without a goal or a denominator."""
    if not rate.denominator or not _goal(rate):
        return ""
    is_met = rate.is_above_999 if rate.name_zh in _ABOVE_999 else rate.numerator == rate.denominator
    return " good" if is_met else " bad"
