"""The pages of the review with a made-up login, for a test client and for a browser."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from tests.support.installation import OWNER_URL
from tests.support.temporary_database import as_account

from zhengku.pages.access import review_access_of
from zhengku.pages.applications import create_review_app
from zhengku.pages.host import Host
from zhengku.settings import Settings

ROOT = "/airflow/zhengku/review"
ROLES = {
    "zhang": {"data_section"},
    "root": {"Admin"},
    "wang": {"section"},
    "zhao": {"operator"},
    "li": {"hall_echeng"},
    "viewer": {"Viewer", "Op", "Data_Section"},
}


def of_the_pages(settings: Settings) -> Settings:
    """Return the settings of the process that serves the pages: its account reads, and asks for work."""
    if OWNER_URL not in settings.environment:
        return settings
    url = as_account(settings.environment[OWNER_URL], "zhengku_pages")
    return replace(settings, environment={**settings.environment, "ZHENGKU_DATABASE_URL": url})


def served(settings: Settings) -> FastAPI:
    """Return the pages as they are mounted in an Airflow that is served below /airflow."""

    async def current_user(request: Request) -> str:
        who = request.headers.get("who") or request.cookies.get("who")
        if who is None:
            raise HTTPException(401, "Not authenticated")
        return who

    app = create_review_app(
        Host(
            current_user=current_user,
            access=lambda user: review_access_of(user, ROLES[user]),
            login_address=lambda back: f"https://zhengku.example/auth/login?next={back}",
            signing_key=lambda: "a key",
            is_for_demos=lambda: False,
        )
    )
    app.state.settings = lambda: of_the_pages(settings)
    airflow = FastAPI()

    async def log_in(who: str) -> Response:
        answer = RedirectResponse(f"{ROOT}/", 303)
        answer.set_cookie("who", who)
        return answer

    airflow.add_api_route("/login", log_in)
    outer = FastAPI()
    outer.mount("/zhengku/review", app)
    airflow.mount("/airflow", outer)
    return airflow


@contextmanager
def on_a_port(app: FastAPI) -> Iterator[str]:
    """Serve an application at a free port of this machine; yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    [socket] = server.servers[0].sockets
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


SECRETS = ("三丰", "四喜", "199001010")
