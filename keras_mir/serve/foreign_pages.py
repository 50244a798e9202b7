"""Who may ask: any program on the machine and the server's own page, but no page of another site.

A browser lets every page send requests to a server on its user's machine. It says in `Origin` whose page
it is. After DNS rebinding, when the name of another site leads to this machine, that is the site's own
origin; but then `Host` is its name.
"""

from __future__ import annotations

import ipaddress
import socket
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def without_foreign_pages(app: ASGIApp, host: str) -> ASGIApp:
    """The application, refusing what pages of other sites ask.

    Args:
        app: An ASGI application.
        host: The name or address it listens on.
    """
    own = {"localhost", host.lower(), socket.gethostname().lower()}

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        asked, origin = headers.get("host"), headers.get("origin")
        answer: ASGIApp = app
        if asked is not None and not _is_own(asked, own):
            answer = _refusal(f"{asked[:100]!r} is no name of this server: ask it by its address")
        elif origin is not None and urlsplit(origin).netloc != asked:
            answer = _refusal(f"pages of {origin[:100]!r} may not use this server")
        await answer(scope, receive, send)

    return guarded


def _is_own(asked: str, own: set[str]) -> bool:
    """Whether a `Host` is one of these names, or an address, which nobody else can lead here by a name."""
    try:
        name = urlsplit(f"//{asked}").hostname or ""
        return name in own or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _refusal(error: str) -> JSONResponse:
    return JSONResponse({"error": error}, HTTPStatus.FORBIDDEN)
