"""zhengku (证库): collects, checks and loads electronic certificates into the municipal license store."""

__version__ = "0.1.0"
