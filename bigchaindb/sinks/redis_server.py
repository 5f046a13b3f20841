"""A Redis or Valkey server, and what the plugin `redis` adds to its streams.

Source: Redis' documentation of streams, transactions and persistence.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, Self

from redis.exceptions import RedisError, ResponseError

from bigchaindb.delivery import Format, Message, Naming, Shape
from bigchaindb.events import Unavailable
from bigchaindb.sinks.redis_reasons import reason

RETURNED_FROM: Final = 1 << 32
"""Where the second half of the id of what returns begins: no transaction of a block has such an index."""
SEQUENCE_MAX: Final = (1 << 64) - 1
TRIES_MAX: Final = 10
"""To find ids above the last one while others add to the same stream."""
_ENVELOPES: Final = {Format.CLOUDEVENTS, Format.DEBEZIUM}
_TOO_LOW: Final = "equal or smaller than the target stream top item"
_NOT_ABOVE_ZERO: Final = "must be greater than 0-0"
_NO_SUCH_KEY: Final = "no such key"
_TOO_LARGE: Final = "too large to be stored"

Command = Sequence[str | bytes]


class Entry(NamedTuple):
    """A message as it stands in its stream.

    Attributes:
        stream: its key.
        place: `<position>-<index in block>`, the id that it has unless it returns.
        id: of the message.
        fields: names and values in turn.
    """

    stream: str
    place: str
    id: str
    fields: Command


class Server:
    """A connection, and what we add by it."""

    def __init__(self, connection: Any, place: str, answer_s: float) -> None:  # noqa: ANN401 - the library's has no types
        """Connect.

        Args:
            connection: of the library, not open yet.
            place: the server without its password, for people.
            answer_s: its time for an answer.

        Raises:
            Unavailable: the server does not answer, or refuses the login.
        """
        self.place = place
        self._answer_s = answer_s
        self._connection = connection
        try:
            connection.connect()
        except RedisError as error:
            raise self.unavailable(error) from error

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and wait for all answers; return that of each, errors among them."""
        try:
            self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
            return [self._answer() for _ in commands]
        except RedisError as error:
            raise self.unavailable(error) from error

    def together(self, commands: Sequence[Command], streams: Sequence[str]) -> list[Any]:
        """Run commands as one transaction; return the answer of each, errors among them.

        Args:
            commands: that are run all or not at all.
            streams: the key of each.

        Raises:
            Unavailable: the server refused one of them beforehand, and so ran none.
        """
        answers = self.ask([("MULTI",), *commands, ("EXEC",)])
        if isinstance(answers[-1], list):
            return answers[-1]
        for answer, stream in zip(answers, ("", *streams, ""), strict=True):
            if isinstance(answer, ResponseError):
                raise self.unavailable(answer, stream)
        raise Unavailable(f"{self.place}: EXEC answers {answers[-1]!r}; see the server's log")

    def setting(self, *names: str) -> list[str | None]:
        """Return settings of the server; None for one that it does not tell."""
        return [
            None if isinstance(answer, ResponseError) or not answer else answer[1].decode()
            for answer in self.ask([("CONFIG", "GET", name) for name in names])
        ]

    def version(self) -> str:
        """Return which server it is, for people."""
        (about,) = self.ask([("INFO", "server")])
        if isinstance(about, ResponseError):
            return "a server"
        lines = dict(line.partition(":")[::2] for line in about.decode(errors="replace").splitlines())
        for name in ("valkey", "redis"):  # Valkey tells a version of Redis too
            if version := lines.get(f"{name}_version"):
                return f"{name.capitalize()} {version}"
        return "a server"

    def unavailable(self, error: RedisError, stream: str = "") -> Unavailable:
        """Return what to raise for an error of the library."""
        text = reason(error, stream=stream or "the stream", answer_s=self._answer_s)
        return Unavailable(f"{self.place}: {text}")

    def close(self) -> None:
        """Disconnect."""
        self._connection.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self) -> Any:  # noqa: ANN401 - whatever a command answers
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error


class Streams:
    """What messages become on a server.

    Attributes:
        bytes_max: of a message's body, if the server told it.
    """

    def __init__(self, server: Server, naming: Naming, shape: Shape, *, window: int, maxlen: int | None) -> None:
        self.bytes_max: int | None = None
        self._server = server
        self._naming = naming
        self._shape = shape
        self._window = window
        self._trim = () if maxlen is None else ("MAXLEN", "~", str(maxlen))

    def try_out(self) -> None:
        """Try each command that is needed, on the stream of an example, and add nothing.

        Raises:
            Unavailable: one of them is refused.
        """
        stream = self._naming.example
        commands: list[Command] = [
            ("XADD", stream, *self._trim, "0-0", "id", "check"),  # an id that no server takes
            ("XRANGE", stream, "0-1", "0-1"),
            ("XINFO", "STREAM", stream),
        ]
        for answer in self._server.together(commands, [stream] * len(commands)):
            if isinstance(answer, ResponseError) and not any(
                text in str(answer) for text in (_NOT_ABOVE_ZERO, _NO_SUCH_KEY)
            ):
                raise self._server.unavailable(answer, stream)

    def write(self, messages: Iterable[Message]) -> None:
        """Add messages in order, and return when all of them are there.

        Raises:
            Unavailable: the server is gone, or takes nothing now.
            ValueError: it will never take one of them.
        """
        entries = map(self._entry, messages)
        while window := list(islice(entries, self._window)):
            refused = self._add(window, [entry.place for entry in window])
            if refused:
                self._add_missing(refused)

    def _entry(self, message: Message) -> Entry:
        content_type, attributes, body = self._shape.render(message)
        if self.bytes_max is not None and len(body) > self.bytes_max:
            raise ValueError(
                f"{message.id}: {len(body)} bytes are more than the server takes, which is {self.bytes_max}; "
                "raise its proto-max-bulk-len, or select less by the option fields"
            )
        fields: list[str | bytes] = ["id", message.id]
        for name, value in attributes.items():
            if name != "id":
                fields += (name, value)
        if attributes:
            fields += ("datacontenttype", content_type)
        fields += ("event" if self._shape.format in _ENVELOPES else "data", body)
        return Entry(self._naming.name(message), f"{message.position}-{message.index or 0}", message.id, fields)

    def _add(self, entries: Sequence[Entry], places: Iterable[str], more: Command = ()) -> list[Entry]:
        """Add entries under these ids, all or none; return those whose id is not above the last one."""
        commands = [
            ("XADD", entry.stream, *self._trim, place, *entry.fields, *more)
            for entry, place in zip(entries, places, strict=True)
        ]
        answers = self._server.together(commands, [entry.stream for entry in entries])
        refused = [
            (entry, answer) for entry, answer in zip(entries, answers, strict=True) if isinstance(answer, ResponseError)
        ]
        for entry, answer in refused:
            if _TOO_LARGE in str(answer):
                raise ValueError(f"{entry.id}: the server refuses it: {answer}; select less by the option fields")
            if _TOO_LOW not in str(answer):
                raise self._server.unavailable(answer, entry.stream)
        return [entry for entry, _ in refused]

    def _add_missing(self, entries: Sequence[Entry]) -> None:
        """Add those entries that their streams do not hold, in order, behind everything that is there."""
        found = self._server.ask([("XRANGE", entry.stream, entry.place, entry.place) for entry in entries])
        missing: dict[str, list[Entry]] = {}
        for entry, answer in zip(entries, found, strict=True):
            if isinstance(answer, ResponseError):
                raise self._server.unavailable(answer, entry.stream)
            if not any(_id_of(fields) == entry.id for _, fields in answer):
                missing.setdefault(entry.stream, []).append(entry)
        for stream, left in missing.items():
            self._add_behind(stream, left)

    def _add_behind(self, stream: str, entries: Sequence[Entry]) -> None:
        for _ in range(TRIES_MAX):
            entries = self._add(entries, self._free_places(stream, len(entries)), ("returned", "true"))
            if not entries:
                return
        raise Unavailable(
            f"{self._server.place}: others add to {stream} between each of {TRIES_MAX} tries to add what returns; "
            "name another stream in the option stream"
        )

    def _free_places(self, stream: str, count: int) -> Iterator[str]:
        """Return ids above the last one of a stream that leave free those of the next positions."""
        (about,) = self._server.ask([("XINFO", "STREAM", stream)])
        if isinstance(about, ResponseError):
            raise self._server.unavailable(about, stream)
        last = dict(zip(about[::2], about[1::2], strict=True))[b"last-generated-id"]
        position, sequence = map(int, last.split(b"-"))
        first = max(sequence + 1, RETURNED_FROM)
        if first + count > SEQUENCE_MAX:
            position, first = position + 1, RETURNED_FROM
        return (f"{position}-{first + number}" for number in range(count))


def _id_of(fields: Sequence[bytes]) -> str:
    return dict(zip(fields[::2], fields[1::2], strict=True)).get(b"id", b"").decode(errors="replace")
