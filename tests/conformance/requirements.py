"""The abstract tests of the classes that are claimed: of OGC API – Processes 1.0 (OGC 18-062r2),
of OGC API – Tiles 1.0 (OGC 20-057), of the tile matrix sets that it builds on (OGC 17-083r4), and
of OGC API – Features, Parts 1 to 3 (OGC 17-069r4, 18-058r1, 19-079r2).

A test says which of them it is by :func:`meets`; its id then is the name. The table of them all,
each with how it went, is printed by ``pytest -n 0 tests/conformance``.
"""

from __future__ import annotations

import pytest

PROCESSES = {
    "core": (
        *("landingpage-op", "landingpage-success", "api-definition-op", "api-definition-success"),
        *("conformance-op", "conformance-success", "http"),
        *("process-list-op", "process-list-limit-def", "process-list-success"),
        *("process-list-links", "process-list-limit-response"),
        *("process-op", "process-success", "process-exception-no-such-process"),
        *("job-creation-op", "job-creation-auto-execution-mode"),
        *("job-creation-default-execution-mode", "job-creation-request", "job-creation-inputs"),
        *("job-creation-input-inline", "job-creation-input-ref", "job-creation-input-array"),
        *("job-creation-input-inline-object", "job-creation-input-inline-mixed"),
        *("job-creation-input-inline-binary", "job-creation-input-inline-bbox"),
        *("job-creation-input-validation", "job-creation-default-outputs"),
        *("job-creation-sync-raw-value-one", "job-creation-sync-raw-value-multi"),
        *("job-creation-sync-raw-ref", "job-creation-sync-raw-mixed-multi"),
        *("job-creation-sync-document", "job-creation-success-async"),
        *("job-op", "job-success", "job-exception-no-such-job"),
        *("job-results-op", "job-results-async-raw-value-one", "job-results-async-raw-value-multi"),
        *("job-results-async-raw-ref", "job-results-async-raw-mixed-multi"),
        *("job-results-async-document", "job-results-exception-no-such-job"),
        *("job-results-exception-results-not-ready", "job-results-failed"),
    ),
    "ogc-process-description": (
        *("json-encoding", "inputs-def", "input-def", "input-mixed-type"),
        *("outputs-def", "output-def", "output-mixed-type"),
    ),
    "json": ("definition",),
    "html": ("content", "definition"),
    "oas30": (
        *("completeness", "exceptions-codes", "oas-definition-1", "oas-definition-2"),
        *("oas-impl", "security"),
    ),
    "job-list": (
        *("job-list-op", "type-definition", "processid-definition", "status-definition"),
        *("datetime-definition", "duration-definition", "limit-definition", "job-list-success"),
        *("links", "type-response", "processid-mandatory", "processid-response"),
        *("status-response", "datetime-response", "duration-response", "limit-response"),
    ),
    "callback": ("job-callback",),
    "dismiss": ("job-dismiss-op", "job-dismiss-success"),
}
TILES = {
    "core": (
        *("conformance-success", "tc-op", "tc-success", "tc-error"),
        *("tc-tilematrix-definition", "tc-tilerow-definition", "tc-tilecol-definition"),
    ),
    "tileset": ("description",),
    "tilesets-list": ("tileset-links",),
    "geodata-tilesets": ("desc-links", "operation"),
    "png": ("content",),
    "oas30": ("completeness", "operation-id"),
}
MATRIX_SETS = {
    "tilematrixset": ("model",),
    "json-tilematrixset": ("ietf", "media-type", "model", "schema"),
    "tilesetmetadata": ("identifier", "model"),
    "json-tilesetmetadata": ("ietf", "media-type", "model", "schema"),
}
FEATURES = {
    "features-1/core": (
        *("http", "root-op", "root-success", "api-definition-op", "api-definition-success"),
        *("conformance-op", "conformance-success", "crs84"),
        *("fc-md-op", "fc-md-success", "fc-md-links", "fc-md-items", "fc-md-items-links"),
        *("fc-md-extent", "fc-md-extent-multi", "sfc-md-op", "sfc-md-success"),
        *("fc-op", "fc-response", "fc-links", "fc-numberMatched", "fc-numberReturned"),
        *("fc-timeStamp", "fc-limit-definition", "fc-limit-response"),
        *("fc-bbox-definition", "fc-bbox-response", "fc-time-definition", "fc-time-response"),
        *("query-param-invalid", "query-param-unknown", "f-op", "f-success", "f-links"),
    ),
    "features-1/geojson": ("definition", "content"),
    "features-1/html": ("definition", "content"),
    "features-1/oas30": (
        *("completeness", "exceptions-codes", "oas-definition-1", "oas-definition-2"),
        *("oas-impl", "security"),
    ),
    "features-2/crs": (
        *("crs-uri", "default-crs", "storageCrs"),
        *("crs-parameter", "crs-parameter-default", "crs-parameter-invalid"),
        *("crs-parameter-transform", "bbox-crs-parameter", "bbox-crs-parameter-default"),
        "bbox-crs-parameter-invalid",
    ),
    "features-3/queryables": ("get-conformance", "get-queryables-uris", "get-queryables"),
    "features-3/queryables-query-parameters": ("get-conformance", "query-param"),
    "features-3/filter": (
        *("get-conformance", "filter-param", "filter-lang-default"),
        *("expression-construction", "filter-crs-wgs84", "filter-crs-param"),
    ),
    "features-3/features-filter": (
        *("get-conformance", "get-collections", "get-collection", "filter-on-items"),
        "mixing-expression",
    ),
    # Of CQL2, those for which any data will do.
    "cql2/basic-cql2": ("basic-test", "comparison", "is-null", "boolean"),
    "cql2/advanced-comparison-operators": ("like", "between", "in", "logical"),
    "cql2/case-insensitive-comparison": ("casei", "casei-like"),
    "cql2/property-property": (
        *("comparison-value-property", "comparison-property-property"),
        "comparison-value-value",
    ),
    "cql2/basic-spatial-functions": ("s_intersects",),
    "cql2/basic-spatial-functions-plus": ("s_intersects",),
    "cql2/cql2-text": ("validate", "escaping"),
    "cql2/cql2-json": ("validate",),
}
ABSTRACT_TESTS = {
    **PROCESSES,
    **{f"tiles/{name}": tests for name, tests in TILES.items()},
    **{f"tiles/tms/{name}": tests for name, tests in MATRIX_SETS.items()},
    **FEATURES,
}
"""Names of abstract tests, by the class that they are of."""

KNOWN = {f"{name}/{test}" for name, tests in ABSTRACT_TESTS.items() for test in tests}
MET: set[str] = set()
"""Those that a test says it is."""


def meets(conformance: str, *names: str) -> pytest.MarkDecorator:
    """Run a test once for each abstract test that it is, under its name: by the class, and by what
    is common to classes where it is of several.
    """
    ids = [f"{conformance}/{name}" for name in names]
    assert set(ids) <= KNOWN, "as the standard names them"
    MET.update(ids)
    return pytest.mark.parametrize("requirement", ids, indirect=True, ids=ids)
