"""OGC API – Features: its abstract tests, and the clients of others."""
