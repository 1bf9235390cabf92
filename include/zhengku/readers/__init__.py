"""Readers: a landed delivery's bytes become rows for PostgreSQL's COPY."""
