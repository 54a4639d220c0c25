"""The whole protocol on one virtual clock, with faults by a seed: make simulate."""
