update ledger.batch
set
    status = %(status)s,
    fetched = %(fetched)s,
    inserted = %(inserted)s,
    updated = %(updated)s,
    unchanged = %(unchanged)s,
    deleted = %(deleted)s,
    superseded = %(superseded)s,
    duplicate = %(duplicate)s,
    quarantined = %(quarantined)s,
    held = %(held)s,
    disappeared = %(disappeared)s,
    compared = %(compared)s,
    warned = coalesce(%(warned)s, warned),
    repeats_batch_id = %(repeats_batch_id)s,
    rule_id = %(rule_id)s,
    reason = %(reason)s,
    detail = %(detail)s,
    finished_at = clock_timestamp()
where batch_id = %(batch_id)s
returning *
