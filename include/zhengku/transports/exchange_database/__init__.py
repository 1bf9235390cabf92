"""The exchange database (前置库): a table that a department fills."""
