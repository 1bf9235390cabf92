"""The check of a whole configuration: every mistake of catalogue, suites and work-list settings at once."""
