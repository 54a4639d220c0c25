"""How a job's products came about, as W3C PROV-JSON. Pure.

The document is that of the draft of OGC API – Processes, Part 1, version 2.0, ``/jobs/{job}/prov``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geogaze.intervals import written
from geogaze.ledger.records import JobStatus
from geogaze.version import VERSION

_PREFIXES = {
    "geogaze": "urn:geogaze:",
    "job": "urn:geogaze:job:",
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def provenance(
    status: JobStatus,
    plan: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    """The provenance of a job.

    Args:
        status: where it stands.
        plan: what it was planned to do, as the ledger keeps it.
        files: its products by name, with ``file``, ``type`` and ``sha256``.
        properties: of its Item: ``geogaze:paths`` and ``geogaze:runtimes`` say how its network was
            run. Empty where it has none (yet).
    """
    activity = f"job:{status.id}"
    used = {**_scenes(str(status.id), plan), **_model(plan.get("bundle"))}
    made = {
        f"geogaze:product/{status.id}/{name}": {
            "prov:label": one["file"],
            "geogaze:mediaType": one["type"],
            "geogaze:sha256": one["sha256"],
        }
        for name, one in files.items()
    }
    times = {"prov:startTime": status.started, "prov:endTime": status.finished}
    ran = {
        "geogaze:path": [*properties.get("geogaze:paths", ())],
        "geogaze:runtime": [
            f"{way['runtime']}, {way['precision']}"
            for way in properties.get("geogaze:runtimes", ())
        ],
        "geogaze:decoder": (plan.get("scene") or {}).get("decoder"),
        "geogaze:method": plan.get("method"),
    }
    software = f"geogaze:software/{VERSION}"
    return {
        "prefix": _PREFIXES,
        "entity": {**used, **made},
        "activity": {
            activity: {
                "prov:type": _name(f"geogaze:process/{status.process}"),
                "geogaze:status": status.state.value,
                **{name: written(at) for name, at in times.items() if at is not None},
                **{name: value for name, value in ran.items() if value},
            }
        },
        "agent": {
            software: {
                "prov:type": _name("prov:SoftwareAgent"),
                "prov:label": f"geogaze {VERSION}",
            }
        },
        "wasAssociatedWith": {
            "_:by": {"prov:activity": activity, "prov:agent": software},
        },
        "used": {
            f"_:used{n}": {"prov:activity": activity, "prov:entity": entity}
            for n, entity in enumerate(used)
        },
        "wasGeneratedBy": {
            f"_:made{n}": {"prov:entity": entity, "prov:activity": activity}
            for n, entity in enumerate(made)
        },
    }


def _scenes(job: str, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The files that a job looks at, each in the version that it was planned for."""
    scenes = [one["scene"] for one in (plan, *plan.get("sites", ())) if one.get("scene")]
    files = [file for scene in scenes for file in scene.get("pieces") or (scene,)]
    return {
        f"geogaze:scene/{job}/{number}": {
            "prov:location": file["uri"].partition("?")[0],  # what follows may be a signature
            **({"geogaze:version": file["version"]} if file.get("version") else {}),
        }
        for number, file in enumerate(files)
    }


def _model(bundle: Mapping[str, Any] | None) -> dict[str, Any]:
    """The model whose look it is, told by its weights."""
    if not bundle:
        return {}
    kind, _, digest = bundle["weights"].partition(":")
    return {
        f"geogaze:model/{bundle['name']}": {
            "prov:label": bundle["name"],
            "geogaze:architecture": bundle["architecture"],
            f"geogaze:{'sha256' if kind == 'sha256' else 'weights'}": digest or bundle["weights"],
        }
    }


def _name(qualified: str) -> dict[str, str]:
    return {"$": qualified, "type": "prov:QUALIFIED_NAME"}
