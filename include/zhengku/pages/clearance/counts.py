"""The number of rows of a list, by district, department and hall."""

from fastapi import APIRouter, Request, Response

from zhengku.clearance.list_rows import group_counts
from zhengku.pages.choice import Chosen
from zhengku.pages.frame import Tab, store
from zhengku.pages.list_view import Group, ListView

TAB = Tab("counts", "汇总", place=20)
router = APIRouter()


@router.get("/counts")
def show_counts(request: Request, choice: Chosen) -> Response:
    """Show the counts as a tree."""
    with store(request) as connection:
        view = ListView(request, connection, choice, TAB)
        sums = Group("", "")
        tree: list[Group] = []
        if view.published is not None:
            for counted in group_counts(connection, view.published, choice.districts):
                sums.add(counted)
                place = tree
                for key, name in (
                    (counted.district, view.district_name(counted.district)),
                    (counted.handling_department, counted.handling_department or "（未填部门）"),
                    (counted.hall, counted.hall or "（未填大厅）"),
                ):
                    if not place or place[-1].key != (key or ""):
                        place.append(Group(key or "", name))
                    place[-1].add(counted)
                    place = place[-1].parts
        return view.page("counts.html.j2", tree=tree, sums=sums)
