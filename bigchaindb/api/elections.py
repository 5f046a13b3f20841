"""`/api/v1/elections`: the open elections of validators, and the status of one.

The command line of 2.x read them from the node itself; here it asks over HTTP. Source: transactions.md, section 7.
"""

from typing import Final

import orjson

from bigchaindb.api import examples
from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.arguments import segment
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import Problem, not_found, plain
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import TEXT, array, ref
from bigchaindb.api.validators import key_document
from bigchaindb.config.access import READ
from bigchaindb.ledger.elections import Elections, OpenElection

NO_NETWORK: Final = "this node runs without a network (engine solo) and has no elections"


async def listing(context: Context, _: Call) -> Reply:
    """List the open elections, oldest first."""
    return json_answer([_document(election) for election in _elections(context).open])


async def get(context: Context, call: Call) -> Reply:
    """Answer with the status of an election."""
    _elections(context)
    body = await context.reads.run(context.queries.transaction, call.parameter)
    if body is None or orjson.loads(body)["operation"] != "VALIDATOR_ELECTION":
        return not_found()
    # Read last, so that the status is at least as new as the transaction.
    return json_answer({"id": call.parameter, "status": _elections(context).status(call.parameter)})


def _elections(context: Context) -> Elections:
    if (elections := context.elections()) is None:
        raise Problem(plain(404, NO_NETWORK))
    return elections


def _document(election: OpenElection) -> dict[str, object]:

    return {
        "id": election.id,
        "node_id": election.node_id,
        "power": election.power,
        "proposer": election.proposer,
        "public_key": key_document(bytes.fromhex(election.public_key)),
        "votes": election.votes,
    }


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/elections",
        listing,
        READ,
        id="listElections",
        tag="network",
        summary="Open elections of validators, oldest first",
        answer=array(ref("Election")),
        errors=(404,),
    ),
    Route(
        "GET",
        "/api/v1/elections/{id}",
        get,
        READ,
        id="getElection",
        tag="network",
        summary="Status of an election",
        answer=ref("ElectionStatus"),
        parameter=segment("id", TEXT, example=examples.TRANSACTION_ID),
        errors=(404,),
    ),
)
