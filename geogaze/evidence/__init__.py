"""Evidence: what a network says of tiles, and why. Needs torch."""
