"""The bad reviews and what is due for them."""

from collections import Counter

from fastapi import APIRouter, Request, Response

from zhengku import clock
from zhengku.clearance.evaluations import bad_reviews
from zhengku.pages.choice import Chosen
from zhengku.pages.frame import Tab, catalog, store
from zhengku.pages.list_view import ListView
from zhengku.pages.paging import Paging

TAB = Tab("bad-reviews", "差评整改", place=60)
router = APIRouter()


@router.get("/bad-reviews")
def show_bad_reviews(request: Request, choice: Chosen) -> Response:
    """Show the bad reviews made up to the end of a day, a hundred at a time."""
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        day = choice.day or clock.today()
        reviews = bad_reviews(connection, catalog(request), day, choice.districts)
        paging = Paging(len(reviews), choice.page)
        tally = Counter(review.state for review in reviews)
        return view.page("bad_reviews.html.j2", paging=paging, rows=paging.shown(reviews), tally=tally, day=day)
