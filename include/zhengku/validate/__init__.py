"""Checking a staged batch: suites of Great Expectations, run in the database, and the rows that fail them marked.

`suites` reads `expectations/*.json` and needs no Great Expectations; `run` does, and takes seconds to import.
"""

import os

# Read when Great Expectations is imported; on a closed network every event would wait for a time-out.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
