"""Whether what a request names is there, told before anything slow is imported."""

from __future__ import annotations

from geogaze.config import Settings
from geogaze.models.registry import find_model
from geogaze.processes.explain.layers import layers_of
from geogaze.processes.explain.request import ExplainRequest
from geogaze.scene.naming import spread
from geogaze.scene.policy import SourcePolicy


def check_names(request: ExplainRequest, settings: Settings) -> None:
    """Refuse what an operator's request misspells; planning would, a second later.

    Raises:
        UnknownModel, InvalidBundle, UnknownClass, InvalidRequest: of the model and its classes.
        SceneUnreadable: there is no such file.
    """
    layers_of(request, find_model(request.model, settings, allow_path=True, whole=False))
    for name in spread(request.scenes):
        SourcePolicy.local().gdal_path(name)
