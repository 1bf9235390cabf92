"""An empty database brought to the schema of an older release, for the tests of a migration."""

import sqlalchemy
from alembic import command
from alembic.config import Config

from zhengku.settings import sql_folder


def at_revision(url: str, revision: str) -> None:
    """Bring an empty database to a revision, as the release that had it would have."""
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create schema ledger"))
        config = Config()
        config.set_main_option("script_location", str(sql_folder() / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
