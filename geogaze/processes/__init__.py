"""What can be asked for: processes, their requests, plans, phases and outputs."""
