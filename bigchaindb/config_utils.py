"""For programs that embed plugins. Source: docs/reference/contract/event-plugin-api.md, section 6."""

from collections.abc import Sequence
from typing import Any

from bigchaindb.errors import ConfigurationError
from bigchaindb.subscribers.plugins import find, inspect


def load_events_plugins(names: Sequence[str] | None = None) -> list[tuple[str, Any]]:
    """Return each plugin's name and its loaded module, class or object; nothing for None.

    Raises:
        ConfigurationError: a name is not that of exactly one installed plugin, or `names` is a string.
    """
    if isinstance(names, str):
        raise ConfigurationError(f"events_plugins: must be a list of names, found {names!r}")
    loaded = [(name, entry_point.load()) for name, entry_point in find(names or ()).items()]
    for name, plugin in loaded:
        inspect(name, plugin)
    return loaded
