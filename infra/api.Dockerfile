# The API, the dispatcher and the migrations: no torch.
#   docker build --file infra/api.Dockerfile --tag geogaze-api .

FROM python:3.12-slim-bookworm AS build

RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src

# Dependencies first: this layer outlives changes of the code. Each file is the one that was tested,
# by its hash; setuptools among them builds geogaze itself.
COPY infra/api.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement api.lock

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY geogaze geogaze
COPY api api
COPY worker worker
COPY migrations migrations
# Nothing is installed in what runs, so it needs no program for that.
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && pip uninstall --yes setuptools pip


FROM python:3.12-slim-bookworm

# rasterio's wheel takes expat from the system, and this image has none.
# No version: Debian drops a package's old version from its mirrors when it is fixed.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home geogaze \
    && install --directory --owner=geogaze --group=geogaze /scratch

COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1

# Alembic reads its configuration and the revisions from here.
WORKDIR /app
COPY pyproject.toml ./
COPY migrations migrations

USER 1000:1000
EXPOSE 8080
CMD ["geogaze", "api", "--host", "0.0.0.0", "--port", "8080"]
