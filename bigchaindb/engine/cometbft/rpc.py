"""A client of CometBFT's JSON-RPC on a unix socket, which also submits transactions. Belongs to the event loop.

Transactions go out in batches of `broadcast_tx_async` over one connection that is kept: 13,900 of them a second were
taken this way, 2,700 with one request each; `broadcast_tx_sync` makes CometBFT burn a core. Nothing is lost by `async`:
the node has checked what it submits.

Source: docs/explanation/network.md; CometBFT v0.38, its RPC reference.
"""

import itertools
from base64 import b64encode
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from bigchaindb.engine.cometbft.rpc_answers import (
    BlockAnswer,
    CommitAnswer,
    ConsensusState,
    NetInfo,
    NodeStatus,
    Reply,
    RpcError,
    Submitted,
    Validator,
    ValidatorPage,
    decoded,
)
from bigchaindb.errors import CometBftUnavailable
from bigchaindb.ledger.proofs.signed_header import VALIDATOR_COUNT_MAX

ANSWER_S_MAX: Final = 10.0
"""Time for an answer. It comes in milliseconds, but CometBFT also replays and compacts on the same cores."""
SUBMIT_S_MAX: Final = 2.0
"""Time until a batch of transactions is sent again: it holds back those behind it. What was taken is known then."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest answer is a block of 4 MiB, in base64."""
CONNECTION_COUNT_MAX: Final = 3
"""At once, for requests. Transactions have one of their own: they wait for no proof that a client asks for."""
PAGE_COUNT: Final = 100
"""Validators of a page, the most that CometBFT returns."""
REFUSAL_CHARS_MAX: Final = 500

_URL: Final = "http://cometbft/"
_SUBMIT: Final = "broadcast_tx_async"

ResultT = TypeVar("ResultT")


class CometBftRpc:
    """A client of one CometBFT. Every method raises CometBftUnavailable: not reached, refused, or a senseless answer.

    CometBFT makes the socket, leaves it behind when it is killed, and does not start again before it is removed.
    """

    def __init__(self, path: Path, *, answer_s_max: float = ANSWER_S_MAX) -> None:
        """Connect with the first request.

        Args:
            path: of CometBFT's RPC socket.
            answer_s_max: time for one answer.
        """
        self._path = path
        self._answer_s_max = answer_s_max
        self._ids = itertools.count(1)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close the connections."""
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def status(self) -> NodeStatus:
        """Return the identity and the height of this CometBFT."""
        return await self._ask("status", NodeStatus)

    async def net_info(self) -> NetInfo:
        """Return the peers that are connected."""
        return await self._ask("net_info", NetInfo)

    async def consensus_state(self) -> ConsensusState:
        """Return the height that is being decided, and the heights of the peers."""
        return await self._ask("dump_consensus_state", ConsensusState)

    async def commit(self, height: int) -> CommitAnswer:
        """Return the header of a height, and the votes that decided it."""
        return await self._ask("commit", CommitAnswer, height=str(height))

    async def block(self, height: int) -> BlockAnswer:
        """Return the block of a height."""
        return await self._ask("block", BlockAnswer, height=str(height))

    async def validators(self, height: int) -> tuple[Validator, ...]:
        """Return all validators of a height, in CometBFT's order."""
        found: list[Validator] = []
        for page in range(1, VALIDATOR_COUNT_MAX // PAGE_COUNT + 1):
            answer = await self._ask(
                "validators", ValidatorPage, height=str(height), page=str(page), per_page=str(PAGE_COUNT)
            )
            found += answer.validators
            if len(found) >= answer.total or not answer.validators:
                break
        if len(found) != answer.total:
            raise CometBftUnavailable(f"validators: CometBFT returned {len(found)} of {answer.total}")
        return tuple(found)

    async def flush_mempool(self) -> None:
        """Empty the mempool, its memory of past transactions included; needs `rpc.unsafe`."""
        await self._ask("unsafe_flush_mempool", Submitted)

    async def dial_peers(self, peers: Sequence[str]) -> None:
        """Connect to those that are not connected, their names resolved anew; needs `rpc.unsafe`.

        They are not marked as persistent: CometBFT would replace its list of those without a lock.

        Args:
            peers: `ID@HOST:PORT`.
        """
        await self._ask("dial_peers", Submitted, peers=peers)

    async def broadcast_many(self, transactions: Sequence[bytes]) -> list[str | None]:
        """Hand transactions to the mempool, which checks them later.

        Args:
            transactions: their bodies; together, in base64, within `rpc.max_body_bytes` of config.toml.

        Returns:
            For each, why it was not taken; None if it was.
        """
        if not transactions:
            return []
        requests = [self._request(_SUBMIT, {"tx": b64encode(body).decode()}) for body in transactions]
        replies = {reply.id: reply for reply in await self._batch(requests)}
        ids = [request["id"] for request in requests]
        if replies.keys() != set(ids):
            raise CometBftUnavailable(
                f"{_SUBMIT}: {len(replies)} replies, which do not match the {len(ids)} transactions sent"
            )
        return [None if (error := replies[id_].error) is None else _text(error) for id_ in ids]

    async def _batch(self, requests: Sequence[dict[str, Any]]) -> list[Reply[Submitted]]:
        if len(requests) > 1:
            return _parsed(_SUBMIT, await self._post(_SUBMIT, requests), list[Reply[Submitted]])
        # A batch of one is answered with an object and not an array, so it is sent as one request.
        return [_parsed(_SUBMIT, await self._post(_SUBMIT, requests[0]), Reply[Submitted])]

    async def _ask(self, method: str, kind: type[ResultT], **parameters: object) -> ResultT:
        request = self._request(method, parameters)
        expected: Any = Reply[kind]  # type: ignore[valid-type] # known at run time only
        reply: Reply[ResultT] = _parsed(method, await self._post(method, request), expected)
        if reply.error is not None:
            raise CometBftUnavailable(f"{method}: CometBFT refuses: {_text(reply.error)}")
        if reply.result is None or reply.id != request["id"]:
            raise CometBftUnavailable(f"{method}: CometBFT's reply has no result or another id")
        return reply.result

    def _request(self, method: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": parameters}

    def _session(self, *, submits: bool) -> aiohttp.ClientSession:
        if (session := self._sessions.get(submits)) is None:
            connector = aiohttp.UnixConnector(str(self._path), limit=1 if submits else CONNECTION_COUNT_MAX)
            timeout = aiohttp.ClientTimeout(total=min(self._answer_s_max, SUBMIT_S_MAX if submits else inf))
            session = self._sessions[submits] = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return session

    async def _post(self, method: str, content: Any) -> bytes:  # noqa: ANN401 - JSON
        session = self._session(submits=method == _SUBMIT)
        try:
            async with session.post(
                _URL, data=msgspec.json.encode(content), headers={"Content-Type": "application/json"}
            ) as response:
                return await _bounded(method, response)
        except TimeoutError as error:
            raise CometBftUnavailable(f"{method}: no reply from CometBFT within {session.timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise CometBftUnavailable(f"{method}: cannot reach CometBFT at `{self._path}`: {error}") from error


async def _bounded(method: str, response: aiohttp.ClientResponse) -> bytes:
    received = bytearray()
    async for part in response.content.iter_any():
        received += part
        if len(received) > ANSWER_BYTES_MAX:
            response.close()  # the rest of it is not read
            raise CometBftUnavailable(f"{method}: a reply of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(received)


def _parsed(method: str, text: bytes, kind: type[ResultT]) -> ResultT:
    try:
        return decoded(text, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CometBftUnavailable(f"{method}: CometBFT's reply cannot be parsed: {error}") from error


def _text(error: RpcError) -> str:
    return f"{error.message}: {error.data}"[:REFUSAL_CHARS_MAX] if error.data else error.message[:REFUSAL_CHARS_MAX]
