"""The HTTP interface of a department or of the sharing platform."""
