"""The process ``explain``: heat of an image classifier over a scene."""
