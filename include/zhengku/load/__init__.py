"""Load: staged rows into the license store, balanced."""
