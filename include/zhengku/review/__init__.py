"""Review (校验与整改): problem records, held batches, nightly reports and the problem ledger."""
