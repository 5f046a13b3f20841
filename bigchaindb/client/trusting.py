"""Whom the reader of a proof trusts, in the forms in which applications have it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bigchaindb.errors import ConfigurationError
from bigchaindb.ledger.proofs.pieces import Trust
from bigchaindb.ledger.proofs.trusted import TRUST_BYTES_MAX, read_trust

Trusted = Trust | Path | bytes | Sequence[Mapping[str, Any]]
"""Validators: a file with the answer of `/api/v1/validators` or a `genesis.json`, its bytes, or the answer itself."""


def trust_of(validators: Trusted) -> Trust:
    """Return whom to trust.

    Raises:
        ConfigurationError: the file cannot be read, or holds no validators.
    """
    if isinstance(validators, Trust):
        return validators
    if isinstance(validators, Path):
        try:
            with validators.open("rb") as file:
                return read_trust(file.read(TRUST_BYTES_MAX + 1))
        except OSError as error:
            raise ConfigurationError(f"validators: cannot read `{validators}`: {error.strerror}") from error
    return read_trust(validators if isinstance(validators, bytes) else msgspec.json.encode(validators))
