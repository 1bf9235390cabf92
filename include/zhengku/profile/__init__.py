"""Reading a sample of a source and proposing the mapping of its columns."""
