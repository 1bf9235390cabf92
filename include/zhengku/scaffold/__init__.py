"""Generating the first files of a new department or feed."""
