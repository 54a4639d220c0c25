"""Where a document of a scene may lead: a VRT or a STAC Item names files that it was not asked for.

What it names is matched against what is allowed when it is opened, as all addresses are. Besides, a
document from elsewhere names no file of this machine, and none leads into a network that only this
machine sees.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
import socket
from functools import lru_cache
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from geogaze.errors import SceneUnreadable
from geogaze.scene.policy import SourcePolicy, is_remote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_GDAL = {"/vsicurl/": "", "/vsis3/": "s3://"}


def led_to(document: str, href: str, policy: SourcePolicy) -> str:
    """The address that a document's href names, relative to the document where it is relative.

    Args:
        document: its address.
        href: as it stands there; GDAL's paths of objects and pages are understood too.
        policy: where scenes may come from.

    Raises:
        SceneUnreadable: a document may not lead there.
    """
    for start, scheme in _GDAL.items():
        if href.startswith(start):
            href = scheme + href.removeprefix(start)
    uri = href if _SCHEME.match(href) else _beside(document, href)
    if is_remote(uri):
        check_public(document, uri, policy)
    elif is_remote(document):
        raise _refusal(document, href, "a document from elsewhere names no file of this machine")
    return uri


def _beside(document: str, href: str) -> str:
    if href.startswith("/vsi") or href.lstrip().startswith("<"):
        raise _refusal(document, href, "only files, s3:// and https:// are read")
    if document.startswith("s3://"):
        bucket, _, key = document.removeprefix("s3://").partition("/")
        beside = posixpath.normpath(posixpath.join("/", posixpath.dirname(key), href))
        return f"s3://{bucket}{beside}"
    if is_remote(document):
        return urljoin(document.partition("?")[0], href)
    folder = urlsplit(document).path if document.startswith("file:") else document
    return str(Path(folder).parent / href)


def check_public(origin: str, uri: str, policy: SourcePolicy) -> None:
    """Refuse to be led to a host that only this machine sees, unless an operator listed it, or what
    leads there lies on such a host itself.

    Args:
        origin: what leads there: a document, or an address that redirects.
        uri: where to.
        policy: where scenes may come from.

    Raises:
        SceneUnreadable: it is one, or not known.
    """
    host, own = urlsplit(uri), urlsplit(origin)
    if host.scheme.lower() == "s3" or policy.hosts is not None:
        return
    by_host = own.scheme.lower() == "https"
    if by_host and own.netloc == host.netloc:
        return
    try:
        if _is_public(host.hostname or "") or (by_host and not _is_public(own.hostname or "")):
            return
    except (OSError, UnicodeError, ValueError) as error:
        raise _refusal(origin, uri, f"its host is not known ({error})") from error
    raise _refusal(origin, uri, "its host lies in a private network")


@lru_cache(maxsize=256)
def _is_public(host: str) -> bool:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return all(ipaddress.ip_address(at[4][0]).is_global for at in found)


def _refusal(document: str, href: str, why: str) -> SceneUnreadable:
    return SceneUnreadable(f"{document!r} leads to {href[:200]!r}, which is not followed: {why}.")
