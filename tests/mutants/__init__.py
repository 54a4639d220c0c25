"""Small faults put into the code by hand, to see whether the tests notice: make mutants."""
