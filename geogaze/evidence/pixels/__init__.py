"""Attribution at the resolution of the pixels: what a score changes by, pixel by pixel.

A file for each method, computed by captum (Kokhlikar et al. 2020, arXiv:2009.07896). Unlike class
activation maps they need the gradient of the whole network, so one pass over a batch holds all of
its activations in memory. Which there are says the table :data:`geogaze.models.methods.METHODS`.

captum takes a while to import, so each does so when it is first used.
"""
