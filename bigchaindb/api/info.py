"""`/` and `/api/v1`: the node and the addresses of its resources. Source: http-api.md, sections 2 and 3."""

from typing import Final

from bigchaindb.api.answers import VARY_ACCEPT, Answer, Reply, json_answer, json_line
from bigchaindb.api.arguments import Unknown
from bigchaindb.api.call import Call, Context, NodeInfo
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import ref
from bigchaindb.config.access import READ


async def root(context: Context, call: Call) -> Reply:
    """Answer `GET /`, but for browsers, which get the page."""
    return Answer(200, json_line(root_document(context.node, call.host)), VARY_ACCEPT)


async def index(context: Context, call: Call) -> Reply:
    """Answer `GET /api/v1/`; the prefix is `/` here, as the tests of clients expect."""
    return json_answer(index_document(context.node, "/", call.host))


def root_document(info: NodeInfo, host: str) -> dict[str, object]:
    """Return the body of `/` for a request with this header `Host`."""
    return {
        "api": {"v1": index_document(info, "/api/v1/", host)},
        "docs": info.docs_url(host),
        "keyring": list(info.keyring),
        "public_key": info.public_key,
        "software": "BigchainDB",
        "version": info.version,
    }


def index_document(info: NodeInfo, prefix: str, host: str) -> dict[str, str]:
    """Return the addresses of the resources below `prefix` for a request with this header `Host`."""
    return {
        "assets": f"{prefix}assets/",
        "blocks": f"{prefix}blocks/",
        "docs": info.docs_url(host),
        "metadata": f"{prefix}metadata/",
        "outputs": f"{prefix}outputs/",
        "statuses": f"{prefix}statuses/",
        "streams": info.stream_url(host),
        "transactions": f"{prefix}transactions/",
        "validators": f"{prefix}validators",
        "votes": f"{prefix}votes/",
    }


ROUTES: Final = (
    Route(
        "GET",
        "/",
        root,
        READ,
        id="getNode",
        tag="node",
        summary="The node and its addresses",
        description="Browsers, whose `Accept` names `text/html`, get the node's page.",
        answer=ref("Root"),
        unknown=Unknown.IGNORED,
    ),
    Route(
        "GET",
        "/api/v1",
        index,
        READ,
        id="getIndex",
        tag="node",
        summary="Addresses of the resources",
        answer=ref("Index"),
        unknown=Unknown.IGNORED,
    ),
)
