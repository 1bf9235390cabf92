"""The rates of some days, day by day and by district or department."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from zhengku import clock
from zhengku.clearance.rates import GroupRates, RateGroup, group_rates
from zhengku.pages.chart import Point, trend
from zhengku.pages.choice import Chosen
from zhengku.pages.frame import Tab, catalog, store
from zhengku.pages.list_view import SPANS, ListView, chosen_span, scope_name

TAB = Tab("rates", "评价指标", place=70)
router = APIRouter()

_GROUP_NAMES: Mapping[RateGroup, str] = {
    "city": "全市",
    "district": "区划",
    "department": "承办部门",
    "item": "事项",
    "day": "日",
    "month": "月",
}


@router.get("/rates")
def show_rates(request: Request, choice: Chosen) -> Response:
    """Show each rate as a figure and a picture over the days, and a table of the groups."""
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        last_day, days = choice.day or clock.today(), chosen_span(request)
        first_day = last_day - timedelta(days=days - 1)
        known = catalog(request)
        [city] = group_rates(connection, known, first_day, last_day, "city", choice.districts)
        span = city.rates
        course = group_rates(connection, known, first_day, last_day, "day", choice.districts)
        trends = [(rate, _trend(place, course)) for place, rate in enumerate(span)]
        is_one_district = choice.districts is not None and len(choice.districts) == 1
        by = choice.by or ("department" if is_one_district else "district")
        groups = group_rates(connection, known, first_day, last_day, by, choice.districts)
        is_all = choice.district is None
        return view.page(
            "rates.html.j2",
            trends=trends,
            groups=groups,
            rate_names=[rate.name_zh for rate in span],
            by=by,
            group_names=_GROUP_NAMES,
            first_day=first_day,
            last_day=last_day,
            days=days,
            spans=SPANS,
            place_name=scope_name(choice.access, known) if is_all else view.district_name(choice.district or None),
        )


def _trend(place: int, course: Sequence[GroupRates]) -> Markup:
    """Draw the rate at position `place` of each group over the days."""
    points = []
    for group in course:
        assert group.day is not None
        rate = group.rates[place]
        points.append(Point(group.day, rate.numerator, rate.denominator, rate.shown))
    return trend(course[0].rates[place].name_zh, points)
