"""geogaze: where on the map does a neural network look?

``geogaze.explain(model, image)`` for an image or a scene, ``geogaze.open_results(folder)`` for what
a job made, ``geogaze.Client(url)`` or ``AsyncClient`` for an API. Each is imported when it is first
used, so that importing geogaze costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from geogaze.version import VERSION

if TYPE_CHECKING:
    from geogaze.async_client import AsyncClient
    from geogaze.client import Client
    from geogaze.notebook.explaining import explain
    from geogaze.notebook.explanation import Explanation
    from geogaze.notebook.results import Results, open_results

__all__ = [
    "AsyncClient",
    "Client",
    "Explanation",
    "Results",
    "__version__",
    "explain",
    "open_results",
]
__version__ = VERSION

_DOORS = {
    "AsyncClient": "geogaze.async_client:AsyncClient",
    "Client": "geogaze.client:Client",
    "Explanation": "geogaze.notebook.explanation:Explanation",
    "Results": "geogaze.notebook.results:Results",
    "explain": "geogaze.notebook.explaining:explain",
    "open_results": "geogaze.notebook.results:open_results",
}


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _DOORS[name].partition(":")
    try:
        value = globals()[name] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"geogaze.{name} needs {error.name}, which is not installed: "
            "pip install 'geogaze[worker]'"
        ) from error
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
