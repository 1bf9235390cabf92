"""What a user would use in place of zhengku for a first load, each in a process of its own.

`python -m benchmarks.other_loads pandas|dlt <csv> <url>` prints seconds and peak memory as JSON. Neither validates,
cleans, keeps versions, or reports the outcome of the rows.
"""

import argparse
import json
import os
import time
from importlib import import_module
from pathlib import Path

from benchmarks.peak_memory import peak_mb

PANDAS_CHUNK = 50_000
"""Rows that pandas has in memory at once; a complete register would need gigabytes."""

NAMES = {"统一社会信用代码": "certificate_number", "企业名称": "holder", "注册日期": "issue_date", "地区": "district"}
EXTENSION = {
    "企业类型": "类型",
    "法人代表": "法定代表人/经营者",
    "注册资金": "注册资本",
    "经营范围": "经营范围",
    "注册地址": "住所",
}


def load_with_pandas(path: Path, url: str) -> None:
    """Load by `read_csv` and `to_sql` in pieces into the type's table, with its key and indexes, as in a script."""
    pandas, sqlalchemy = import_module("pandas"), import_module("sqlalchemy")
    engine = sqlalchemy.create_engine(url)
    moment = pandas.Timestamp.now(tz="Asia/Shanghai")
    for piece in pandas.read_csv(path, dtype=str, keep_default_na=False, chunksize=PANDAS_CHUNK):
        frame = piece.rename(columns=NAMES)[list(NAMES.values())].assign(
            license_type="business_license",
            record_key=piece["统一社会信用代码"],
            holder_code=piece["统一社会信用代码"],
            holder_code_type="001",
            certificate_name="营业执照",
            license_type_code="11100000MB0143028R001",
            license_type_name="营业执照",
            version_at=moment,
            version_no=1,
            row_hash=0,
            department="market_supervision",
            feed="business_license",
            batch_id=1,
            loaded_at=moment,
        )
        frame["issue_date"] = pandas.to_datetime(frame["issue_date"]).dt.date
        frame["row_no"] = piece.index + 2
        frame["extension"] = piece.rename(columns=EXTENSION)[list(EXTENSION.values())].to_dict("records")
        frame.to_sql(
            "business_license",
            engine,
            schema="certificate_of",
            if_exists="append",
            index=False,
            dtype={"issue_date": sqlalchemy.Date, "extension": sqlalchemy.dialects.postgresql.JSONB},
        )
    engine.dispose()


def load_with_dlt(path: Path, url: str) -> None:
    """Merge the same file by its key into a table of its own on the same server, by a pipeline of dlt."""
    dlt, filesystem = import_module("dlt"), import_module("dlt.sources.filesystem")
    files = filesystem.filesystem(bucket_url=path.parent.as_uri(), file_glob=path.name)
    rows = files | filesystem.read_csv(dtype=str, keep_default_na=False)
    rows = rows.with_name("business_license")
    rows.apply_hints(write_disposition="merge", primary_key="统一社会信用代码")
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=str(path.parent / "dlt"),
        destination=dlt.destinations.postgres(url.replace("+psycopg", "")),
        dataset_name="loaded_by_dlt",
    )
    pipeline.run(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("with_", metavar="with", choices=["pandas", "dlt"])
    parser.add_argument("path", type=Path)
    parser.add_argument("url")
    options = parser.parse_args()
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    for name in ("pandas", "sqlalchemy") if options.with_ == "pandas" else ("dlt", "dlt.sources.filesystem"):
        import_module(name)
    started = time.perf_counter()
    (load_with_pandas if options.with_ == "pandas" else load_with_dlt)(options.path, options.url)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
