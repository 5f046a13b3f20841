"""The plugin `webhook`: each event as an HTTP POST, signed as Standard Webhooks says.

One after the other in the order of the log; or many at a time, in order within each asset or owner, and several
messages in a request.

The receiver's word is its status: 2xx is done, 410 wants nothing any more, a refusal of this one message counts against
its event, and everything else is a receiver that is down, for as long as it takes. `webhook-id` tells repeats.

A receiver is a stranger: its name must not lead into our own network, redirects are not followed, and whatever it
answers is bounded in bytes and time.

Source: Standard Webhooks (headers, signature, secrets); RFC 9110, section 15 (status codes).
"""

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final, Literal

import aiohttp
import msgspec
from msgspec import Meta, Struct
from yarl import URL

from bigchaindb.delivery import Format, Message, ShapedOptions, forward_by_key, messages_of, read_options
from bigchaindb.events import EventQueue, EventTypes, Gone, Unavailable
from bigchaindb.sinks.public_addresses import PublicResolver, is_private, open_public

BATCH_TYPE: Final = "application/cloudevents-batch+json"
JSON_TYPE: Final = "application/json"
PARALLEL_MAX: Final = 256
"""Requests on their way: each is a connection of the receiver's."""
BATCH_MAX: Final = 1_000
RETRY_AFTER_S_MAX: Final = 300.0
"""As long as the node waits by itself for a receiver that is down; a stranger must not stop a lane for a day."""
USER_AGENT: Final = "bigchaindb"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with
SECRET_BYTES_MIN: Final = 24
SECRET_BYTES_MAX: Final = 64
ANSWER_BYTES_MAX: Final = 64 * 1024
"""Bytes of an answer that are read; a connection on which more comes is closed."""
ANSWER_S_MAX: Final = 1.0
"""Time for the rest of an answer whose status is known."""
SHOWN_CHARACTERS: Final = 200
UNAUTHORIZED: Final = 401
GONE: Final = 410
NO_SUCH_METHOD: Final = 501
REFUSED: Final = frozenset({400, 402, 406, 409, 411, 412, 413, 414, 415, 416, 417, 422, 431, 451})
"""Statuses that refuse one message, rather than the receiver or its address."""


class _Input(Struct):
    owners_before: list[str]


class _Output(Struct):
    public_keys: list[str] | None = None


class _Owners(Struct):
    inputs: list[_Input]
    outputs: list[_Output]


_decode_owners: Final = msgspec.json.Decoder(_Owners).decode


class WebhookOptions(ShapedOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        url: where to post to: `https://`, or `http://` if `allow_private` is set.
        secret: `whsec_` and 24 to 64 bytes in base64; several while one replaces another: each signs.
        timeout_s: time for one request, until the status is there.
        allow_private: whether the receiver may be in a network of our own, this machine included.
        ca_file: whom to trust, else the system's authorities.
        parallel: requests on their way at once.
        order: what stays in order: what happens to one asset, what concerns one owner, or the whole log.
        batch: messages of a request at most; above 1 each request is a JSON array, a batch of CloudEvents unless
            `format` is set.
    """

    url: str
    secret: str | tuple[str, ...]
    timeout_s: float = 15.0
    allow_private: bool = False
    ca_file: str | None = None
    parallel: Annotated[int, Meta(ge=1, le=PARALLEL_MAX)] = 1
    order: Literal["asset", "owner", "log"] = "asset"
    batch: Annotated[int, Meta(ge=1, le=BATCH_MAX)] = 1

    def __post_init__(self) -> None:
        """Refuse options that cannot work or would not be safe."""
        super().__post_init__()
        url = self.address
        if url.scheme not in {"https", "http"} or not url.raw_host:
            raise ValueError("url: must be https://host/path")
        if url.user is not None or url.password is not None:
            raise ValueError("url: must not hold a user or a password: the signature is who we are")
        if url.scheme == "http" and not self.allow_private:
            raise ValueError("url: must be https, as others could read along; http takes allow_private")
        if not _is_name(url.raw_host):
            raise ValueError(f"url: {url.raw_host} is no name of a host")
        if not self.allow_private and is_private(url.raw_host):
            raise ValueError(f"url: {url.raw_host} is in a network of our own: set allow_private if that is wanted")
        if self.timeout_s <= 0:
            raise ValueError(f"timeout_s: must be above 0, found {self.timeout_s!r}")
        if not self.keys:
            raise ValueError("secret: must not be empty")
        if self.format is Format.BINARY and self.batch > 1:
            raise ValueError(
                f"format: {self.format} has one message in a request, since it describes it by headers; "
                "set batch to 1, or another format"
            )

    @property
    def keys(self) -> Sequence[bytes]:
        """The secrets as bytes."""
        return [_key(one) for one in ((self.secret,) if isinstance(self.secret, str) else self.secret)]

    @property
    def is_plain(self) -> bool:
        """Whether the log is passed on message by message, one after the other."""
        return self.parallel == self.batch == 1

    def order_keys(self, message: Message) -> Collection[str]:
        """Return what a message shares with those that it must stay in order with."""
        if self.order == "log":
            return ("",)
        return owners_of(message) if self.order == "owner" else (message.asset_id,)

    @property
    def place(self) -> str:
        """The receiver without what may be secret in its address, for people."""
        return str(self.address.origin())

    @property
    def address(self) -> URL:
        """The address as the client library reads it, which may differ from how it is written."""
        try:
            return URL(self.url)
        except ValueError:
            raise ValueError("url: is no address") from None  # its own text may quote what is secret


class WebhookSink:
    """What the entry point names."""

    acknowledge = "next_get"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, WebhookOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select
        self._tls = trusting(self._options.ca_file)
        self.acknowledge = "next_get" if self._options.is_plain else "explicit"

    def check(self) -> str:
        """Ask the receiver for its head; no event is posted."""
        return asyncio.run(self._check())

    def run(self, queue: EventQueue) -> None:
        """Post what comes until the queue has ended."""
        asyncio.run(self._run(queue))

    async def _check(self) -> str:
        async with _session(self._options, self._tls) as session:
            status = await Receiver(self._options, session).ask_head()
        said = f"{self._options.place} answers HEAD with {status}{_advice(status, 'HEAD')}"
        if status == GONE or 300 <= status < 400 or (status >= 500 and status != NO_SUCH_METHOD):  # noqa: PLR2004 - RFC 9110, section 15
            raise Unavailable(said)
        return said

    async def _run(self, queue: EventQueue) -> None:
        async with _session(self._options, self._tls) as session:
            receiver, options = Receiver(self._options, session), self._options
            if options.is_plain:
                async for event in queue:
                    for message in messages_of(event, options.per):
                        await receiver.post([message])
                return
            await forward_by_key(
                queue,
                lambda event: messages_of(event, options.per),
                options.order_keys,
                receiver.post,
                parallel=options.parallel,
                batch=options.batch,
            )


class Receiver:
    """Whom we post to."""

    def __init__(self, options: WebhookOptions, session: aiohttp.ClientSession) -> None:
        self._options = options
        self._session = session
        self._shape = options.shape

    async def post(self, messages: Sequence[Message]) -> None:
        """Post messages in one request, and wait until they are taken.

        Raises:
            Gone: the receiver wants nothing any more.
            Unavailable: it is down, or not what it should be.
            ValueError: it refuses these messages.
        """
        if self._options.batch == 1:
            [message] = messages
            type_, attributes, body = self._shape.render(message)
            id_ = message.id
        else:
            ids = "\n".join(message.id for message in messages)
            id_, attributes = f"batch:{hashlib.sha256(ids.encode()).hexdigest()}", {}
            type_ = BATCH_TYPE if self._shape.format is Format.CLOUDEVENTS else JSON_TYPE
            body = b"[%b]" % b",".join(map(self._shape.body, messages))
        headers = {"content-type": type_, **signed(id_, int(time.time()), body, self._options.keys)}
        headers |= {f"ce-{name}": value for name, value in attributes.items()}
        status, text, retry_after_s = await self._ask("POST", headers, body)
        said = f"{self._options.place} answers {status}{_advice(status, 'POST')}{f': {text!r}' if text else ''}"
        if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110, section 15.3
            return
        if status == GONE:
            raise Gone(said)
        if status in REFUSED:
            raise ValueError(f"{messages[0].id}{'' if len(messages) == 1 else ' and others'}: {said}")
        raise Unavailable(said, retry_after_s=retry_after_s)

    async def ask_head(self) -> int:
        """Ask for the head alone; return the status, whatever it is.

        Raises:
            Unavailable: nobody answers.
        """
        status, *_ = await self._ask("HEAD", {}, None)
        return status

    async def _ask(self, method: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, str, float | None]:
        place = self._options.place
        try:
            async with self._session.request(
                method, self._options.url, headers=headers, data=body, allow_redirects=False
            ) as response:
                retry_after_s = retry_after(response.headers.get("retry-after"), time.time())
                return response.status, await _answer(response), retry_after_s
        except TimeoutError as error:
            raise Unavailable(f"{place}: no answer within {self._options.timeout_s:g} s") from error
        except aiohttp.ClientResponseError as error:
            # Its own text holds the whole url.
            raise Unavailable(f"{place}: no HTTP answer: {error.message!r}") from None
        except aiohttp.InvalidURL:
            raise Unavailable(f"{place}: the option url is no address") from None
        except aiohttp.ClientConnectorDNSError as error:
            raise Unavailable(f"{place}: {error.os_error}") from error  # its own text leaves out what we said
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{place}: {error}") from error


def owners_of(message: Message) -> Collection[str]:
    """Return the public keys in the inputs and outputs of a transaction; of a whole block one for all."""
    if message.index is None:
        return ("",)
    found = _decode_owners(message.data)
    return {key for one in found.inputs for key in one.owners_before} | {
        key for one in found.outputs for key in one.public_keys or ()
    }


def retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds that a header `Retry-After` asks for, at most `RETRY_AFTER_S_MAX`; None if it has none.

    Args:
        text: seconds or a date. Source: RFC 9110, section 10.2.3.
        now: Unix seconds.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:  # noqa: PLR2004 - what lasts longer is cut anyway
        asked_s = float(text)
    else:
        try:
            asked_s = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return min(max(asked_s, 0.0), RETRY_AFTER_S_MAX)


def signed(id_: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of Standard Webhooks.

    Args:
        id_: the same for every delivery.
        timestamp: of this delivery, Unix seconds; receivers refuse old ones.
        body: the exact bytes that are posted.
        keys: each signs.
    """
    text = b"%b.%d.%b" % (id_.encode(), timestamp, body)
    signatures = [base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


def _is_name(host: str) -> bool:
    """Whether a host can be looked up: any other fails within the look-up, like a fault of the event."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Return the context that checks a receiver's certificate.

    Raises:
        ValueError: the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ValueError(f"ca_file: {ca_file} cannot be used: {error}") from error


def _session(options: WebhookOptions, tls: ssl.SSLContext) -> aiohttp.ClientSession:
    public: dict[str, Any] = (
        {} if options.allow_private else {"resolver": PublicResolver(), "socket_factory": open_public}
    )
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=options.parallel, ssl=tls, **public),
        timeout=aiohttp.ClientTimeout(total=options.timeout_s),
        headers={"user-agent": USER_AGENT},
        auto_decompress=False,  # a small answer must not become a large one
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _answer(response: aiohttp.ClientResponse) -> str:
    """Return the beginning of the answer; the rest is left, and its connection closed, if it is long or slow."""
    content = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(ANSWER_S_MAX):
            async for piece in response.content.iter_any():
                content += piece
                if len(content) > ANSWER_BYTES_MAX:
                    break
    if not response.content.at_eof():
        response.close()
    return " ".join(content.decode(errors="replace").split())[:SHOWN_CHARACTERS]


def _advice(status: int, method: str) -> str:
    """Return the way on for a status that the receiver's owner rarely explains."""
    if status == UNAUTHORIZED and method == "POST":  # signed
        return " (does it have the same secret?)"
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, section 15.4
        return " (a redirect, which is not followed: set url to where it leads)"
    return ""


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        raise ValueError("secret: must be whsec_ and base64") from None
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ValueError(f"secret: must be {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, found {len(key)}")
    return key


plugin = WebhookSink()
"""Reads its options in `configure`."""
