"""The version of geogaze."""

VERSION = "0.1.0"
