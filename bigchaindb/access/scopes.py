"""What a principal may do. Pure.

Source: docs/reference/configuration.md, section `access`.
"""

from dataclasses import dataclass
from typing import Self

from bigchaindb.config.access import NO_SCOPE, SUBSCRIBE, check_scopes


@dataclass(frozen=True, slots=True)
class Scopes:
    """Scopes that are granted.

    Attributes:
        texts: each one as it is written; patterns of subscriptions end in `*`.
    """

    texts: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, key: str) -> Self:
        """Return the scopes of a text; `key` names it in the error.

        Raises:
            ConfigurationError: it names an unknown scope, or none.
        """
        return cls(check_scopes(text, key))

    def __str__(self) -> str:
        """Return them as one text."""
        return " ".join(self.texts) or NO_SCOPE

    def allows(self, scope: str) -> bool:
        """Whether a scope that is no pattern is granted."""
        if scope in self.texts:
            return True
        return scope.startswith(SUBSCRIBE) and any(_matches(text, scope) for text in self.texts)


def _matches(granted: str, scope: str) -> bool:
    return granted.startswith(SUBSCRIBE) and granted[-1] == "*" and scope.startswith(granted[:-1])
