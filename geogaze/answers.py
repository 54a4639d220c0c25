"""What a server answers, and that it does not, as documents and as errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from geogaze.errors import JobFailed, NoAnswer, RemoteError, RemoteRefusal
from geogaze.following import Document, Event

if TYPE_CHECKING:
    from httpx_sse import ServerSentEvent

_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}  # what gateways say, or busy


class SceneRefused(RemoteRefusal):
    """The API answered that it cannot read the scene where it is said to lie."""


def no_answer(url: httpx.URL, error: httpx.HTTPError) -> RemoteError:
    """An API that did not answer, as an error; whether it got the request may be unknown."""
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    return (RemoteError if unsent else NoAnswer)(
        f"No geogaze API answers at {url} ({error}). Is it running? "
        "Give its address with --api or GEOGAZE_API_URL."
    )


def event_of(sent: ServerSentEvent) -> Event:
    """An event as it was sent.

    Raises:
        NoAnswer: it is no JSON document: something between has cut it.
    """
    try:
        return Event(sent.event, sent.json())
    except ValueError as error:
        raise NoAnswer(f"An event of the server's came broken: {sent.data[:80]!r}.") from error


def answer_of(answer: httpx.Response) -> Document:
    """The document of an answer that has come whole; an empty one where there is nothing to say.

    Raises:
        RemoteRefusal: the request is wrong; the message is the problem's detail.
        RemoteError: the server failed.
        JobFailed: what was asked for is a failed job's.
    """
    if answer.status_code == HTTPStatus.NO_CONTENT:
        return {}
    try:
        document = answer.json()
    except ValueError:
        document = None
    if answer.is_success and document is not None:
        found: Document = document
        return found
    problem = document if isinstance(document, dict) else {}
    message = problem.get("detail") or problem.get("title") or answer.text[:500]
    if str(problem.get("type", "")).endswith(":job-failed"):
        raise JobFailed(message)
    if str(problem.get("type", "")).endswith(":scene-unreadable"):
        raise SceneRefused(f"{message} (HTTP {answer.status_code})")
    refused = answer.is_client_error and answer.status_code not in _LATER
    kind = RemoteRefusal if refused else RemoteError
    raise kind(f"{message} (HTTP {answer.status_code})")
