"""Stage: a landed delivery as rows in tables of its own, cleaned and typed."""
