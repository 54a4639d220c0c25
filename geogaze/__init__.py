"""geogaze: where on the map does a neural network look?"""

__version__ = "0.1.0"
