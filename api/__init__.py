"""HTTP in, ledger out: OGC API – Processes. Never imports torch."""
