"""Grad-CAM: the network side. The only package of geogaze that imports torch."""
