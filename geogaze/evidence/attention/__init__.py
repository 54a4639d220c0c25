"""Methods of a transformer's attention in all blocks, one file each.

Which there are says the table :data:`geogaze.models.methods.METHODS`.
"""
