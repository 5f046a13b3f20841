"""What went wrong with a Redis or Valkey server, why, and what to do: a sentence for each of its errors."""

from collections.abc import Mapping
from typing import Final

from redis import exceptions

from bigchaindb.sinks.connections import Words

TEXT_CHARACTERS_MAX: Final = 300
_WORDS: Final = Words("server", "redis", "rediss")
_ADDRESS: Final = "redis://USER:PASSWORD@HOST:PORT/NUMBER"
_COMMANDS: Final = "+multi +exec +xadd +xrange +xinfo +info +config|get"
_CLOSED: Final = (
    "the server closed the connection; start it again, or write rediss:// in the option url if it wants TLS"
)
_NOT_ALLOWED: Final = f"{{text}}; grant the user what is missing: ACL SETUSER NAME ~{{stream}} {_COMMANDS}"
_BY_CODE: Final[Mapping[str, str]] = {
    "CLUSTERDOWN": "{text}; bring the nodes of its cluster back",
    "CROSSSLOT": "it is part of a cluster that keeps these streams apart; set the option stream to one constant name",
    "DENIED": "it admits nobody from another machine without a password; set one there and in the option url",
    "LOADING": "it still loads its data; wait until it is done",
    "MASTERDOWN": "it is a replica, which takes no writes; name the primary in the option url",
    "MISCONF": "it takes no writes since it cannot save to its disk; make room there, and see the server's log",
    "NOAUTH": f"it wants a user and a password; write them in the option url: {_ADDRESS}",
    "NOPERM": _NOT_ALLOWED,
    "NOREPLICAS": "it takes no writes while it has fewer replicas than its min-replicas-to-write; bring them back",
    "OOM": "its memory is full; raise its maxmemory, remove what it need not hold, or set the option maxlen",
    "READONLY": "it is a replica, which takes no writes; name the primary in the option url",
    "TRYAGAIN": "its cluster moves {stream} to another node; wait until it is done",
    "WRONGPASS": "it refuses the user or the password of the option url; correct them",
    "WRONGTYPE": "{stream} is a key of another type; remove it, or name another in the option stream",
}
"""What to say for the first word of an answer that is an error."""
_BY_TEXT: Final[Mapping[str, str]] = {
    "NOPERM": _NOT_ALLOWED,  # within the answer of EXEC
    "AUTH": "it refuses the user or the password of the option url; correct them",
    "max number of clients": "it has as many clients as it may; raise its maxclients, or end some of them",
    "exhausted the last possible ID": "{stream} has no id left; remove it, or name another in the option stream",
    "unknown command": "{text}; use Redis 5 or newer, or Valkey",
    "DB index is out of range": "it has no database of the number in the option url; correct that number",
    "closed": _CLOSED,
    "reset": _CLOSED,
    "Broken pipe": _CLOSED,
}
"""What to say for a part of the text of any other error."""


def reason(error: exceptions.RedisError, *, stream: str, answer_s: float) -> str:
    """Return what happened, why, and what to do.

    Args:
        error: the library's; it quotes the server's own words, and no password.
        stream: what was written to.
        answer_s: how long was waited for an answer.
    """
    text = " ".join(str(error).split())[:TEXT_CHARACTERS_MAX]
    match error:
        case exceptions.AskError(host=str(host), port=int(port)):  # an error MOVED is one
            return f"it is part of a cluster that keeps {stream} at {host}:{port}; name that address in the option url"
        case exceptions.TimeoutError():
            where = ", and that url names the right port: of TLS for rediss://" if "connecting" in text else ""
            return f"no answer within {answer_s:g} s; check that the server runs and is not overloaded{where}"
        case exceptions.InvalidResponse():
            return (
                "the server does not speak the protocol of Redis: it may be an HTTP server; name the port of Redis in "
                "the option url, usually 6379"
            )
    code = error.status_code or text.partition(" ")[0]
    sentence = _BY_CODE.get(code) or _of_connection(error.__context__)
    if sentence is None:
        sentence = next((found for part, found in _BY_TEXT.items() if part in text), "{text}; see the server's log")
    return sentence.format(text=text, stream=stream)


def _of_connection(cause: BaseException | None) -> str | None:
    """Return the sentence for what the operating system or TLS said, if they said something."""
    match cause:
        case ConnectionRefusedError():
            pass
        case ConnectionError():
            return None  # it was open before
    found = _WORDS.why(cause)
    return None if found is None else found.replace("{", "{{").replace("}", "}}")
