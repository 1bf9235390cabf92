"""The files of a new department, to begin with."""
