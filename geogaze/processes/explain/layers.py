"""The layers that a request asks for."""

from __future__ import annotations

from geogaze.errors import InvalidRequest
from geogaze.files import file_stem, one_file
from geogaze.models.bundles import Bundle
from geogaze.models.targets import layer_names
from geogaze.processes.explain.request import ExplainRequest
from geogaze.products.facts import TOP

_MAX_NAME = 255  # bytes of a file's name


def layers_of(request: ExplainRequest, bundle: Bundle) -> tuple[str, ...]:
    """Names of the heat layers to make: class names, contrasts of classes, or just ``top``.

    Raises:
        InvalidRequest: the bundle has no such class, or files cannot be named after them.
    """
    if request.classes == "all":
        layers = bundle.classes
    elif request.classes == TOP:
        return (TOP,)
    else:
        layers = layer_names(request.classes, bundle)
    if alike := one_file(layers):
        raise InvalidRequest(
            f"The layers {', '.join(map(repr, alike))} are too alike to name files after them; "
            "ask for them in separate jobs."
        )
    for layer in layers:
        if len(f"overlay-{file_stem(layer)}.tif".encode()) > _MAX_NAME:
            raise InvalidRequest(
                f"The layer {layer!r} is too long to name a file after. Rename the model's class."
            )
    return layers
