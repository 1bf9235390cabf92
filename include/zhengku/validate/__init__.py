"""Validate: run suites of Great Expectations on a staged batch in the database, and mark the rows that fail.

`suites` reads `expectations/*.json` without Great Expectations; `run` imports it, which takes seconds.
"""

import logging
import os

# Great Expectations reads this when it is imported; on a closed network every event would wait for a time-out.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

# It logs a dozen messages while it is imported.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

# It warns of each metric that replaces one of its own, as our `match_regex` does on purpose.
logging.getLogger("great_expectations.expectations.registry").addFilter(
    lambda record: "metric column_values.match_regex" not in record.getMessage()
)
