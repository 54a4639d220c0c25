"""Finished layers as map clients ask for them. Knows neither queue nor web."""
