"""Load: merge staged rows into the license store and account for every row."""
