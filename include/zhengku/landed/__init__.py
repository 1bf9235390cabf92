"""Landed deliveries: the landing area, and the forms in which pages and rows of a source are stored there."""
