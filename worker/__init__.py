"""Celery in, ledger out: workers and the dispatcher. Never imports FastAPI."""
