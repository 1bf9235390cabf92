"""The stock (存量证照): how much of it is collected, and which certificates are about to expire or have expired."""
