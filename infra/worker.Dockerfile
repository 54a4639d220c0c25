# Workers, for CPUs and for NVIDIA GPUs: torch's wheel brings CUDA, the host only its driver.
#   docker build --file infra/worker.Dockerfile --tag geogaze-worker .
# For CPUs alone, a package index with torch's CPU builds makes the image several GB smaller:
#   docker build … --build-arg PIP_EXTRA_INDEX_URL=INDEX .
# Without torch, for bundles that have an exported graph:
#   docker build … --build-arg EXTRAS=light,s3 .

FROM python:3.12-slim-bookworm AS build

RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src

# pip reads these from its environment; unset unless given with --build-arg.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG EXTRAS=worker,openvino,traces

# Dependencies first: this layer, most of the image, outlives changes of the code.
COPY pyproject.toml README.md LICENSE NOTICE infra/constraints.txt ./
COPY geogaze/__init__.py geogaze/version.py geogaze/
RUN pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

COPY geogaze geogaze
COPY api api
COPY worker worker
COPY migrations migrations
RUN pip install --no-cache-dir --no-deps --force-reinstall .


FROM python:3.12-slim-bookworm

# rasterio's wheel takes expat from the system, and this image has none. OpenCV's headless wheel
# needs nothing that is not here.
# No version: Debian drops a package's old version from its mirrors when it is fixed.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home geogaze \
    # Volumes mounted here take over these folders' owner.
    && install --directory --owner=geogaze --group=geogaze /home/geogaze/.cache /scratch

COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1

WORKDIR /home/geogaze
USER 1000:1000
CMD ["geogaze", "worker"]
