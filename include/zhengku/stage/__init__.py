"""Stage: the rows of a landed delivery in staging tables, as delivered and cleaned and typed."""
