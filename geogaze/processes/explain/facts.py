"""What a plan tells to those who make products of its job."""

from __future__ import annotations

from geogaze.processes.explain.plan import Plan
from geogaze.products.colormaps import DIVERGING
from geogaze.products.facts import Backdrop, Grid, JobFacts, SceneFacts


def facts_of(plan: Plan) -> JobFacts:
    """The facts of a planned job."""
    scene, lattice = plan.scene, plan.lattice
    signed = plan.normalize == "none" and plan.explained_by.signed
    return JobFacts(
        layers=plan.layers,
        targets=plan.targets,
        model=plan.bundle,
        method=plan.explained_by,
        source=SceneFacts(
            scene.uri,
            scene.bands,
            scene.bands_source,
            scene.rescale,
            scene.rescale_source,
            scene.decoder,
            scene.files,
        ),
        grid=Grid(
            crs_wkt=scene.crs_wkt,
            transform=plan.heat_transform,
            rows=lattice.rows,
            cols=lattice.cols,
            left=lattice.offset + lattice.col0 * lattice.stride,
            top=lattice.offset + lattice.row0 * lattice.stride,
            stride=lattice.stride,
            cell_metres=plan.cell_metres,
        ),
        backdrop=Backdrop(
            crs_wkt=scene.crs_wkt,
            transform=plan.working.transform,
            box=plan.bounds,
            rescale=scene.rescale,
            mean=plan.bundle.mean,
        ),
        tiling=plan.tiling,
        place=plan.place,
        normalize=plan.normalize,
        scale_from=plan.scale_from,
        stability=plan.stability,
        colormap=DIVERGING if signed else plan.colormap,
        overlays=plan.overlays,
        context=plan.context,
        square=plan.square,
        gsd_metres=plan.working_metres,
        threshold=plan.threshold,
        warnings=plan.warnings,
    )
