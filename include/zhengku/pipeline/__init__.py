"""The pipeline: collect, stage, validate and load, step by step, for batches and runs."""
