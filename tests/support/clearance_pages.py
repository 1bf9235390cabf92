"""The pages of the daily lists with a made-up login, for a test client."""

from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from tests.support.clearance_facts import Store
from tests.support.temporary_database import as_account

from zhengku.pages.access import clearance_access_of
from zhengku.pages.applications import create_clearance_app
from zhengku.pages.host import Host
from zhengku.settings import Settings

ROOT = "/airflow/zhengku/clearance"
ROLES = {
    "wang": {"section"},
    "root": {"Admin"},
    "li": {"hall_echeng"},
    "two": {"hall_echeng", "hall_huarong"},
    "viewer": {"Viewer", "Op"},
    "stranger": {"hall_", "hall_nowhere", "Section"},
}


def clearance_pages(store: Store, reports: Path) -> FastAPI:
    """Return the pages of the lists of a store, with the account of the process that serves them."""

    async def current_user(request: Request) -> str:
        who = request.headers.get("who")
        if who is None:
            raise HTTPException(401, "Not authenticated")
        return who

    app = create_clearance_app(
        Host(
            current_user=current_user,
            access=lambda user: clearance_access_of(user, ROLES[user], store.catalog.districts),
            login_address=lambda back: f"https://zhengku.example/auth/login?next={back}",
            signing_key=lambda: "a key",
            is_for_demos=lambda: False,
        )
    )
    environment = {
        **store.settings.environment,
        "ZHENGKU_DATABASE_URL": as_account(store.settings.environment["ZHENGKU_DATABASE_URL"], "zhengku_pages"),
        "ZHENGKU_REPORT_DIR": str(reports),
    }
    app.state.settings = lambda: Settings(home=store.settings.home, environment=environment)
    return app


def mounted(app: FastAPI) -> FastAPI:
    """Return an Airflow that is served below /airflow and has the pages."""
    outer = FastAPI()
    outer.mount("/zhengku/clearance", app)
    airflow = FastAPI()
    airflow.mount("/airflow", outer)
    return airflow
