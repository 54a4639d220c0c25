"""The abstract tests of OGC API – Processes 1.0 (OGC 18-062r2, Annex A), by class: those claimed.

A test says which of them it is by :func:`meets`; its id then is the name. The table of them all,
each with how it went, is printed by ``pytest -n 0 tests/conformance``.
"""

from __future__ import annotations

import pytest

ABSTRACT_TESTS = {
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
"""Names of abstract tests, by the class that they are of."""

MET: set[str] = set()
"""Those that a test says it is."""


def meets(conformance: str, *names: str) -> pytest.MarkDecorator:
    """Run a test once for each abstract test that it is, under its name."""
    assert set(names) <= set(ABSTRACT_TESTS[conformance]), "as the standard names them"
    MET.update(f"{conformance}/{name}" for name in names)
    ids = [f"{conformance}/{name}" for name in names]
    return pytest.mark.parametrize("requirement", ids, indirect=True, ids=ids)
