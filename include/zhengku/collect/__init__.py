"""Collect: what a department delivers, laid untouched into the landing area."""
