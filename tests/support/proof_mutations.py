"""Proofs as nobody made them: each change is small, and each could tempt one of two checkers to be lax."""

import base64
import json
import random
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any, Final

from bigchaindb.api.validators import document
from bigchaindb.ledger.proofs.pieces import Trust
from tests.support.chains import ALICE
from tests.support.proofs import KEYS, POWERS, Path, set_of

Pair = tuple[bytes, bytes]
"""A proof and a file of trusted validators."""
NUMBER: Final = re.compile(r"(?<=[:,\[])-?[0-9][0-9.eE+-]*(?=[,\]}])")
BASE64: Final = re.compile(r'"([A-Za-z0-9+/]{8,}={0,2})"')
NAME: Final = re.compile(rb'"[a-z_]+"(?=: ?)')
ABSENT: Final = {
    "block_id_flag": 1,
    "validator_address": "",
    "timestamp": "0001-01-01T00:00:00Z",
    "signature": None,
}
VALUES: Final = (
    *("null", "true", "false", "0", "-0", "1", "7", "7.0", "1e0", "1.5", "-1", '""', '"x"', "[]", "{}", "[[]]", "NaN"),
    *('{"":0}', '"\\ud800"', '"\\ud83d\\ude00"', "1e400", "9" * 400, "9" * 4400, "[" * 300 + "]" * 300, "01", "+1"),
    *('"\\u0000"', '"\ufeff"', "18446744073709551616", '"2023-11-14T22:13:20Z"', '"0001-01-01T00:00:00Z"', "[1,]"),
)


def files(trust: Trust) -> list[bytes]:
    """Return files that name the trusted validators, in each form."""
    listed = document(trust.validators)
    keys = [one["public_key"] for one in listed]
    powers = [str(one["voting_power"]) for one in listed]
    genesis = [{"pub_key": key, "power": power, "name": ""} for key, power in zip(keys, powers, strict=True)]
    engine = [{"pub_key": key, "voting_power": power} for key, power in zip(keys, powers, strict=True)]
    return [
        json.dumps(one).encode()
        for one in (
            listed,
            {"validators": genesis, "chain_id": trust.chain_id, "app_state": {"a": [1.5, "ü"]}},
            {"validators": genesis, "chain_id": "other"},
            {"validators": engine, "block_height": "7"},
        )
    ]


def other_files() -> list[bytes]:
    """Return files that name others, or with other powers."""
    sets = [
        set_of((*KEYS, ALICE), (*POWERS, 1)),
        set_of((*KEYS, ALICE), (*POWERS, 27)),
        set_of(KEYS[:3], POWERS[:3]),
        set_of(KEYS[:1], POWERS[:1]),
        set_of(KEYS, (1, 1, 1, 1)),
        set_of(KEYS, (2**59, 2**59, 2**59, 1)),
        set_of([ALICE], [1]),
    ]
    return [json.dumps(document(one)).encode() for one in sets]


def members(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of everything in a document."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, held in inner:
        yield from members(held, (*path, step))


def spoilt(value: Any) -> list[Any]:  # noqa: PLR0911 one for each kind
    """Return other values of the same kind, close to this one."""
    match value:
        case bool():
            return [not value]
        case None:
            return ["x", 1]
        case int() | float():
            return [value + 1, max(0, value - 1) if value else 2]
        case "":
            return ["A" * 40, "A" * 64]
        case str():
            other = "1" if value[0] != "1" else "2"
            return [
                other + value[1:],
                value[:-2] + ("B" if value[-2:-1] == "A" else "A") + value[-1:],
                value + "\n",
                "",
            ]
        case list():
            return [[*value, *value[:1]], value[1:], [None, *value]] if value else [[None]]
        case _:
            return [{**value, "more": 1}, {}]


def at(whole: Any, path: Path) -> Any:
    """Return what stands at a place."""
    for step in path:
        whole = whole[step]
    return whole


def _bytes(draw: random.Random, text: bytes) -> bytes:
    place = draw.randrange(len(text))
    other = bytes([draw.choice([draw.randrange(256), *b'"\\{}[]:,0 \n\x00\xff'])])
    return draw.choice(
        [
            text[:place] + other + text[place + 1 :],
            text[:place] + other + text[place:],
            text[:place] + text[place + 1 :],
            text[:place],
            text + other,
            b"\xef\xbb\xbf" + text,
            text[:place] + bytes([text[place] ^ 1 << draw.randrange(8)]) + text[place + 1 :],
        ]
    )


def _value(draw: random.Random, text: bytes) -> bytes:
    """Put another value at one place, as it is spelt."""
    whole = json.loads(text)
    path = draw.choice(list(members(whole)))
    at(whole, path[:-1])[path[-1]] = "\x01here"
    return json.dumps(whole).replace('"\\u0001here"', draw.choice(VALUES)).encode(errors="surrogatepass")


def _member(draw: random.Random, text: bytes) -> bytes:
    whole = json.loads(text)
    path = draw.choice([one for one in members(whole) if isinstance(at(whole, one), dict)] or [()])
    held = at(whole, path)
    if not isinstance(held, dict) or not held:
        return text
    name = draw.choice(list(held))
    match draw.randrange(5):
        case 0:
            del held[name]
        case 1:
            held["more"] = held[name]
        case 2:
            held[name.upper()] = held.pop(name)
        case 3:
            held[name] = None
        case _:
            held[""] = []
    return json.dumps(whole).encode()


def _twice(draw: random.Random, text: bytes) -> bytes:
    """Put a member before itself, with some value."""
    found = list(NAME.finditer(text))
    if not found:
        return text
    place = draw.choice(found).start()
    name = text[place : text.index(b":", place) + 1]
    spelt = draw.choice([name, name, name.replace(b"e", b"\\u0065")])
    return text[:place] + spelt + draw.choice(VALUES[:20]).encode() + b"," + text[place:]


def _spoilt(draw: random.Random, text: bytes) -> bytes:
    whole = json.loads(text)
    path = draw.choice(list(members(whole)))
    at(whole, path[:-1])[path[-1]] = draw.choice(spoilt(at(whole, path)))
    return json.dumps(whole).encode()


def _order(draw: random.Random, text: bytes) -> bytes:
    whole = json.loads(text)
    lists = [one for one in members(whole) if isinstance(at(whole, one), list)]
    held = at(whole, draw.choice(lists))
    match draw.randrange(5):
        case 0:
            draw.shuffle(held)
        case 1:
            held.reverse()
        case 2 if held:
            held.append(draw.choice(held))
        case 3 if held:
            held.pop(draw.randrange(len(held)))
        case _:
            held.sort(key=repr)
    return json.dumps(whole).encode()


def _swap(draw: random.Random, text: bytes) -> bytes:
    whole = json.loads(text)
    paths = list(members(whole))
    one, other = draw.choice(paths), draw.choice(paths)
    if one == other[: len(one)] or other == one[: len(other)]:
        return text
    first, second = at(whole, one), at(whole, other)
    at(whole, one[:-1])[one[-1]], at(whole, other[:-1])[other[-1]] = second, first
    return json.dumps(whole).encode()


def _spelling(draw: random.Random, text: bytes) -> bytes:
    found = list(NUMBER.finditer(text.decode(errors="replace")))
    if not found:
        return text
    place = draw.choice(found)
    number = place[0]
    ways = (number + ".0", number + "e0", "0" + number, "-" + number, number + ".", number + "0", number + ".00E-0")
    others = ("1" + number, number[1:] or "1", number.upper(), f"{number}e1", f"{number}0e-1", f"0.{number}e1")
    spelt = draw.choice([*ways, *others])
    whole = text.decode(errors="replace")
    return (whole[: place.start()] + spelt + whole[place.end() :]).encode()


def _base64(draw: random.Random, text: bytes) -> bytes:
    whole = text.decode(errors="replace")
    found = list(BASE64.finditer(whole))
    if not found:
        return text
    place = draw.choice(found)
    held = place[1]
    digits = held.rstrip("=")
    padding = held[len(digits) :]
    spare = digits[:-1] + chr(ord(digits[-1]) + 1) + padding
    ways = (spare, digits, held + "=", held + "\\n", held.replace("+", "-").replace("/", "_"), held[:-4], held + held)
    escaped = f"\\u{ord(held[0]):04x}{held[1:]}"
    return (whole[: place.start(1)] + draw.choice([*ways, spare, spare, escaped]) + whole[place.end(1) :]).encode()


def _commit(draw: random.Random, text: bytes) -> bytes:
    """Change what stands for one validator."""
    whole = json.loads(text)
    evidence = whole["evidence"]
    listed = evidence.get("signed_header", {}).get("commit", {}).get("signatures") or evidence.get("support")
    if not listed:
        return _value(draw, text)
    index = draw.randrange(len(listed))
    one = listed[index]
    match draw.randrange(6):
        case 0:
            listed[index] = dict(ABSENT)
        case 1:
            name = draw.choice(list(one))
            listed[index] = {**ABSENT, name: one[name], "block_id_flag": 1} if "block_id_flag" in one else one
        case 2:
            one["block_id_flag"] = draw.choice([0, 1, 2, 3, 4])
        case 3:
            listed.append(one)
        case 4:
            one["signature"] = draw.choice([None, "", base64.b64encode(bytes(64)).decode(), listed[0]["signature"]])
        case _:
            listed.insert(draw.randrange(len(listed) + 1), dict(ABSENT))
    return json.dumps(whole).encode()


def _layout(draw: random.Random, text: bytes) -> bytes:
    """Write the same in another way."""
    whole = json.loads(text)
    match draw.randrange(3):
        case 0:
            return json.dumps(whole, indent=draw.choice(["\t", "\r\n", " "])).encode()
        case 1:
            return json.dumps(whole, sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass")
        case _:
            return text.replace(b'"transactions"', b'"\\u0074ransactions"').replace(b"TRANSFER", b"\\u0054RANSFER")


CHANGES: Final[Sequence[Callable[[random.Random, bytes], bytes]]] = (
    *(
        _bytes,
        _spoilt,
        _spoilt,
        _value,
        _value,
        _member,
        _twice,
        _order,
        _swap,
        _spelling,
        _base64,
        _commit,
        _commit,
        _layout,
    ),
)


def mutations(seed: int, count: int, bases: Sequence[tuple[bytes, Trust]]) -> Iterator[Pair]:
    """Yield pairs of a proof and a file, of which each is right or changed in one place or two."""
    draw = random.Random(seed)
    for _ in range(count):
        proof, trust = draw.choice(bases)
        named = draw.choice([*files(trust)[:2], *files(trust)])
        match draw.randrange(8):
            case 0:
                yield proof, draw.choice([*other_files(), *files(trust)])
            case 1:
                yield proof, draw.choice([_bytes, _value, _member, _twice, _spelling, _base64])(draw, named)
            case 2:
                once = draw.choice(CHANGES)(draw, proof)
                yield _layout(draw, once) if _is_json(once) else once, named
            case _:
                yield draw.choice(CHANGES)(draw, proof), named


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def strange_value(draw: random.Random, depth: int = 3) -> Any:
    """Draw a JSON value whose one text is hard to write."""
    if depth and draw.random() < 0.3:
        if draw.random() < 0.3:
            return [strange_value(draw, depth - 1) for _ in range(draw.randrange(4))]
        return {strange_text(draw): strange_value(draw, depth - 1) for _ in range(draw.randrange(4))}
    bits = struct.unpack("<d", draw.randbytes(8))[0]
    return draw.choice(
        [
            draw.choice([None, True, False, "", {}, []]),
            draw.choice([0, 1, -1, 2**53 + 1, 2**64, -(2**63) - 1, 10**300 + 1, draw.randrange(10**30)]),
            draw.choice([1, -1]) * draw.random() * 10.0 ** draw.randrange(-30, 30),
            draw.choice([0.0, -0.0, 1e-4, 9.999e-5, 1e-5, 1e-6, 1e-7, 1e15, 1e16, 1e20, 1e21, 1e22, 5e-324]),
            bits if isfinite(bits) else 0.0,
            strange_text(draw),
        ]
    )


def strange_text(draw: random.Random) -> str:
    """Draw a text with characters that are escaped, or that sort in two ways."""
    letters = 'aB\x00\x08\x0b\x1f\x7f"\\\\/u00\u00e9\u2028\ud7ff\ue000\ufeff\uffff\U00010000\U0001f600\U0010ffff'
    return "".join(draw.choices(letters, k=draw.randrange(6)))
