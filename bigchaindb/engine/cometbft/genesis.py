"""The genesis of a network: the beginning of its chain, in a file of the same bytes on every node.

The form is CometBFT's, every member written out. A file that differs from what `NetworkGenesis.encode` writes is
refused with the name of the member: the nodes would disagree on it later, and stop.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Self

import msgspec

from bigchaindb.engine.cometbft.rules_version import other_rules
from bigchaindb.errors import StartupError
from bigchaindb.ledger.validators import ValidatorSet, address_of, address_text
from bigchaindb.transaction.keys import KEY_BYTES

GENESIS_BYTES_MAX: Final = 1024 * 1024
"""Far more than the largest set of validators takes."""
VALIDATOR_COUNT_MAX: Final = 1_000
"""Votes of each go to each other; nobody runs CometBFT with more than some hundreds."""
POWER_MAX: Final = 1_000_000_000_000
"""The sum over the most validators stays far below what CometBFT counts with, 2^60."""
NAME_CHARACTERS_MAX: Final = 100
HEIGHT_MAX: Final = 2**62
APP_HASH_BYTES: Final = 32
BLOCK_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of a whole block. The node cuts its proposals before they are that large."""

KEY_TYPE: Final = "tendermint/PubKeyEd25519"
_CHAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")
_TIME: Final = re.compile(r"(19[7-9]\d|2\d{3})-\d\d-\d\dT\d\d:\d\d:\d\dZ")  # blocks count seconds from 1970
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_APP_HASH: Final = re.compile(r"[0-9A-F]{64}")


class _Validator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    pub_key: dict[str, str]
    power: str
    name: str


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    genesis_time: str
    chain_id: str
    initial_height: str
    consensus_params: dict[str, Any]
    validators: list[_Validator]
    app_hash: str


@dataclass(frozen=True)
class GenesisValidator:
    """A validator from the first block on.

    Attributes:
        key: its Ed25519 public key, 32 bytes.
        power: voting power, 1 to `POWER_MAX`.
        name: for people; up to 100 printable characters, may be empty.
    """

    key: bytes
    power: int
    name: str = ""

    def __post_init__(self) -> None:
        _require(len(self.key) == KEY_BYTES, "pub_key", f"must be {KEY_BYTES} bytes, found {len(self.key)}")
        _require(1 <= self.power <= POWER_MAX, "power", f"must be 1 to {POWER_MAX}, found {self.power}")
        fits = len(self.name) <= NAME_CHARACTERS_MAX and (self.name == "" or self.name.isprintable())
        _require(fits, "name", f"must be at most {NAME_CHARACTERS_MAX} printable characters")


@dataclass(frozen=True)
class NetworkGenesis:
    """The beginning of a network's chain. To hold one is to hold a valid one.

    Attributes:
        chain_id: 1 to 50 letters, digits, `_` and `-`.
        genesis_time: the time of the first block, as `2026-01-31T12:00:00Z`.
        initial_height: of the first block: 1, or what follows the ledger that the network goes on with.
        app_hash: 32 bytes, that of the ledger at the height before.
        validators: 1 to 1,000, each key once.
        rules_version: of the rules by which every node judges; CometBFT's `version.app`.
    """

    chain_id: str
    genesis_time: str
    initial_height: int
    app_hash: bytes
    validators: tuple[GenesisValidator, ...]
    rules_version: int

    def __post_init__(self) -> None:
        _require(
            _CHAIN_ID.fullmatch(self.chain_id) is not None,
            "chain_id",
            f"must be 1 to 50 letters, digits, '_' and '-', found {self.chain_id[:60]!r}",
        )
        _require(
            _TIME.fullmatch(self.genesis_time) is not None and _is_moment(self.genesis_time),
            "genesis_time",
            f"must be a time such as 2026-01-31T12:00:00Z, found {self.genesis_time[:60]!r}",
        )
        _require(1 <= self.initial_height <= HEIGHT_MAX, "initial_height", f"must be above 0, {self.initial_height=}")
        _require(len(self.app_hash) == APP_HASH_BYTES, "app_hash", f"must be {APP_HASH_BYTES} bytes")
        count = len(self.validators)
        _require(1 <= count <= VALIDATOR_COUNT_MAX, "validators", f"must be 1 to {VALIDATOR_COUNT_MAX}, found {count}")
        _require(len({one.key for one in self.validators}) == count, "validators", "a key is named twice")
        _require(self.rules_version >= 0, "consensus_params.version.app", "must not be negative")

    @classmethod
    def parse(cls, content: bytes, *, rules_version: int, may_be_older: bool = False) -> Self:
        """Read a genesis file.

        Args:
            content: of the file.
            rules_version: of this software; a network of other rules cannot be joined.
            may_be_older: whether older rules are read all the same.

        Raises:
            StartupError: it is no genesis of a network that this node can be part of; names the member and the rule.
        """
        if len(content) > GENESIS_BYTES_MAX:
            raise StartupError(f"genesis: has {len(content)} bytes, at most {GENESIS_BYTES_MAX} are read")
        try:
            document = msgspec.json.decode(content, type=_Document)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StartupError(f"genesis: {error}") from error
        found = _rules_of(document.consensus_params)
        if may_be_older and found is not None and found < rules_version:
            rules_version = found
        elif found is not None and found != rules_version:
            raise StartupError(f"genesis: its network has {other_rules(found, rules_version)}")
        _require_same(document.consensus_params, consensus_params(rules_version), "consensus_params")
        _require(_APP_HASH.fullmatch(document.app_hash) is not None, "app_hash", "must be 64 upper-case hex digits")
        return cls(
            chain_id=document.chain_id,
            genesis_time=document.genesis_time,
            initial_height=_number(document.initial_height, "initial_height"),
            app_hash=bytes.fromhex(document.app_hash),
            validators=tuple(_validator(one, f"validators[{i}]") for i, one in enumerate(document.validators)),
            rules_version=rules_version,
        )

    def encode(self) -> bytes:
        """Return the file's content, of which `parse` makes an equal genesis."""
        document = {
            "genesis_time": self.genesis_time,
            "chain_id": self.chain_id,
            "initial_height": str(self.initial_height),
            "consensus_params": consensus_params(self.rules_version),
            "validators": [
                {
                    "address": address_text(address_of(one.key)),
                    "pub_key": {"type": KEY_TYPE, "value": base64.b64encode(one.key).decode()},
                    "power": str(one.power),
                    "name": one.name,
                }
                for one in self.validators
            ],
            "app_hash": self.app_hash.hex().upper(),
        }
        return (json.dumps(document, indent=2) + "\n").encode()

    @property
    def begin_s(self) -> int:
        """The genesis time in Unix seconds; CometBFT waits for it before it does anything."""
        return int(datetime.fromisoformat(self.genesis_time).timestamp())

    @property
    def validator_set(self) -> ValidatorSet:
        """Who votes on the first block."""
        return ValidatorSet.of((one.key, one.power) for one in self.validators)


def genesis_hash(content: bytes) -> str:
    """Return the SHA-256, hex, of the file's bytes, which people compare between nodes."""
    return sha256(content).hexdigest()


def consensus_params(rules_version: int) -> Mapping[str, Any]:
    """Return the parameters of consensus that every network of this software has; numbers are text in this form."""
    return {
        "block": {"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": "-1"},
        "evidence": {  # CometBFT's own: two days of blocks
            "max_age_num_blocks": "100000",
            "max_age_duration": "172800000000000",
            "max_bytes": "1048576",
        },
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": str(rules_version)},
        "abci": {"vote_extensions_enable_height": "1"},
    }


def _validator(document: _Validator, where: str) -> GenesisValidator:
    _require(
        document.pub_key.keys() == {"type", "value"} and document.pub_key["type"] == KEY_TYPE,
        f"{where}.pub_key",
        f'must be {{"type": "{KEY_TYPE}", "value": …}}',
    )
    try:
        key = base64.b64decode(document.pub_key["value"], validate=True)
    except ValueError as error:
        raise StartupError(f"genesis: {where}.pub_key.value: {error}") from error
    try:
        validator = GenesisValidator(key, _number(document.power, "power"), document.name)
    except StartupError as error:
        raise StartupError(f"genesis: {where}.{str(error).removeprefix('genesis: ')}") from error
    address = address_text(address_of(key))
    _require(document.address == address, f"{where}.address", f"must be that of its key, {address}")
    return validator


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:  # a month has no 40th day
        return False
    return True


def _require_same(found: object, wanted: object, where: str) -> None:
    """Require two JSON values to be the same; the error names the first member that differs."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in sorted(found.keys() | wanted.keys()):
            _require_same(found.get(name), wanted.get(name), f"{where}.{name}")
    else:
        text = "must not be there" if wanted is None else f"must be {json.dumps(wanted)}"
        _require(found == wanted, where, f"{text}, found {json.dumps(found)[:60]}")


def _rules_of(params: Mapping[str, Any]) -> int | None:
    version = params.get("version")
    found = version.get("app") if isinstance(version, dict) else None
    return int(found) if isinstance(found, str) and _NUMBER.fullmatch(found) else None


def _number(text: str, where: str) -> int:
    _require(_NUMBER.fullmatch(text) is not None, where, f"must be a whole number as text, found {text[:30]!r}")
    return int(text)


def _require(condition: bool, where: str, rule: str) -> None:  # noqa: FBT001 - reads as an assert that stays
    if not condition:
        raise StartupError(f"genesis: {where}: {rule}")
