"""Departments' systems to run against, with their dirt and their faults; everyone and everything in them is made up.

Nothing here imports the pipeline, so that it cannot share the pipeline's mistakes.
"""
