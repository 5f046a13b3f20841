"""The page of a node: which answer `/` has, and the addresses of the page's files.

Source: docs/reference/page.md.
"""

import gzip
import re
from typing import Final

from bigchaindb.api.answers import VARY_ACCEPT, Answer, Reply
from bigchaindb.api.arguments import Unknown
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.page_files import INDEX, PREFIX, Page, content_type
from bigchaindb.api.problems import plain
from bigchaindb.api.route import Resource, Route, by_method

POLICY: Final = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Referrer-Policy: no-referrer\r\n"
    b"Cross-Origin-Opener-Policy: same-origin\r\n"
)
FOR_EVER: Final = b"Cache-Control: public, max-age=31536000, immutable\r\n"
ASK_AGAIN: Final = b"Cache-Control: no-cache\r\n"
ICON: Final = Answer(204, headers=b"Cache-Control: public, max-age=86400\r\n")
"""Of `/favicon.ico`, which browsers request unasked; the page names an icon of its own."""
API_SCREEN: Final = Answer(302, headers=b"Location: ./#/api\r\n")
"""Relative, so that it is right behind a proxy at any path."""

_HTML: Final = content_type(INDEX)
_WEIGHT: Final = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


def find(page: Page | None, path: str, accept: str) -> tuple[Resource, str] | None:
    """Return the resource of an address of the page, and its parameter; None: the address belongs to the API.

    Args:
        page: of the node; None: it has none.
        path: as sent.
        accept: the header of that name.
    """
    if path == _ICON.path:
        return _ICON, ""
    if page is None:
        return None
    if path.startswith(PREFIX):
        return _FILE, path.removeprefix(PREFIX)
    if path == _INDEX.path and names(accept, "text/html"):
        return _INDEX, ""
    return (_API_SCREEN, "") if path == _API_SCREEN.path else None


def names(header: str, value: str) -> bool:
    """Whether a header `Accept` or `Accept-Encoding` names a value itself, with a weight above 0."""
    for part in header.split(","):
        name, *parameters = part.split(";")
        if name.strip().lower() == value:
            weights = [found[1] for text in parameters if (found := _WEIGHT.fullmatch(text))]
            return not weights or float(weights[0]) > 0
    return False


async def _index(context: Context, _: Call) -> Reply:
    assert context.page is not None
    return Answer(200, context.page.index, ASK_AGAIN + POLICY + VARY_ACCEPT, content_type=_HTML)


async def _file(context: Context, call: Call) -> Reply:
    assert context.page is not None
    digest, _, name = call.parameter.partition("/")
    file = context.page.files.get(name) if digest == context.page.digest else None
    if file is None:
        text = "Not found; this node's page has other files now: reload it"
        return plain(404, text, headers=b"Cache-Control: no-store\r\n")
    headers = FOR_EVER + POLICY + b"Vary: Accept-Encoding\r\n"
    if names(call.accept_encoding, "gzip"):
        return Answer(200, file.packed, headers + b"Content-Encoding: gzip\r\n", content_type=file.content_type)
    return Answer(200, gzip.decompress(file.packed), headers, content_type=file.content_type)


async def _icon(_: Context, __: Call) -> Reply:
    return ICON


async def _api_screen(_: Context, __: Call) -> Reply:
    return API_SCREEN


def _resource(path: str, handler: Handler) -> Resource:
    """Return an address that needs no scope: the page's own files hold nothing of the ledger."""
    route = Route("GET", path, handler, None, id="", tag="node", summary="", answer=None, unknown=Unknown.IGNORED)
    return Resource(path, by_method([("GET", route)]))


_INDEX: Final = _resource("/", _index)
_FILE: Final = _resource(PREFIX, _file)
_ICON: Final = _resource("/favicon.ico", _icon)
_API_SCREEN: Final = _resource("/docs", _api_screen)
