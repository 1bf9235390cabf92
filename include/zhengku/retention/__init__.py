"""Retention: what is too old is removed, what the store needs stays, and every removal is recorded."""
