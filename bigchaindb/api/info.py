"""`/` and `/api/v1`: what the node is and where its resources are. Source: http-api.md, sections 2 and 3."""

from dataclasses import dataclass
from typing import Final

from bigchaindb.api.answers import Reply
from bigchaindb.api.call import Call, Context

DOCS: Final = "https://docs.bigchaindb.com/projects/server/en/latest/"
API_DOCS: Final = DOCS + "http-client-server-api.html"


@dataclass(frozen=True, kw_only=True)
class NodeInfo:
    """What a node says of itself.

    Attributes:
        public_key: base58, None without an identity.
        keyring: the other nodes' keys, base58.
        stream_url: of the WebSocket stream, as advertised.
    """

    version: str
    public_key: str | None
    keyring: tuple[str, ...]
    stream_url: str


async def root(context: Context, _: Call) -> Reply:
    """Answer `GET /`."""
    return context.root


async def index(context: Context, _: Call) -> Reply:
    """Answer `GET /api/v1/`; the prefix is `/` here, as clients' tests have it."""
    return context.index


def root_document(info: NodeInfo) -> dict[str, object]:
    """Give the body of `/`."""
    return {
        "api": {"v1": index_document(info, "/api/v1/")},
        "docs": DOCS,
        "keyring": list(info.keyring),
        "public_key": info.public_key,
        "software": "BigchainDB",
        "version": info.version,
    }


def index_document(info: NodeInfo, prefix: str) -> dict[str, str]:
    """Give the addresses of the resources below `prefix`."""
    return {
        "assets": f"{prefix}assets/",
        "blocks": f"{prefix}blocks/",
        "docs": API_DOCS,
        "metadata": f"{prefix}metadata/",
        "outputs": f"{prefix}outputs/",
        "statuses": f"{prefix}statuses/",
        "streams": info.stream_url,
        "transactions": f"{prefix}transactions/",
        "validators": f"{prefix}validators",
        "votes": f"{prefix}votes/",
    }
