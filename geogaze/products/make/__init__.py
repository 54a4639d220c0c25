"""Making products: what draws and writes (GDAL, OpenCV, GeoPandas)."""
