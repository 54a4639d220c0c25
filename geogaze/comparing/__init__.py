"""Two finished jobs side by side: what differs, where, and how much. It reads products alone."""
