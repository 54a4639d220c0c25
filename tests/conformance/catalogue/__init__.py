"""The catalogue and its features, by the checks and the clients of others."""
