"""The rows of a list."""

from collections import Counter

from fastapi import APIRouter, Request, Response

from zhengku.clearance.list_rows import changed_services, count_rows, group_counts, listed_rows
from zhengku.clearance.list_versions import ListVersion, record_opening
from zhengku.ledger import Connection
from zhengku.pages.choice import Choice, Chosen
from zhengku.pages.frame import Tab, catalog, store
from zhengku.pages.list_view import Group, ListView, by_name
from zhengku.pages.paging import PAGE_ROWS, Paging

TAB = Tab("", "清单", place=10)
router = APIRouter()


@router.get("/")
def show_list(request: Request, choice: Chosen) -> Response:
    """Show the rows of a list, a hundred at a time."""
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        if view.published is None:
            return view.page("list.html.j2", is_filtered=False, departments=[], halls=[])
        sums, departments, halls = _counted(connection, view.published, choice)
        paging = Paging(count_rows(connection, view.published, **choice.filters), choice.page)
        rows = listed_rows(
            connection,
            catalog(request),
            view.published,
            **choice.filters,
            offset=paging.offset,
            limit=PAGE_ROWS,
        )
        parts = (choice.district, choice.department, choice.hall, choice.section, choice.state, choice.archive)
        before = record_opening(connection, view.published, choice.access.login)
        changed = changed_services(connection, view.published, choice.districts, before.version) if before else []
        return view.page(
            "list.html.j2",
            paging=paging,
            rows=list(rows),
            sums=sums,
            departments=departments,
            halls=halls,
            is_filtered=any(part is not None for part in parts),
            opened_before=before,
            tally=Counter(row.change for row in changed),
        )


def _counted(connection: Connection, published: ListVersion, choice: Choice) -> tuple[Group, list[str], list[str]]:
    """Return the counts of what is chosen, and the departments and halls to choose from."""
    sums = Group("", "")
    departments: set[str] = set()
    halls: set[str] = set()
    for group in group_counts(connection, published, choice.districts):
        departments.add(group.handling_department or "")
        if choice.department in (None, group.handling_department or ""):
            halls.add(group.hall or "")
            if choice.hall in (None, group.hall or ""):
                sums.add(group)
    return sums, by_name(departments), by_name(halls)
