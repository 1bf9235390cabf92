"""Looking at a sample of a source and proposing the mapping of its columns, so that a new department takes minutes."""
