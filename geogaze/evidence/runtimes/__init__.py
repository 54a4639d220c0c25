"""What runs a network's trunk: torch, or a runtime that is quicker on the device at hand."""
