"""What a broker of MQTT 5 says by its codes: whom an error blames, what happened, and what to do.

`ValueError` blames one message, `Unavailable` the broker, and `Gone` waits for a person.

Source: MQTT 5.0 (OASIS), sections 2.4, 3.2.2.2, 3.4.2.1 and 3.14.2.1.
"""

import ssl
from typing import Final

from bigchaindb.events import Gone, Unavailable
from bigchaindb.sinks.connections import Words

SUCCESS: Final = 0
NO_SUBSCRIBER: Final = 0x10
PROTOCOL_ERROR: Final = 0x82
KEEPALIVE_TIMEOUT: Final = 0x8D
TAKEN_OVER: Final = 0x8E
TOO_LARGE: Final = 0x95

_QUOTA: Final = "a quota of the broker is used up: raise it, or wait until subscribers have caught up"
_OF_THE_MESSAGE: Final = {
    TOO_LARGE: "is larger than the broker takes: raise its max_packet_size, or send less of it by the option fields",
    0x99: "is no text to the broker: its log says why",
}
"""Codes that blame one message and nothing else."""
_PUBLISHED: Final = {
    NO_SUBSCRIBER: "no subscriber wants it: subscribe to it with a session that persists, or set the option unrouted "
    "to drop",
    0x87: "the user may not publish to it: allow that in the broker's access list, or correct the option url or topic",
    0x90: "the broker refuses the topic: correct the option topic",
    0x97: _QUOTA,
}
"""Codes of a PUBACK, after the topic."""
_CONNECTED: Final = {
    0x84: "speaks an older MQTT than 5: update it, or name another broker in the option url",
    0x85: "refuses the client id {client_id}: set client_id to one that it takes, 23 letters and digits at most",
    0x86: "refuses the user or the password of the option url",
    0x87: "refuses the user or the password of the option url, or lets nobody in without them",
    0x88: "is not ready: if that lasts, its log says why",
    0x89: "is busy: if that lasts, give it more room",
    0x8A: "has banned this client: lift the ban there",
    0x97: "has no room for another client: raise its limit of connections",
    0x9C: "wants another server to be used: name that in the option url",
    0x9D: "has moved to another server: name that in the option url",
    0x9F: "takes no more connections in this second: if that lasts, raise its limit",
}
"""Codes of a CONNACK, after the broker."""
_ENDED: Final = {
    0x87: "the user may not do that any more: look at the broker's access list",
    0x8B: "the broker stops",
    KEEPALIVE_TIMEOUT: "the broker heard nothing for too long",
    0x93: "the broker takes fewer messages at once: lower the option window",
    0x97: _QUOTA,
    0x98: "a person ended it at the broker",
    0x9A: "the broker keeps no messages: set the option retain to false",
}
"""Codes of a DISCONNECT."""
_NO_MQTT: Final = (
    "the server does not speak MQTT 5: it may be an HTTP server, or a port of TLS; name the port of MQTT in the option "
    "url, usually 1883, or 8883 with mqtts://"
)
_WORDS: Final = Words("broker", "mqtt", "mqtts", 8883)


def of_a_message(place: str, topic: str, code: int, name: str) -> Exception:
    """Return the error of a PUBACK."""
    if code in _OF_THE_MESSAGE:
        return ValueError(f"a message to {topic} {_OF_THE_MESSAGE[code]}")
    why = _PUBLISHED.get(code, f"the broker refuses it ({name}); its log says why")
    return Unavailable(f"{place}: a message to {topic}: {why}")


def of_a_client(place: str, client_id: str, code: int, name: str) -> Exception:
    """Return the error of a CONNACK."""
    why = _CONNECTED.get(code, f"refuses the connection ({name}); its log says why")
    return Unavailable(f"{place}: {why.format(client_id=client_id)}")


def of_an_end(place: str, client_id: str, code: int, name: str) -> Exception:
    """Return the error of a DISCONNECT of the broker."""
    if code == TAKEN_OVER:
        return Gone(
            f"{place}: another client has connected as {client_id}: end that one, or set the option client_id if both "
            "shall send; then start this plugin again"
        )
    if code in _OF_THE_MESSAGE:
        return ValueError(f"a message {_OF_THE_MESSAGE[code]}")
    return Unavailable(f"{place}: {_ENDED.get(code, f'the broker ended the connection ({name}); its log says why')}")


def of_a_loss(place: str, client_id: str, code: int, *, is_admitted: bool) -> Exception:
    """Return the error of a connection that ended without a word of the broker; the code is the library's."""
    if code == PROTOCOL_ERROR:
        why = _NO_MQTT
    elif code == KEEPALIVE_TIMEOUT:
        why = "the broker hangs: it does not answer a ping; if that lasts, start it again"
    elif is_admitted:
        why = f"the connection was lost: the broker stopped, or another client has connected as {client_id}"
    else:
        why = (
            "closed the connection before it answered; check that this is its port of MQTT, that the scheme of the "
            "option url says whether it wants TLS, and that it wants no certificate (cert_file, key_file)"
        )
    return Unavailable(f"{place}: {why}")


def of_an_exception(place: str, error: Exception) -> Exception:
    """Return the error for one of sockets, of TLS, or of the library."""
    match error:
        case ssl.SSLEOFError() | ConnectionResetError():
            why = _WORDS.no_tls
        case TimeoutError():
            why = "no answer; check that the broker runs, and that this is its port of MQTT"
        case _:
            why = _WORDS.why(error) or _NO_MQTT
    return Unavailable(f"{place}: {why}")
