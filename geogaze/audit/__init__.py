"""Whether a network decides on its object or on what usually surrounds it."""
