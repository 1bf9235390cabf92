"""Restoring the database to a minute: backups, what is done after it, the drill. docs/runbooks/restore.md."""
