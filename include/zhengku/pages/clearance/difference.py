"""How a version of a list differs from an earlier one."""

from collections import Counter

from fastapi import APIRouter, Request, Response

from zhengku.clearance.list_rows import ChangedService, changed_services
from zhengku.pages.choice import Chosen
from zhengku.pages.frame import Tab, store
from zhengku.pages.list_view import ListView
from zhengku.pages.paging import Paging

TAB = Tab("difference", "版次变动", place=50)
router = APIRouter()


@router.get("/difference")
def show_difference(request: Request, choice: Chosen) -> Response:
    """Show the changes since an earlier version: the previous one, unless another is chosen."""
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        changed: list[ChangedService] = []
        since = 0
        if view.published is not None:
            earlier = [version for version in view.available_versions if version < view.published.version]
            since = choice.since if choice.since is not None and choice.since in earlier else max(earlier, default=0)
            changed = changed_services(connection, view.published, choice.districts, since or None)
        paging = Paging(len(changed), choice.page)
        tally = Counter(row.change for row in changed)
        return view.page("difference.html.j2", paging=paging, rows=paging.shown(changed), tally=tally, since=since)
