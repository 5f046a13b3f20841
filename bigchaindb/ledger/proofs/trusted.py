"""Reads whom to trust: the answer of `/api/v1/validators`, a genesis.json, or the engine's own list of validators."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from bigchaindb.errors import ConfigurationError
from bigchaindb.ledger.proofs.exact import read_once
from bigchaindb.ledger.proofs.pieces import Trust
from bigchaindb.ledger.proofs.signed_header import VALIDATOR_COUNT_MAX
from bigchaindb.ledger.validators import ValidatorSet

TRUST_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of 10,000 validators in the longest of the forms, with room."""

_Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Power = Annotated[int, Meta(ge=1, lt=2**60)]
_PowerText = Annotated[str, Meta(pattern="^[1-9][0-9]{0,17}$(?!\n)")]


class _KeyObject(msgspec.Struct):
    value: _Key


class _ApiValidator(msgspec.Struct):
    public_key: _KeyObject
    voting_power: _Power


class _EngineValidator(msgspec.Struct):
    pub_key: _KeyObject
    power: _PowerText | None = None
    voting_power: _PowerText | None = None


class _EngineList(msgspec.Struct):
    validators: Annotated[list[_EngineValidator], Meta(max_length=VALIDATOR_COUNT_MAX)]
    chain_id: str | None = None


def read_trust(text: bytes) -> Trust:
    """Read the trusted validators; a genesis also names the chain.

    Args:
        text: JSON, the reader's own.

    Raises:
        ConfigurationError: it is none of the forms, or lists nobody, or somebody twice.
    """
    if len(text) > TRUST_BYTES_MAX:
        raise ConfigurationError(f"at most {TRUST_BYTES_MAX} bytes, found {len(text)}")
    try:
        found = _decode(text)
        read_once(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"neither the answer of /api/v1/validators nor a genesis.json with validators: {error}"
        ) from None
    if isinstance(found, _EngineList):
        chain_id = found.chain_id
        pairs = [(one.pub_key.value, int(one.power or one.voting_power or 0)) for one in found.validators]
    else:
        chain_id = None
        pairs = [(one.public_key.value, one.voting_power) for one in found]
    validators = ValidatorSet.of(pairs)
    if not pairs or len(validators.powers) != len(pairs):
        raise ConfigurationError("lists no validator, one twice, or one without power")
    return Trust(validators=validators, chain_id=chain_id)


_decode: Final = msgspec.json.Decoder(
    Annotated[list[_ApiValidator], Meta(max_length=VALIDATOR_COUNT_MAX)] | _EngineList
).decode
