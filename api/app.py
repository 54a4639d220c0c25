"""The application factory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import middleware, openapi, problems, routes
from api.callbacks import calling
from api.dependencies import Services
from api.door import Door
from api.features import Features
from api.figures import Figures
from api.layers import Layers
from api.routes import pages
from api.so_far import Growing
from api.tokens import Tokens
from api.watching import Watching
from geogaze.config import Settings, get_settings
from geogaze.doors import resolve
from geogaze.ledger.database import connect
from geogaze.ledger.keys import Keys
from geogaze.ledger.store import Ledger
from geogaze.metrics.table import all_metrics
from geogaze.processes.planner import Planner
from geogaze.processes.table import load_processes
from geogaze.storage import open_storage
from geogaze.tracing import end_tracing, provider, start_tracing
from geogaze.version import VERSION

_DESCRIPTION = """
Grad-CAM heat for every class of an image classifier over whole georeferenced scenes, after
[OGC API – Processes](https://docs.ogc.org/is/18-062r2/18-062r2.html). Ask what a job takes with
`POST /processes/explain/quote`, submit with `POST /processes/explain/execution`, poll
`/jobs/{job}`, fetch `/jobs/{job}/results`.
"""


def create_app(settings: Settings | None = None, tokens: Tokens | None = None) -> FastAPI:
    """The HTTP application; ``tokens`` judges those of an issuer, by default the settings' own."""
    settings = settings or get_settings()
    if settings.oidc_issuer and tokens is None:
        tokens = Tokens(settings)
    database = connect(settings.database_url)
    figures = Figures(database, settings.metrics_tenants)
    services = Services(settings, Ledger(database), open_storage(settings), Planner(settings))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with calling(services, figures):
            yield
        services.planner.close()
        app.state.features.close()
        database.dispose()
        end_tracing()

    start_tracing("api")
    app = FastAPI(
        title="geogaze",
        summary="Where on the map does a neural network look?",
        description=_DESCRIPTION,
        version=VERSION,
        lifespan=lifespan,
        telemetry={
            "tracer_provider": provider(),
            "operation_spans": False,
            "metrics": False,
            "logs": False,
        },
        openapi_url=None,  # by api.openapi, in two versions and without another host
    )
    app.state.services = services
    app.state.watching = Watching(services.ledger)
    app.state.growing = Growing()
    app.state.figures = figures
    app.state.layers = Layers(
        services.storage, settings.tiles_mb * 2**20, on_asked=figures.layer_asked
    )
    app.state.features = Features(services.storage, settings.features_mb * 2**20, settings.scratch)
    problems.install(app)
    load_processes()  # what a table names and is not there shows here
    all_metrics()
    for router in routes.ROUTERS:
        app.include_router(resolve(router))
    openapi.install(app)
    pages.install(app)
    middleware.install(app, settings, Door(settings, Keys(database), tokens), figures)
    return app
