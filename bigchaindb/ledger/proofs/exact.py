"""Finds what one reader of JSON takes otherwise than another, and the typed decoder passes over. Pure.

A member that stands twice is the first to some and the last to others; base64 whose last bits mean nothing has several
texts for the same bytes. Neither is in a document that a node makes.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

from bigchaindb.errors import ProofError


def read_once(text: bytes) -> Any:  # noqa: ANN401 any JSON value may come
    """Return a JSON value in which no object has a member twice; numbers stay texts.

    Raises:
        ValueError: one has, or the text is not UTF-8.
    """
    return json.loads(text.decode(), object_pairs_hook=_object, parse_int=str, parse_float=str)


def require_exact_base64(evidence: dict[str, Any]) -> None:
    """Require that all bytes of an evidence are written in the one way.

    Args:
        evidence: its members, of whose form nothing else is in doubt.

    Raises:
        ProofError: names the text.
    """
    for text in _base64_texts(evidence):
        if b64encode(b64decode(text)).decode() != text:
            raise ProofError(f"evidence: {text[:100]!r} is base64 with bits that mean nothing")


def _base64_texts(evidence: dict[str, Any]) -> Iterator[str]:
    if "signed_header" in evidence:
        yield from (one["signature"] or "" for one in evidence["signed_header"]["commit"]["signatures"])
    for one in evidence.get("support", ()):
        yield one["extension"]
        yield one["signature"]
    yield from (one["bytes"] for one in evidence.get("unseen", ()))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} stands twice in an object")
    return members
