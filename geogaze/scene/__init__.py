"""Reading, synthesising and describing georeferenced scenes."""
