"""The check of a complete configuration: all mistakes in catalogue, suites and settings at once."""
