"""The settings of a table in an exchange database (前置库)."""

from typing import Annotated, Literal

from pydantic import Field

from zhengku.configuration_model import ColumnName, Identifier, Text, WholeNumber
from zhengku.transports.transport import Transport


class ExchangeDatabase(Transport):
    """A table of an exchange database (前置库), read by SQLAlchemy."""

    kind: Literal["exchange_database"]
    connection: Identifier = Field(
        description="Id of the connection; its address (as SQLAlchemy takes it) is in the environment as "
        "ZHENGKU_CONN_<ID>, never here."
    )
    table: Annotated[str, Field(pattern=r"^\w+(\.\w+)?$")] = Field(
        description="Table or view, with its schema if need be."
    )
    row_id: tuple[ColumnName, ...] = Field(
        min_length=1, description="Columns that tell a row of the table from every other; the reading goes by them."
    )
    page_rows: WholeNumber = Field(default=10_000, ge=100, le=1_000_000, description="Rows of one query.")
    return_table: Annotated[str, Field(pattern=r"^\w+(\.\w+)?$")] | None = Field(
        default=None,
        description="Table of the same database that returned problem records are written to, besides the files; "
        "docs/exchange-databases.md has its columns.",
    )
    time_format: Text = Field(
        default="%Y-%m-%d %H:%M:%S",
        description="How the window's column writes times (Asia/Shanghai) where it is text, in strftime's terms.",
    )

    @property
    def row_columns(self) -> tuple[str, ...]:
        """The columns `row_id`."""
        return self.row_id

    @property
    def returns_to(self) -> str | None:
        """The table `return_table`."""
        return self.return_table

    @property
    def origin_zh(self) -> str:
        """Where the rows come from, in Chinese."""
        return "前置库"

    @property
    def reading_zh(self) -> str:
        """How they are read, in Chinese."""
        return "只读读取前置库各表并原样落地。"
