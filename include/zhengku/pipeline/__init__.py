"""The pipeline: the steps collect, stage, validate and load, for batches and runs."""
