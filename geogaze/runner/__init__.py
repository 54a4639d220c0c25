"""Doing the work: claim → read → explain → write → commit, for any unit of any phase."""
