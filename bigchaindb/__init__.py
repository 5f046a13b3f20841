"""BigchainDB: an asset ledger with an event system that nothing is lost from."""

from typing import Final

__version__: Final = "3.0.0.dev0"
