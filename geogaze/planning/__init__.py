"""From a request to a plan: everything a job needs to know, decided once, before any work."""
