"""What the settings of every transport have in common, whatever its kind."""

from abc import ABC, abstractmethod

from zhengku.configuration_model import Identifier, Model


class Transport(Model, ABC):
    """The settings of one transport: each has a `kind`, which is its name in a department's file, and a `connection`.

    The properties say what other steps need to know, so that none of them depends on the kind.
    """

    kind: str
    connection: Identifier

    @property
    def row_columns(self) -> tuple[str, ...]:
        """Columns that identify a row of the source; empty where the source has none."""
        return ()

    @property
    def delivers_files(self) -> bool:
        """Whether a delivery is a file that people made, with footers and a time of change, and may be repeated."""
        return False

    @property
    def is_spreadsheet(self) -> bool:
        """Whether rows come from cells of a spreadsheet, where software may have changed codes into numbers."""
        return False

    @property
    def returns_to(self) -> str | None:
        """Name of the place at the source that returned problem records are written to; None where there is none."""
        return None

    @property
    @abstractmethod
    def origin_zh(self) -> str:
        """Where the rows come from, in Chinese."""

    @property
    @abstractmethod
    def reading_zh(self) -> str:
        """How they are read, in Chinese."""
