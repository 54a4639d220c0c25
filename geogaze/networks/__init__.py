"""Networks: built, cut, measured, loaded, stored and trained. Needs torch."""
