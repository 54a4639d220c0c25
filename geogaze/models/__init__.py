"""What geogaze knows of models without torch, and the models that it brings."""
