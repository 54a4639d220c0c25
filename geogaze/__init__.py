"""geogaze: where on the map does a neural network look?"""

from geogaze.version import VERSION

__version__ = VERSION
