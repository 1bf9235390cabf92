"""A list as a workbook."""

from fastapi import APIRouter, HTTPException, Request, Response, status

from zhengku.clearance.delivery import workbook_file, workbook_name, write_part
from zhengku.clearance.list_versions import record_opening
from zhengku.pages.choice import Chosen
from zhengku.pages.files import hand_over, hand_over_written, open_published
from zhengku.pages.forms import Token, check_form
from zhengku.pages.frame import catalog, settings, store
from zhengku.pages.list_view import chosen_list
from zhengku.report.published_files import published_digest

router = APIRouter()


@router.post("/download")
def download(request: Request, choice: Chosen, token: Token) -> Response:
    """Hand over a list as a workbook: the rows of the chosen district, else all that the visitor may see.

    The published workbook where its digest is recorded, else one that is written from the store.
    """
    check_form(request, choice.access, token)
    known = catalog(request)
    with store(request) as connection:
        published = chosen_list(connection, choice)
        if published is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "还没有这张清单。")
        name = workbook_name(known, published, choice.districts)
        folder = settings(request).report_folder
        stored = workbook_file(folder, published, choice.districts)
        if stored is not None and stored.is_file() and published_digest(connection, folder, stored) is not None:
            answer = hand_over(open_published(request, connection, stored), name)
        else:
            answer = hand_over_written(
                name, lambda path: write_part(connection, known, published, choice.districts, path)
            )
        record_opening(connection, published, choice.access.login)
        return answer
