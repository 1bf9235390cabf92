"""Reports: what a run fetched, loaded and quarantined, for people."""
