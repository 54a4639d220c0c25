"""Draws layers in QGIS, with no hand on them. Run by the Python that Debian's QGIS is made for.

Reads a task as JSON from standard input, and says as JSON what QGIS made of it:

    {"layers": [file or {"provider": …, "uri": …}, …], the topmost first, or "definition": file,
     "extent": [west, south, east, north] in the first layer's CRS, else all of the first layer,
     "size": [width, height], "target": PNG}
"""

import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    QgsApplication,
    QgsLayerDefinition,
    QgsLayerTreeLayer,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def opened(path):
    """A layer as it is when a file is dragged in: its own style is taken, if it has one. Or one of
    a server, by QGIS's name of what reads it.
    """
    if isinstance(path, dict):
        kind = QgsVectorLayer if path["provider"] == "OAPIF" else QgsRasterLayer
        layer = kind(path["uri"], "layer", path["provider"])
    elif path.split("|")[0].endswith((".gpkg", ".geojson", ".parquet", ".fgb")):
        layer = QgsVectorLayer(path, path, "ogr")
    else:
        layer = QgsRasterLayer(path, path)
    QgsProject.instance().addMapLayer(layer)
    return layer


def told(layer):
    """What there is to tell of a layer."""
    about = {
        "name": layer.name(),
        "valid": layer.isValid(),
        "source": layer.source(),
        "crs": layer.crs().authid(),
        "blend": int(layer.blendMode()),
        "renderer": layer.renderer().type() if layer.renderer() else None,
    }
    if isinstance(layer, QgsRasterLayer) and layer.isValid():
        about["legend"] = [label for label, _ in layer.renderer().legendSymbologyItems()]
        about["resampler"] = layer.resampleFilter().zoomedInResampler() is not None
    elif layer.isValid():
        box, about["features"] = QgsRectangle(), 0
        box.setMinimal()
        for feature in layer.getFeatures():  # of a server's the count is not known before
            about["features"] += 1
            box.combineExtentWith(feature.geometry().boundingBox())
        about["bounds"] = [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()]
    return about


def tree(node):
    """Groups, and names of layers with whether they are shown."""
    if isinstance(node, QgsLayerTreeLayer):
        return [node.name(), node.isVisible()]
    return {node.name(): [tree(child) for child in node.children()]}


def main():
    """Do the task."""
    task = json.load(sys.stdin)
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    about = {}
    if "definition" in task:
        root = project.layerTreeRoot()
        done, error = QgsLayerDefinition.loadLayerDefinition(task["definition"], project, root)
        about |= {"loaded": done, "error": error, "tree": [tree(n) for n in root.children()]}
        layers = [node.layer() for node in root.findLayers()]
        shown = [node.layer() for node in root.findLayers() if node.isVisible()]
    else:
        layers = shown = [opened(path) for path in task["layers"]]
    about["layers"] = [told(layer) for layer in layers]
    if target := task.get("target"):
        settings = QgsMapSettings()
        settings.setLayers([layer for layer in shown if layer.isValid()])
        settings.setDestinationCrs(layers[0].crs())
        extent = task.get("extent")
        settings.setExtent(QgsRectangle(*extent) if extent else layers[0].extent())
        settings.setOutputSize(QSize(*task["size"]))
        settings.setBackgroundColor(QColor(0, 0, 0, 0))
        job = QgsMapRendererParallelJob(settings)
        job.start()
        job.waitForFinished()
        job.renderedImage().save(target)
        drawn = settings.visibleExtent()
        about["extent"] = [drawn.xMinimum(), drawn.yMinimum(), drawn.xMaximum(), drawn.yMaximum()]
        about["errors"] = [error.message for error in job.errors()]
    json.dump(about, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # QGIS without a window now and then crashes on its way out


main()
