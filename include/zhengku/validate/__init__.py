"""Checking a staged batch: suites of Great Expectations, run in the database, and the rows that fail them marked.

`suites` reads `expectations/*.json` and needs no Great Expectations; `run` does, and takes seconds to import.
"""

import logging
import os

# Read when Great Expectations is imported; on a closed network every event would wait for a time-out.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

# Its import alone tells a dozen things that nobody asked.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

# It warns of each metric that replaces one of its own, as ours of `match_regex` is meant to.
logging.getLogger("great_expectations.expectations.registry").addFilter(
    lambda record: "metric column_values.match_regex" not in record.getMessage()
)
