"""Real processes, killed and cut off at random; what must hold all the same."""
