"""Operations on collected data: backfill, replay, redrive, reconciliation, time travel, trial of rules."""
