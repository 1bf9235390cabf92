"""The stock (存量证照): what of it is collected, what is about to run out, and what has run out."""
