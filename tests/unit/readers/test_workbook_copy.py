import io

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from zhengku.readers.workbook import WorkbookForm, open_workbook
from zhengku.transports.file_drop.model import XlsxFormat

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="=\ufffe\uffff"), max_size=9
    ),
    st.sampled_from(["\\", "\\N", "a\tb", "a\nb", "\\.", "_x000D_", "_x0000_", "\t\t", "𠮷"]),
)


def test_postgresql_reads_as_many_rows_of_any_grid_as_were_counted(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url.replace("postgresql+psycopg", "postgresql")) as connection:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=12))
        def agrees(rows: list[list[object]]) -> None:
            book = Workbook(write_only=True)
            sheet = book.create_sheet("数据")
            for row in [["甲", "乙", "丙"], *rows]:
                sheet.append(row)
            content = io.BytesIO()
            book.save(content)
            content.seek(0)
            form = WorkbookForm.of(XlsxFormat(kind="xlsx", max_title_rows=0, allow_empty=True))
            reader = open_workbook(content, required_columns=["甲"], form=form)
            bad = 0
            with connection.cursor() as cursor:
                cursor.execute("drop table if exists text_row")
                cursor.execute("create unlogged table text_row (row_no bigint, a text, b text, c text)")
                with cursor.copy("copy text_row from stdin") as copy:
                    for block in reader:
                        copy.write(block.copy_text)
                        bad += len(block.bad)
                cursor.execute("select row_no, a, b, c from text_row order by row_no")
                came = {number: list(values) for number, *values in cursor}
            assert len(came) == reader.good
            assert reader.good + bad == reader.fetched
            # Blank rows behind the last value are not in the file.
            assert reader.fetched + reader.blank_lines <= len(rows)
            for number, values in came.items():
                for cell, text in zip(rows[number - 2], values, strict=True):
                    if isinstance(cell, str) and cell.strip() and "_x" not in cell:
                        assert text == cell
                    if cell is None:
                        assert text is None

        agrees()
