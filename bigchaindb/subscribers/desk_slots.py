"""The events that a desk has in hand, in the slots of its packed lane page. No step costs more for how many they are.

Source: promises P2 and P6; decision 0097.
"""

from collections.abc import Iterable
from typing import Final

from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.lane_page import RETURNING, LanePage, Word, check_of, packed_count

_CURSOR: Final = int(Word.CURSOR)
_REACHED: Final = int(Word.REACHED)
_CHECK: Final = int(Word.CHECK)


class _Held:
    """An event in hand.

    Attributes:
        slot: of the page.
        attempt: of the delivery that is dealt; 0 if none is.
        is_taken: its consumer has it.
    """

    __slots__ = ("attempt", "is_taken", "slot")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.attempt = 0
        self.is_taken = False


class Slots:
    """What is in hand, by number.

    Attributes:
        returning: numbers that were parked and are given again; the cursor does not know them.
        reached: up to here the log was read when the page was made.
    """

    def __init__(self, page: LanePage) -> None:
        self.count_max = len(page.slots)
        assert page.is_checked
        self._words, self._key = page.words, page.key
        self.reached = page.words[Word.REACHED]
        used = {self._words[slot]: slot for slot in page.slots if self._words[slot]}
        self.returning = {word - RETURNING for word in used if word >= RETURNING}
        self._held = {word & ~RETURNING: _Held(slot) for word, slot in used.items()}
        self._free = [slot for slot in reversed(page.slots) if not self._words[slot]]

    def __contains__(self, number: int) -> bool:
        return number in self._held

    @property
    def numbers(self) -> list[int]:
        """What is in hand, ascending."""
        return sorted(self._held)

    @property
    def is_closing(self) -> bool:
        """Whether the lane wants the desk to end."""
        return self._words[Word.CLOSING] == 1

    def add(self, number: int) -> None:
        """Take an event in hand, before anybody is given it (P6)."""
        slot = self._free.pop()
        self._words[slot] = number
        self._words[slot + 2] = check_of(self._key, number)  # it is in hand from here on
        self._held[number] = _Held(slot)

    def reach(self, number: int, cursor: int) -> None:
        """Note how far the log was read, and up to where all is settled (E6)."""
        self._words[_CHECK] = 0  # no kill finds a check of other words
        self._words[_REACHED] = number
        self._words[_CURSOR] = cursor
        self._words[_CHECK] = check_of(self._key, number, cursor)

    def deal(self, delivery: Delivery) -> None:
        """Note that an event is somebody's."""
        self._held[delivery.number].attempt = delivery.attempt

    def undeal(self, deliveries: Iterable[Delivery]) -> None:
        """Note that deliveries that nobody took are nobody's any more."""
        for delivery in deliveries:
            self._held[delivery.number].attempt = 0

    def is_dealt(self, delivery: Delivery) -> bool:
        """Whether this delivery is still somebody's."""
        held = self._held.get(delivery.number)
        return held is not None and held.attempt == delivery.attempt

    def take(self, delivery: Delivery, now_ns: int) -> None:
        """Note that a consumer gets a delivery now."""
        held = self._held[delivery.number]
        held.is_taken = True
        self._words[held.slot + 1] = packed_count(delivery.attempt - 1, now_ns)

    def take_back(self, delivery: Delivery) -> bool:
        """Note that a delivery is nobody's any more; whether its consumer had got it."""
        held = self._held[delivery.number]
        was_taken, held.is_taken, held.attempt = held.is_taken, False, 0
        self._words[held.slot + 1] = packed_count(delivery.attempt)
        return was_taken

    def settle(self, number: int) -> bool:
        """Free the slot of an event; whether it was parked and given again."""
        slot = self._held.pop(number).slot
        self._words[slot + 2] = 0  # it is settled from here on
        self._words[slot] = 0
        self._words[slot + 1] = 0
        self._free.append(slot)
        was_returning = number in self.returning
        self.returning.discard(number)
        return was_returning

    def settled_up_to(self, cursor: int) -> None:
        """Note up to where all is settled (E6)."""
        self.reach(self._words[_REACHED], cursor)
