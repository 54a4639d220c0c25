"""Pure geometry: working grid, lattice, tiles, chunks, blending. No input or output."""
