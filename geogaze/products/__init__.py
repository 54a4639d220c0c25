"""What a job leaves behind: heat, overlays, tables and their description."""
