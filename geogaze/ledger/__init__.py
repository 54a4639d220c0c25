"""The job ledger: the only truth about jobs and their units of work."""
