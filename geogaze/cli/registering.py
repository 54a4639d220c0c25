"""The commands ``models add``, ``remove`` and ``alias``: versions of models, in a registry."""

from __future__ import annotations

import getpass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

import geogaze
from geogaze.cli.opening import opened_ledger
from geogaze.cli.options import JsonOption
from geogaze.cli.terminal import err, out, print_json
from geogaze.config import get_settings
from geogaze.errors import InvalidRequest
from geogaze.logs import configure_logging
from geogaze.models.bundles import Bundle
from geogaze.models.checking import check
from geogaze.models.item import read_bundle
from geogaze.models.registered import Registry
from geogaze.models.registry import is_taken
from geogaze.models.versions import NoSuchVersion, VersionTaken, check_word, parse_model

log = structlog.get_logger()

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--api", help="A server's address: in its registry, by a key of all three scopes."
    ),
]


def resolved(model: str) -> str:
    """``NAME@VERSION`` for a registered model's ``NAME@ALIAS``; anything else as it is.

    Raises:
        UnknownModel: the model has no such alias.
    """
    named = parse_model(model)
    if named is None or named.reference is None or Path(model).exists():
        return model
    version = Registry.of(get_settings()).find(model)
    return version.model if version else model


def add(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder, of train or models import.")],
    name: Annotated[str | None, typer.Option(help="The model's. Default: the folder's.")] = None,
    version: Annotated[
        str | None, typer.Option(help="The version's. Default: the next number.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help="To point at it then, such as production.")
    ] = None,
    api: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a bundle into the registry, as a version that never changes.

    Its files are compared with the sha256 that it names, and its network is run as models import
    runs it. The same files again are the same version.

    Examples:
        geogaze models add my-ships --alias production

        geogaze run scene.tif --out heat --model my-ships@production
    """
    described, settings = read_bundle(bundle), get_settings()
    name = name or described.name
    for what, word in (("name", name), ("version", version), ("alias", alias)):
        if word is not None:
            check_word(what, word)
    if api is None and is_taken(name, settings):
        raise VersionTaken(
            f"{name!r} is a model that is not registered, and a name means one thing: give --name."
        )
    with err.status("reading and running"):
        check(described)
        _run_once(described)
        to = _add if api is None else partial(_add_there, api)
        told = to(bundle, name, version, alias)
    if as_json:
        print_json({"name": name, **told})
        return
    model = f"{name}@{told['version']}"
    also = f", and {name}@{alias}" if alias else ""
    out.print(
        f"[bold]{model}[/] is registered{also}. Use it with --model {model}",
        highlight=False,
        soft_wrap=True,
    )


def _add(bundle: Path, name: str, version: str | None, alias: str | None) -> dict[str, Any]:
    registry = Registry.of(get_settings())
    added, new = registry.add(bundle, name, version, alias)
    if new or alias:
        _put_down("add", added.model, digest=added.digest, alias=alias)
    return added.told(registry.aliases(name))


def _add_there(
    api: str, bundle: Path, name: str, version: str | None, alias: str | None
) -> dict[str, Any]:
    with geogaze.Client(api) as client:
        return {**client.add_model(bundle, name, version=version, alias=alias)}


def remove(
    model: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="What to remove.")],
    api: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a version's files from the registry, or all of a model's with its aliases.

    What an alias points at, or an unfinished job of the service (GEOGAZE_DATABASE_URL) needs, is
    refused. A version's name is never given to other files.
    """
    gone = _remove(model) if api is None else _remove_there(api, model)
    if as_json:
        print_json({"removed": gone})
        return
    out.print(f"{', '.join(gone)} is removed.", highlight=False)


def _remove(model: str) -> list[str]:
    registry, named = Registry.of(get_settings()), parse_model(model)
    whole = named is not None and named.reference is None
    gone = registry.versions(model) if whole else [registry.version(model)]
    if not gone:
        raise NoSuchVersion(f"No model {model[:140]!r} is registered.")
    models = [version.model for version in gone]
    # A registry of one's own has no service.
    if "database_url" in get_settings().model_fields_set:
        from geogaze.ledger.needing import check_unused  # other commands need no database

        with opened_ledger() as database:
            check_unused(database, models)
    for alias in registry.aliases(model) if whole else ():
        registry.unpoint(model, alias)
    for version in gone:
        registry.remove(version)
        _put_down("remove", version.model, digest=version.digest)
    return models


def _remove_there(api: str, model: str) -> list[str]:
    named = parse_model(model)
    if named is None or named.reference is None:
        raise InvalidRequest(
            f"{model[:140]!r}: of a server's models one NAME@VERSION is removed at a time."
        )
    with geogaze.Client(api) as client:
        client.remove_model(named.name, named.reference)
    return [model]


def alias(
    model: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="What to call so; to delete: NAME.")
    ],
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="Such as production.")],
    delete: Annotated[bool, typer.Option("--delete", help="Delete it instead.")] = False,
    api: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an alias point at a version: NAME@ALIAS then means it, and NAME alone that of default.

    Jobs that were accepted keep the version that they were accepted with.

    Examples:
        geogaze models alias my-ships@3 production

        geogaze models alias my-ships production --delete
    """
    named = parse_model(model)
    if named is None or (named.reference is None) != delete:
        takes = "NAME ALIAS --delete" if delete else "NAME@VERSION ALIAS"
        raise InvalidRequest(f"{model[:140]!r}: geogaze models alias takes {takes}.")
    to = _point if api is None else partial(_point_there, api)
    version = to(named.name, named.reference, name)
    if as_json:
        print_json({"name": named.name, "alias": name, "version": version})
        return
    said = f"is {named.name}@{version}" if version else "is no more"
    out.print(f"{named.name}@{name} {said}.", highlight=False)


def _point(model: str, version: str | None, alias: str) -> str | None:
    """Let an alias point at a version, or nowhere; where it points then."""
    registry = Registry.of(get_settings())
    if version is None:
        registry.unpoint(model, alias)
        _put_down("alias --delete", f"{model}@{alias}")
        return None
    found = registry.point(model, alias, version)
    _put_down("alias", found.model, alias=alias)
    return found.version


def _point_there(api: str, model: str, version: str | None, alias: str) -> str | None:
    with geogaze.Client(api) as client:
        if version is None:
            client.delete_alias(model, alias)
            return None
        return client.set_alias(model, alias, version)["version"]


def _run_once(bundle: Bundle) -> None:
    """Run a network before it is let in; without torch by its graph, which is proven then.

    Raises:
        GeogazeError: it does not run, or something does not hold.
    """
    if find_spec("torch") is None:
        from geogaze.evidence.engines import load_engine

        load_engine(bundle, get_settings())
        return
    from geogaze.evidence.admission import check_described

    check_described(bundle)


def _put_down(action: str, model: str, **more: Any) -> None:
    """A line of the audit log, where the registry is not one's own alone."""
    settings = get_settings()
    if settings.model_registry is None:
        return
    configure_logging(settings.log_level, settings.log_format)
    told = {name: value for name, value in more.items() if value is not None}
    log.info(
        "audit",
        channel="audit",
        action=f"models {action}",
        caller=getpass.getuser(),
        model=model,
        **told,
    )


def add_to(group: typer.Typer) -> None:
    """Register the commands among those of models."""
    for command in (add, remove, alias):
        group.command()(command)
