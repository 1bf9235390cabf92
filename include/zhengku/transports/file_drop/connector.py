"""The connector of file drops."""

from collections.abc import Iterable
from typing import BinaryIO, ClassVar

from zhengku.landed.address import without_login
from zhengku.readers.reader import Reader
from zhengku.readers.records import open_records
from zhengku.readers.workbook import WorkbookForm
from zhengku.readers.workbook_process import IsolatedWorkbookReader
from zhengku.transports.connector import Connector, SampleSource, Takers
from zhengku.transports.file_drop.folder import open_folder
from zhengku.transports.file_drop.model import CsvFormat, FileDrop
from zhengku.transports.file_drop.source import FileDropSource
from zhengku.transports.file_drop.untaken import folders_below, untaken_files
from zhengku.transports.source import Source, UntakenFile


class FileDropConnector(Connector[FileDrop]):
    """Files in a folder of this machine or of an SFTP server; `address` is a path or `sftp://…`."""

    example_address: ClassVar[str] = "/drop"

    def source(self, address: str, slots: int) -> Source:
        """Return the drop."""
        return FileDropSource(self.settings, address)

    def open_reader(self, content: BinaryIO) -> Reader:
        """Open a CSV file or a spreadsheet, as the feed's format says."""
        form = self.settings.format
        if isinstance(form, CsvFormat):
            return open_records(
                content,
                required_columns=self.feed.required_columns,
                encodings=form.encodings,
                delimiter=form.delimiter,
                max_record_bytes=form.max_record_bytes,
                max_record_lines=form.max_record_lines,
                max_columns=form.max_columns,
                max_title_rows=form.max_title_rows,
                allow_empty=form.allow_empty,
            )
        return IsolatedWorkbookReader(content, self.feed.required_columns, WorkbookForm.of(form))

    def sample_source(self, address: str, slots: int, rows: int) -> SampleSource:
        """Return the drop: files are read completely, since a cut spreadsheet cannot be read."""
        return SampleSource(self.source(address, slots), None)

    def nothing_delivered(self, address: str) -> str:
        """Name the files that were expected."""
        drop = self.settings
        what = f"{drop.pattern} with its manifest" if drop.manifest == "required" else drop.pattern
        return f"No file {what} in {without_login(address)}/{drop.folder} for {self.feed.name}."

    def untaken_files(self, address: str, takers: Iterable[Takers]) -> list[UntakenFile]:
        """Search the drop's folders."""
        found: list[UntakenFile] = []
        with open_folder(address, "", self.settings.connection) as root:
            for some in takers:
                drops = [(own, taker) for own, taker in some if isinstance(taker, FileDrop)]
                found = untaken_files(root, folders_below(address, drops))
                if not found:
                    break
        return found
