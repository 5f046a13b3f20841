"""Frames between a node and its check processes: documents go down, one verdict for each comes up, in order. Pure.

A frame is its length and MessagePack. The node believes what a verdict says, since its own child says it, and still
bounds and types what it reads.
"""

from collections.abc import Sequence
from struct import Struct as Layout
from typing import Final

from msgspec import DecodeError, Struct, msgpack, structs

from bigchaindb import errors
from bigchaindb.errors import CheckFailed, ValidationError
from bigchaindb.ledger.validating import Parsed, ParseResult
from bigchaindb.transaction.model import Input, Transaction

HEAD: Final = Layout("<I")
"""Begins a frame: the bytes of the rest."""
GROWTH_MAX: Final = 16
"""Bytes of verdicts for each byte of documents, at most: the canonical text may be five times as long as what was
posted, the message of version 1.0 as long again, and each key and id stands there besides."""
VERDICT_BYTES: Final = 64 * 1024
"""Of a verdict beyond that: an error, or a defect with its traceback."""
TEXT_CHARS_MAX: Final = 3_000
"""Of a defect's error, and of the end of its traceback."""

_ERRORS: Final = {
    name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, ValidationError)
}


class FrameError(Exception):
    """A frame is not what it must be."""


class Sound(Struct, tag=True, array_like=True, frozen=True):
    """A transaction whose structure holds, and whether its signatures verify."""

    transaction: Transaction
    signatures_valid: bool


class Faulty(Struct, tag=True, array_like=True, frozen=True):
    """A rule that the document breaks: the class of the error, and its message."""

    error: str
    message: str


class Defect(Struct, tag=True, array_like=True, frozen=True):
    """An error of this software that the document met."""

    error: str
    traceback: str


Verdict = Sound | Faulty | Defect

_encode: Final = msgpack.Encoder().encode
_bodies: Final = msgpack.Decoder(list[bytes])
_verdicts: Final = msgpack.Decoder(list[Verdict])


def bodies_frame(bodies: Sequence[bytes]) -> bytes:
    """Return the frame that asks for the verdicts on `bodies`."""
    return _frame(bodies)


def bodies_of(payload: bytes) -> list[bytes]:
    """Return the documents of a frame without its head."""
    return _bodies.decode(payload)


def verdicts_frame(verdicts: Sequence[Verdict]) -> bytes:
    """Return the frame with the verdicts on a frame of documents."""
    return _frame(verdicts)


def verdicts_bytes_max(bodies: Sequence[bytes]) -> int:
    """Return the most bytes that the verdicts on `bodies` take."""
    return GROWTH_MAX * sum(map(len, bodies)) + VERDICT_BYTES * len(bodies)


def outcomes_of(payload: bytes | bytearray, count: int) -> list[ParseResult | CheckFailed]:
    """Return the outcomes that a frame of `count` verdicts holds.

    Raises:
        FrameError: it holds anything else.
    """
    try:
        verdicts = _verdicts.decode(payload)
    except DecodeError as error:
        raise FrameError(str(error)) from error
    if len(verdicts) != count:
        raise FrameError(f"{len(verdicts)} verdicts on {count} documents")
    return [_outcome(one) for one in verdicts]


def sound(parsed: Parsed) -> Sound:
    """Return the verdict on what could be read; what many inputs of version 1.0 sign alike goes up once."""
    transaction = parsed.transaction
    if transaction.version == "1.0" and len(transaction.inputs) > 1:
        transaction = _with_messages(transaction, b"")
    return Sound(transaction, parsed.signatures_valid)


def faulty(error: ValidationError) -> Faulty:
    """Return the verdict on a document that breaks a rule."""
    return Faulty(type(error).__name__, _encodable(str(error)))


def defect(error: Exception, traceback: str) -> Defect:
    """Return the verdict on a document that met a defect."""
    return Defect(_encodable(repr(error)[:TEXT_CHARS_MAX]), _encodable(traceback[-TEXT_CHARS_MAX:]))


def _frame(value: object) -> bytes:
    payload = _encode(value)
    return HEAD.pack(len(payload)) + payload


def _outcome(verdict: Verdict) -> ParseResult | CheckFailed:
    match verdict:
        case Sound(transaction, signatures_valid):
            if transaction.version == "1.0" and len(transaction.inputs) > 1:
                transaction = _with_messages(transaction, transaction.inputs[0].message)
            return Parsed(transaction, signatures_valid)
        case Faulty(name, message):
            if (error := _ERRORS.get(name)) is None:
                raise FrameError(f"no error is named {name!r}")
            return error(message) if message else error()
        case Defect(error, traceback):
            failed = CheckFailed(error)
            failed.add_note(traceback)
            return failed


def _with_messages(transaction: Transaction, message: bytes) -> Transaction:
    """Return a transaction of version 1.0 whose inputs, but for the first, have that message."""
    first, *others = transaction.inputs
    inputs: list[Input] = [first, *(structs.replace(one, message=message) for one in others)]
    return structs.replace(transaction, inputs=tuple(inputs))


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no encoding has."""
    return text.encode(errors="backslashreplace").decode()
