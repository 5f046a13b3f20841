"""The check of `keypair`, apart from the other settings because it loads libsodium."""

from typing import Final

from bigchaindb.config.settings import KeyPairSettings
from bigchaindb.errors import ConfigurationError
from bigchaindb.transaction.keys import KeyPair, decode_key

_CURE: Final = "copy it again, or set both halves to null: the node then has its key pair in the data directory"


def check_keypair(pair: KeyPairSettings) -> None:
    """Require that both halves are keys and belong together; a pair without halves passes.

    Raises:
        ConfigurationError: they do not; the message never holds the private key.
    """
    if pair.public is None or pair.private is None:
        return
    try:
        derived = KeyPair.from_private_key(pair.private).public_key
    except ValueError as error:
        raise ConfigurationError(f"keypair.private: {error}; {_CURE}") from None
    try:
        decode_key(pair.public)
    except ValueError as error:
        raise ConfigurationError(f"keypair.public: {error}; {_CURE}") from None
    if derived != pair.public:
        raise ConfigurationError(
            f"keypair.public: {pair.public} does not belong to keypair.private, whose public key is {derived}"
        )
