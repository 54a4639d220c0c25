"""What geogaze runs on: the servers it needs, for tests and for a local stack."""
