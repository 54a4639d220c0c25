"""The command ``geogaze``."""

from geogaze.cli.app import main

__all__ = ["main"]
