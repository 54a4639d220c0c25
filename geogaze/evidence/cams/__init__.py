"""Class activation maps: a file for each way to weigh activations by a gradient.

Which there are, and in which file, says the table :data:`geogaze.models.methods.METHODS`.
"""
