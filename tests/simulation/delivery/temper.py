"""How a plugin of a history behaves."""

from dataclasses import dataclass

from bigchaindb.events import Event
from bigchaindb.subscribers.plugins import Wants


@dataclass
class Temper:
    """How a plugin behaves: chances, in a hundred, of what it does at a step."""

    wants: Wants
    batch: int = 1
    raises: int = 0
    unavailable: int = 0
    dies: int = 0
    hangs: int = 0
    returns: int = 0
    nacks: int = 0
    parks: int = 0
    refuses: int = 0
    dies_early: int = 0
    poison: int = 0
    """Events whose position is a multiple of it always fail; 0 is none."""

    def heal(self) -> None:
        self.raises = self.unavailable = self.dies = self.hangs = self.returns = self.nacks = self.parks = 0
        self.refuses = self.dies_early = self.poison = 0

    def hates(self, event: Event) -> bool:
        return bool(self.poison) and event.position % self.poison == 0
