"""The rooms of the API, one file each."""

from __future__ import annotations

ROUTERS = [
    "api.routes.pages:router",  # before the documents of the same addresses
    "api.routes.landing:router",
    "api.routes.conformance:router",
    "api.routes.health:router",
    "api.routes.metrics:router",
    "api.routes.workers:router",
    "api.routes.session:router",
    "api.routes.models:router",
    "api.routes.processes:router",
    "api.routes.jobs:router",
    "api.routes.events:router",
    "api.routes.so_far:router",
    "api.routes.results:router",
    "api.routes.assets:router",
    "api.routes.provenance:router",
    "api.routes.layers:router",
    "api.routes.tilesets:router",  # whose last address takes whatever lies below a layer
    "api.routes.wmts:router",
    "api.routes.features:router",
    "api.routes.catalogue:router",
    "api.routes.uploads:router",
]
"""Where each room's routes are; the application resolves all of them when it is made."""
