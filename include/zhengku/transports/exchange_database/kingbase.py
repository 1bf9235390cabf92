"""KingbaseES (人大金仓) for SQLAlchemy: it has PostgreSQL's protocol, but another name and version."""

import re
from typing import Any, Final

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

_PEER: Final = (12, 0)
"""The version of PostgreSQL to which the catalogue of KingbaseES V8 at least corresponds."""


class KingbaseDialect(PGDialect_psycopg2):
    """PostgreSQL's dialect for a server that calls itself KingbaseES."""

    supports_statement_cache = True

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        version = str(connection.exec_driver_sql("select version()").scalar())
        found = re.match(r"PostgreSQL (\d+)(?:\.(\d+))?", version)
        return tuple(int(part) for part in found.groups() if part) if found else _PEER


registry.register("kingbase.psycopg2", __name__, "KingbaseDialect")
