"""A scene drawn in code, for trying geogaze where there is no imagery at hand."""
