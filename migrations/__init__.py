"""Alembic's home: the ledger's schema, version by version."""
