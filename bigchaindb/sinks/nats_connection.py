"""A connection of the plugin `nats`: it ends at its first failure, and each failure has words for people.

The supervisor's patience decides when the next one is made: the library's own reconnecting would hide what is wrong.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from bigchaindb.distribution import needs_extra
from bigchaindb.events import Unavailable
from bigchaindb.sinks.connections import Words
from bigchaindb.sinks.nats_keys import UserKey
from bigchaindb.sinks.nats_options import PORT, NatsOptions, covers, meet

try:
    from nats import errors as nats_errors
    from nats.aio.client import Client
    from nats.js import errors as stream_errors
    from nats.js.api import StreamInfo
except ImportError as error:
    raise ImportError(needs_extra("nats", "nats")) from error

CONNECT_S_MAX: Final = 10.0
"""Time to connect and to find or make the stream."""
ATTEMPT_S_MAX: Final = 4
"""Time of one server of several to take the connection."""
SUBJECTS_SHOWN: Final = 5
KEY_CHARACTERS_MAX: Final = 64 * 1024
"""Of a file of credentials."""
CLOSE_S_MAX: Final = 0.3
"""A server that hangs must not hold a stop: what is acknowledged is safe without a farewell."""
_WORDS: Final = Words("server", "nats", "tls")


class Connection(Client):
    """A connection that ends at its first failure, and remembers it.

    Attributes:
        failure: what ended it; None while all is well.
        has_failed: set with it.
    """

    def __init__(self, options: NatsOptions) -> None:
        super().__init__()
        self.failure: Unavailable | None = None
        self.has_failed = asyncio.Event()
        self._nats = options

    async def open(self, tls: ssl.SSLContext) -> None:
        """Connect to one of the servers."""
        options = self._nats
        user, password = options.user or (None, None)
        key = _key(options)
        if key is not None and key.token is None:
            self._public_nkey = key.public
        await self.connect(
            options.addresses,
            name="bigchaindb",
            user=user,
            password=password,
            token=options.token,
            signature_cb=None if key is None else key.sign,
            user_jwt_cb=None if key is None or key.token is None else key.token.encode,
            tls=tls,
            connect_timeout=ATTEMPT_S_MAX,
            allow_reconnect=False,
            reconnect_time_wait=0,
            max_reconnect_attempts=1,  # 0 is endless
            error_cb=self._note,
            closed_cb=self._note_end,
        )
        self.failure = None  # another server may have failed before
        self.has_failed.clear()

    async def holds(self, stream: str, number: int) -> bool:
        """Whether a stream still has the message of that number."""
        try:
            await self.jsm(timeout=CONNECT_S_MAX).get_msg(stream, seq=number)
        except stream_errors.NotFoundError:
            return False
        return True

    def fail(self, error: Exception) -> Unavailable:
        """Note a failure; return the first one, which is the cause of what follows it."""
        if self.failure is None:
            told = error if isinstance(error, Unavailable) else None
            self.failure = told or Unavailable(f"{self._nats.place}: {_reason(error)}")
            self.has_failed.set()
        return self.failure

    async def _note(self, error: Exception) -> None:
        self.fail(error)

    async def _note_end(self) -> None:
        self.fail(self.last_error or nats_errors.ConnectionClosedError())

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's
        # The library would go on without TLS, and send the password where everybody can read it.
        if initial_connection and self._nats.insists_on_tls and not info.get("tls_required"):
            raise nats_errors.SecureConnWantedError
        await super()._process_info(info, initial_connection)


@asynccontextmanager
async def connected(options: NatsOptions, tls: ssl.SSLContext) -> AsyncIterator[Connection]:
    """Connect; raise `Unavailable` for whatever goes wrong with the server, as no event is to blame."""
    asyncio.get_running_loop().set_exception_handler(_tell_what_is_not_raised)
    client = Connection(options)
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            try:
                await client.open(tls)
            except ValueError as error:  # a line without an end
                raise nats_errors.Error("no INFO message") from error
        yield client
    except (nats_errors.Error, OSError) as error:  # of which a timeout is one
        raise client.fail(error) from error
    finally:
        with suppress(Exception):
            await asyncio.wait_for(client.close(), CLOSE_S_MAX)


async def found_stream(client: Connection, options: NatsOptions) -> StreamInfo | None:
    """Return the stream; None if it is to be made.

    Raises:
        Unavailable: it is missing, or cannot be used.
    """
    try:
        found = await client.jsm(timeout=CONNECT_S_MAX).stream_info(options.stream)
    except stream_errors.NotFoundError:
        if options.create:
            return None
        raise Unavailable(
            f"{options.place}: there is no stream {options.stream}; run: {options.command}, or set the option create "
            "to true"
        ) from None
    if found.config.no_ack:
        raise Unavailable(
            f"{options.place}: the stream {options.stream} acknowledges nothing, so nobody would know what it has; "
            f"run: nats stream edit {options.stream} --ack"
        )
    if not any(meet(one, options.subjects) for one in found.config.subjects or ()):
        raise Unavailable(
            f"{options.place}: the stream {options.stream} takes {_listed(found)} and no message of "
            f"{options.subjects}; correct the option subject, or run: "
            f"nats stream edit {options.stream} --subjects '{options.subjects}'"
        )
    return found


def left_out(found: StreamInfo, options: NatsOptions) -> str:
    """Return for people which messages the stream may not take, "" if it takes all of them."""
    if any(covers(one, options.subjects) for one in found.config.subjects or ()):
        return ""
    return f"it takes {_listed(found)}, which may leave out messages of {options.subjects}"


def _listed(found: StreamInfo) -> str:
    return ", ".join((found.config.subjects or [])[:SUBJECTS_SHOWN]) or "no subjects"


def _key(options: NatsOptions) -> UserKey | None:
    """Return the key to log in with; it is read anew for each connection, since keys are replaced."""
    option = "credentials_file" if options.credentials_file is not None else "nkey_file"
    path = options.credentials_file or options.nkey_file
    if path is None:
        return None
    try:
        with Path(path).open(encoding="ascii", errors="replace") as file:
            key = UserKey(file.read(KEY_CHARACTERS_MAX))
    except OSError as error:
        raise Unavailable(f"{option}: cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise Unavailable(f"{option}: {path} {error}") from None
    if key.token is None and option == "credentials_file":
        raise Unavailable(f"{option}: {path} has no JWT of a user; name a file of a seed alone in the option nkey_file")
    return key


def _reason(error: Exception) -> str:
    """Return what happened to a connection, why, and what to do."""
    match error:
        case nats_errors.SecureConnWantedError():
            return "the server does not ask for TLS, which tls:// requires; set up TLS there, or write nats:// for none"
        case TimeoutError():
            return (
                f"no answer in time; check that the server runs, and that its port for clients, usually {PORT}, is set"
            )
        case ConnectionResetError() | BrokenPipeError():
            return _words(error)
    return _WORDS.why(error) or _words(error)


def _words(error: Exception) -> str:
    """Return the meaning of an error of the library, which most often has the server's words alone."""
    if isinstance(error, stream_errors.ServiceUnavailableError):
        what = error.description or "nobody answers"
        return f"JetStream is not available: {what}; start the server with -js, and enable it for the account"
    if isinstance(error, stream_errors.APIError):
        return f"{error.description} (error {error.err_code}); check the stream and the account's limits"
    text = str(error).removeprefix("nats: ").strip("' ")
    if "authorization" in text.lower() or "authentication" in text.lower():
        return "refuses the login; correct user and password of the option url, or token, credentials_file, nkey_file"
    if "info message" in text.lower():
        return f"the server does not speak NATS; name its port of clients in the option url, usually {PORT}"
    if "permissions violation" in text:
        return f"the user has too few rights: {text}; allow that in the server's configuration"
    return f"the connection has ended: {text or type(error).__name__}; check the server's log"


def _tell_what_is_not_raised(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out what ends the library's own tasks when a connection ends: the same error comes to us."""
    if not isinstance(context.get("exception"), (nats_errors.Error, OSError)):
        loop.default_exception_handler(context)


# The library tells its own story of each failure; ours is what it raises.
logging.getLogger("nats").setLevel(logging.CRITICAL)
