"""The options of the plugin `nats`, and the subjects that they name. Knows no connection."""

from typing import Final
from urllib.parse import SplitResult, unquote

from bigchaindb.delivery import Format, Naming
from bigchaindb.sinks.servers import RESERVED, ConfirmedOptions, address_of, place_of

PORT: Final = 4222
SUBJECT_CHARACTERS_MAX: Final = 200
"""Of the template: whatever stands in its braces, the line that holds a subject stays below the 4,096 bytes that a
server reads."""
STREAM_CHARACTERS_MAX: Final = 255
"""A stream's name is that of a folder."""
DUPLICATE_S: Final = 600.0
"""The duplicate window of a stream that the sink makes: twice the longest pause between two attempts."""

_FORM: Final = "nats://USER:PASSWORD@HOST:PORT, or tls:// to insist on TLS"


class NatsOptions(ConfirmedOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        url: `nats://user:password@host:port`, or `tls://` to insist on TLS; several servers of a cluster with commas.
        subject: a template of `Naming`.
        stream: that takes these subjects.
        create: whether the stream is made where it is missing; else it has to be there.
        token, credentials_file, nkey_file: other ways to log in than a user in `url`.
    """

    default_format = Format.BINARY

    url: str
    subject: str = "bigchaindb.{routing_key}"
    stream: str = "BIGCHAINDB"
    create: bool = False
    token: str | None = None
    credentials_file: str | None = None
    nkey_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        super().__post_init__()
        servers = self.servers
        users = {(parts.username, parts.password) for parts in servers}
        if len(users) > 1 or len({parts.scheme for parts in servers}) > 1:
            raise ValueError("url: must have the same scheme, user and password for all servers")
        ways = (self.token, self.credentials_file, self.nkey_file, servers[0].username)
        if len([way for way in ways if way is not None]) > 1:
            raise ValueError("token, credentials_file, nkey_file, and a user in url: set one of them at most")
        _check_subject(self.subject)
        if not 0 < len(self.stream) <= STREAM_CHARACTERS_MAX or not _is_name(self.stream):
            raise ValueError(
                f"stream: must be a name of 1 to {STREAM_CHARACTERS_MAX} characters, without spaces and any of "
                f". * > / \\, found {self.stream!r}"
            )

    @property
    def servers(self) -> list[SplitResult]:
        """The addresses."""
        return [_parts(url) for url in self.url.split(",")]

    @property
    def addresses(self) -> list[str]:
        """The addresses without user and password."""
        return [f"{parts.scheme}://{place_of(parts, PORT)}" for parts in self.servers]

    @property
    def place(self) -> str:
        """The servers, for people."""
        return ",".join(place_of(parts, PORT) for parts in self.servers)

    @property
    def user(self) -> tuple[str, str] | None:
        """User and password."""
        parts = self.servers[0]
        return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))

    @property
    def insists_on_tls(self) -> bool:
        """Whether nothing may be sent without TLS."""
        return self.servers[0].scheme == "tls"

    @property
    def naming(self) -> Naming:
        """What makes the subject of a message."""
        return Naming(self.subject, "subject")

    @property
    def subjects(self) -> str:
        """The subjects of all messages, as a stream is told of them: with wildcards."""
        words: list[str] = []
        for word in self.subject.split("."):
            if "{routing_key}" in word:  # it has several words, and how many depends on the message
                return ".".join([*words, ">"])
            words.append("*" if "{" in word else word)
        return ".".join(words)

    @property
    def command(self) -> str:
        """The command that makes the stream."""
        return (
            f"nats stream add {self.stream} --subjects '{self.subjects}' --storage file "
            f"--dupe-window {DUPLICATE_S:g}s --defaults"
        )


def covers(wide: str, narrow: str) -> bool:
    """Whether a pattern of subjects takes every subject that another one takes."""
    wides, narrows = wide.split("."), narrow.split(".")
    for place, word in enumerate(wides[: len(narrows)]):
        if word == ">":
            return True
        if narrows[place] == ">" or word not in {"*", narrows[place]}:
            return False
    return len(wides) == len(narrows)


def meet(one: str, other: str) -> bool:
    """Whether two patterns of subjects take a subject both."""
    ones, others = one.split("."), other.split(".")
    for word, another in zip(ones, others, strict=False):
        if ">" in {word, another}:
            return True
        if "*" not in {word, another} and word != another:
            return False
    return len(ones) == len(others)


def _parts(url: str) -> SplitResult:
    parts = address_of(url, {"nats", "tls"}, kind="a server", form=_FORM, reserved=f"{RESERVED},")
    if parts.username is not None and parts.password is None:
        raise ValueError(f"url: has a user without a password; write it as {_FORM}, and a token in the option token")
    return parts


def _is_name(text: str) -> bool:
    return text.isprintable() and not set(text) & set(" .*>/\\")


def _check_subject(template: str) -> None:
    """Require that a template makes subjects that a server takes.

    Raises:
        ValueError: names the character.
    """
    if len(template) > SUBJECT_CHARACTERS_MAX:
        raise ValueError(f"subject: must have at most {SUBJECT_CHARACTERS_MAX} characters, found {len(template)}")
    for number, character in enumerate(template, 1):
        if character in "*>":
            raise ValueError(
                f"subject: {template!r}, character {number}: {character!r} is a wildcard, for readers alone"
            )
        if character == " " or not character.isprintable():
            raise ValueError(f"subject: {template!r}, character {number}: {character!r} cannot be in a subject")
    _ = Naming(template, "subject")
    number = 1
    for word in template.split("."):
        if not word:
            raise ValueError(f"subject: {template!r}, character {number}: a word between dots must not be empty")
        number += len(word) + 1
    if template.startswith("$"):
        raise ValueError(f"subject: {template!r}, character 1: what begins with '$' is the server's own")
