"""Settings: what they are, and where their values come from."""

from bigchaindb.config.access import Access
from bigchaindb.config.limits import Limits
from bigchaindb.config.settings import (
    Database,
    KeyPairSettings,
    Log,
    Network,
    PluginSettings,
    Server,
    Settings,
    WebSocketServer,
)
from bigchaindb.config.tls import Tls

__all__ = [
    "Access",
    "Database",
    "KeyPairSettings",
    "Limits",
    "Log",
    "Network",
    "PluginSettings",
    "Server",
    "Settings",
    "Tls",
    "WebSocketServer",
]
