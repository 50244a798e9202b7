"""The page at `/`, where people try the served models on a song of theirs."""

from __future__ import annotations

from importlib import resources

from starlette.responses import Response
from starlette.routing import Route

# Nothing but these files, what the API answers, and sound: the song itself as the browser holds it, and
# those of a table.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "permissions-policy": "microphone=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}
_FILES = (
    ("/", "index.html", "text/html"),
    ("/page/page.css", "page.css", "text/css"),
    ("/page/page.js", "page.js", "text/javascript"),
)


def page_routes() -> list[Route]:
    """A route for each file of the page; what a request names is never looked up on disk."""
    folder = resources.files("keras_mir.serve") / "page"

    def route(path: str, file: str, kind: str) -> Route:
        content = (folder / file).read_bytes()
        return Route(path, lambda _: Response(content, media_type=kind, headers=_HEADERS))

    return [route(*file) for file in _FILES]
