"""Operations on what is collected: backfill, replay, redrive, reconciliation, time travel, trial of rules."""
