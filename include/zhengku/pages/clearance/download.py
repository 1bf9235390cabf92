"""A list as a workbook."""

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku.clearance.delivery import workbook_file, workbook_name, write_part
from zhengku.clearance.list_versions import record_opening
from zhengku.pages.choice import Chosen
from zhengku.pages.files import hand_over, hand_over_written
from zhengku.pages.frame import catalog, settings, store
from zhengku.pages.list_view import chosen_list

router = APIRouter()


@router.get("/download")
def download(request: Request, choice: Chosen) -> Response:
    """Hand over a list as a workbook: the rows of the chosen district, else all that the visitor may see."""
    known = catalog(request)
    with store(request) as connection:
        published = chosen_list(connection, choice)
        if published is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        record_opening(connection, published, choice.access.login)
        name = workbook_name(known, published, choice.districts)
        stored = workbook_file(settings(request).report_folder, published, choice.districts)
        if stored is not None and stored.is_file():
            return hand_over(stored, name)
        return hand_over_written(name, lambda path: write_part(connection, known, published, choice.districts, path))
