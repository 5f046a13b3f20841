"""`AsyncClient`: a ledger, by the URLs of its nodes, for asyncio."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, TypeVar, Unpack

from bigchaindb.client.calls import Granularity, Log, Mode, Selected
from bigchaindb.client.connection import ANSWER_S, DEADLINE_S, Connection
from bigchaindb.client.event import Event, LogEvent, Proven, proven
from bigchaindb.client.following import AWAY_S, NOW, Wish, follow, walk_back
from bigchaindb.client.questions import Questions
from bigchaindb.client.sending import send
from bigchaindb.client.spending import Owners, Signers, payment, signers_of, spending
from bigchaindb.client.subscription import WINDOW, Acknowledge, AsyncSubscription, Definition
from bigchaindb.client.trusting import Trusted, trust_of
from bigchaindb.documents import Transaction
from bigchaindb.errors import RequestFailed
from bigchaindb.ledger.proofs.pieces import Trust
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.transaction import build
from bigchaindb.transaction.build import Signed

T = TypeVar("T")


class Options(TypedDict, total=False):
    """The arguments of `AsyncClient` behind the first."""

    key: str | None
    tls: ssl.SSLContext | str | Path | None
    answer_s: float
    deadline_s: float
    unreachable_s: float | None
    advice: str


class AsyncClient(Questions):
    """A ledger, by the URLs of its nodes. Belongs to the event loop that uses it first; close it at the end.

    Requests are sent again while no node answers, or while a node is busy, until the deadline. That is safe: the id of
    a transaction is its hash, so that the ledger takes it once however often it comes.
    """

    def __init__(
        self,
        nodes: str | Sequence[str],
        *,
        key: str | None = None,
        tls: ssl.SSLContext | str | Path | None = None,
        answer_s: float = ANSWER_S,
        deadline_s: float = DEADLINE_S,
        unreachable_s: float | None = None,
        advice: str = "",
    ) -> None:
        """Connect to nothing yet.

        Args:
            nodes: URL of a node, such as `http://localhost:9984`; several of one network: the next is asked when one
                does not answer.
            key: access key (`bdb_…`) that is shown to the nodes; None takes the one in the file that
                `BIGCHAINDB_ACCESS_KEY_FILE` names, if it is set.
            tls: file of the authorities that are trusted, in PEM, or a context; None trusts those of the machine.
            answer_s: time for one answer.
            deadline_s: time in which a request is sent again; 0 sends it once.
            unreachable_s: the part of it in which a node that does not answer at all is asked again; None: all of it.
            advice: added to the error of nodes that do not answer.

        Raises:
            RequestFailed: `nodes` is no URL, or has a key in it.
        """
        self._connection = Connection(
            nodes,
            key=key,
            tls=tls,
            answer_s=answer_s,
            deadline_s=deadline_s,
            unreachable_s=unreachable_s,
            advice=advice,
        )

    @property
    def url(self) -> str:
        """The node that is asked next."""
        return self._connection.url

    async def __aenter__(self) -> Self:
        self._connection.usable()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; what waits ends with `ClientUnusable`. Safe to call twice."""
        await self._connection.close()

    async def create(
        self,
        signers: Signers,
        asset: Mapping[str, Any] | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        amount: int = 1,
        to: Owners | None = None,
        mode: Mode = "commit",
    ) -> Transaction:
        """Create an asset, and return its transaction once it is committed.

        The same arguments make the same transaction, which is there once: an asset that shall be another one needs a
        member that differs, such as a serial number.

        Args:
            signers: the key pair of the issuer, or several.
            asset: what it is; never changes.
            metadata: what this transaction says besides.
            amount: shares that are made.
            to: public key of the owner, or several that own together; by default the signers.
            mode: when the node answers: `commit`, `sync` or `async`.

        Raises:
            TransactionRefused: it breaks a rule, which `rule` names.
            RequestFailed: no decision by the deadline; it may still be committed.
            CannotSpend: `to` is no public key, or the amount is none.
        """
        keys = signers_of(signers)
        paid = payment(to or [one.public_key for one in keys], amount)
        return await self.send(build.create(keys, [paid], data=asset, metadata=metadata), mode=mode)

    async def transfer(
        self,
        held: Transaction | Sequence[Transaction],
        signers: Signers,
        *,
        to: Owners,
        amount: int | None = None,
        index: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        mode: Mode = "commit",
    ) -> Transaction:
        """Pass on shares of an asset, and return the transaction once it is committed.

        It spends outputs of `held` that the signers can open, in order, as many as are needed; what is left goes back
        to the owner of the last one. The same arguments make the same transaction, which is there once.

        Args:
            held: the transaction whose outputs are spent, or several of one asset.
            signers: the key pair of the owner, or of each of several owners.
            to: public key of the new owner, or several that own together.
            amount: shares; by default all that the signers can spend.
            index: of the only output to spend.
            metadata: what this transaction says besides.
            mode: when the node answers: `commit`, `sync` or `async`.

        Raises:
            CannotSpend: the outputs are not the signers', or hold too few shares.
            TransactionRefused: it breaks a rule: `DoubleSpend` if another transaction has spent an output.
            RequestFailed: no decision by the deadline; it may still be committed.
        """
        keys, transactions = signers_of(signers), held if isinstance(held, Sequence) else [held]
        what = spending(transactions, keys, to, amount, index)
        return await self.send(build.transfer(what.asset_id, what.spends, what.payments, metadata=metadata), mode=mode)

    async def send(self, signed: Signed, *, mode: Mode = "commit") -> Transaction:
        """Send a signed transaction; return it once it is committed, or as `mode` says.

        That the ledger has it already is success, not an error.

        Args:
            signed: of `bigchaindb.transaction.build`.
            mode: `commit` waits for the block, `sync` for the engine's check, `async` for the node's own.

        Raises:
            TransactionRefused: it breaks a rule, or was rejected later.
            RequestFailed: no decision by the deadline; it may still be committed.
        """
        return await send(self._connection, signed, mode)

    async def verify(self, event: Event, validators: Trusted) -> Proven:
        """Ask for the proof of an event, and verify it.

        Args:
            event: of this ledger; of any granularity.
            validators: those that are trusted, see `bigchaindb.client.trusting`; never taken from the node that is to
                be verified. For a node on its own it is its own key, and the result says `is_own_word`.

        Raises:
            ProofError: the event is not proven; the message names what fails.
            ConfigurationError: `validators` are none.
            RequestFailed: there is no proof, or no node answered by the deadline.
        """
        return await self._verify(event, trust_of(validators))

    async def _verify(self, event: Event, trust: Trust) -> Proven:
        document = await self.proof(event)
        return proven(event, await asyncio.to_thread(verify, document, trust), document)

    async def events(
        self,
        *,
        after: str | None = None,
        until: Literal["head"] | None = None,
        select: Selected | None = None,
        types: Literal["valid", "invalid"] | None = None,
        granularity: Granularity = "block",
        validators: Trusted | None = None,
        away_s: float | None = AWAY_S,
    ) -> AsyncGenerator[LogEvent, None]:
        """Yield the events of the ledger in their order, for ever; lost connections are made again.

        Args:
            after: token of the place to continue at, of any node of the network; None begins with the first event,
                "now" with what is committed from now on.
            until: "head" ends with the last event that there is.
            select: filter; see `calls.Selected`.
            types: blocks with that decision only.
            granularity: "transaction" makes each transaction of a valid block an event.
            validators: if they are given, each event is proven to them before it is yielded; see `verify`.
            away_s: time without a connection after which the iteration ends with RequestFailed; None: never.

        Raises:
            MalformedToken: `after` is no token.
            HistoryLost: the node's log does not have the place of the token; a person decides where to go on.
            RequestFailed: a node refused, or none was reached in `away_s`.
            ProofError: an event is not proven to `validators`; it is not yielded.
        """
        wish = Wish(select, types, granularity, away_s)
        trust = None if validators is None else trust_of(validators)
        async with aclosing(follow(self._connection, wish, after, until)) as stream:
            async for event in stream:
                if trust is not None:
                    await self._verify(event, trust)
                yield event

    async def rejected(
        self,
        *,
        after: str | None = None,
        until: Literal["head"] | None = None,
        select: Selected | None = None,
        away_s: float | None = AWAY_S,
    ) -> AsyncGenerator[LogEvent, None]:
        """Yield the transactions that the node accepted and rejected later, oldest first, for ever.

        The log is the node's own, and so are its tokens: a client of several nodes has none, make one for each.

        Args:
            after: token of the place to continue at; None begins with the first row that is left, "now" with what is
                rejected from now on.
            until: "head" ends with the last row that there is.
            select: filter; see `calls.Selected`.
            away_s: see `events`.

        Raises:
            MalformedToken: `after` is no token.
            HistoryLost: the row of the token has gone for newer ones, or it is of another node.
            RequestFailed: the node refused, or was not reached in `away_s`; or this client has several nodes.
        """
        self._require_one_node()
        async with aclosing(follow(self._connection, Wish(select, away_s=away_s, log="rejected"), after, until)) as log:
            async for event in log:
                yield event

    async def newest(
        self,
        *,
        before: str = NOW,
        select: Selected | None = None,
        types: Literal["valid", "invalid"] | None = None,
        granularity: Granularity = "block",
        log: Log = "events",
    ) -> AsyncGenerator[Event, None]:
        """Yield what the log holds now, newest first; it is read page by page, as far as it is iterated.

        Args:
            before: token of the place to begin at, of an event of `events` or `rejected`; "now" is the end of the log.
            select: filter; see `calls.Selected`.
            types: see `events`.
            granularity: see `events`.
            log: "rejected" for the transactions that the node accepted and rejected later; see `rejected`.

        Raises:
            MalformedToken: `before` is no token.
            HistoryLost: the node's log does not have the place of the token.
            RequestFailed: a node refused, or none was reached by the deadline.
        """
        if log == "rejected":
            self._require_one_node()
        wish = Wish(select, types, granularity, log=log)
        async with aclosing(walk_back(self._connection, wish, before)) as events:
            async for event in events:
                yield event

    def _require_one_node(self) -> None:
        if len(urls := self._connection.urls) > 1:
            raise RequestFailed(
                f"each node has its own log of rejected transactions, and this client has {len(urls)} nodes: "
                f"{', '.join(urls)}; make a client for each"
            )

    def subscription(
        self,
        name: str,
        *,
        acknowledge: Acknowledge = "next",
        unanswered: int = WINDOW,
        label: str | None = None,
        away_s: float | None = AWAY_S,
        **definition: Unpack[Definition],
    ) -> AsyncSubscription:
        """Return a named subscription to consume, with what it is: it is made if it is not there.

        It remembers what was acknowledged, on the node whose URL stands first, and shares its events among all
        consumers of its name. Without any member of a definition it must be there.

        Args:
            name: of the subscription; all instances of an application use the same.
            acknowledge: "next": to ask for the next event acknowledges the one before; "explicit": `event.ack()` does.
            unanswered: the most events that this consumer gets ahead of its answers.
            label: of this consumer, in the node's lists.
            away_s: time without a connection after which the iteration ends with RequestFailed; None: never.
            definition: granularity, select, order, start and so on; see `Definition`.
        """
        return AsyncSubscription(
            self._connection,
            name,
            definition,
            acknowledge=acknowledge,
            unanswered=unanswered,
            label=label,
            away_s=away_s,
        )
