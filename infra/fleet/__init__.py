"""A day of a fleet of workers, played by the numbers that the real one is scaled by."""
