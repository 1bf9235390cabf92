"""Collect: what a department delivers is stored unchanged in the landing area."""
