"""Which messages may be on their way at once: any, if no earlier one that shares a key with them is. Pure."""

from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from operator import attrgetter

from bigchaindb.delivery.messages import Message


class Entry:
    """A message in its place. One without keys waits for nobody.

    Attributes:
        message: to be sent.
        number: of its place, ascending.
        keys: that it shares with others.
    """

    __slots__ = ("keys", "message", "number")

    def __init__(self, message: Message, number: int, keys: tuple["_Key", ...]) -> None:
        self.message = message
        self.number = number
        self.keys = keys


class _Key:
    """A key that messages share.

    Attributes:
        waiting: its messages that were not taken, in order.
        taken: how many of its messages were taken and are not done.
    """

    __slots__ = ("name", "taken", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: deque[Entry] = deque()
        self.taken = 0


class Ordering:
    """Messages in order, and which of them are on their way."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self._ready: list[tuple[int, Entry]] = []  # a heap: entries before which nothing waits or is on its way
        self._number = 0

    def add(self, message: Message, keys: Iterable[str]) -> Entry:
        """Add a message behind all others."""
        found = tuple(self._key(name) for name in dict.fromkeys(keys))
        self._number += 1
        entry = Entry(message, self._number, found)
        for key in found:
            key.waiting.append(entry)
        if _is_free(entry, ()):
            heappush(self._ready, (entry.number, entry))
        return entry

    def take(self, count_max: int, bytes_max: int) -> list[Entry]:
        """Take messages for one request, in order; none if each waits for one that is on its way.

        Args:
            count_max: messages; later ones of a key follow in the same request.
            bytes_max: their bytes; one message may be larger.
        """
        taken: list[Entry] = []
        own: set[_Key] = set()
        behind: list[tuple[int, Entry]] = []  # a heap: entries that wait for none but those of this request
        size = 0
        while (found := min(self._ready[:1] + behind[:1], default=None)) is not None and len(taken) < count_max:
            entry = found[1]
            size += len(entry.message.data)
            if taken and size > bytes_max:
                break
            heappop(behind if behind[:1] == [found] else self._ready)
            taken.append(entry)
            for key in entry.keys:
                key.waiting.popleft()
                key.taken += 1
                own.add(key)
            for follower in {key.waiting[0] for key in entry.keys if key.waiting}:
                if _is_free(follower, own):
                    heappush(behind, (follower.number, follower))
        return taken

    def done(self, entry: Entry) -> None:
        """Take note that a message which was taken holds up no other any more."""
        for key in entry.keys:
            key.taken -= 1
            if key.taken:
                continue
            if not key.waiting:
                del self._keys[key.name]
            elif _is_free(first := key.waiting[0], ()):
                heappush(self._ready, (first.number, first))

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Have messages that were taken wait again in their places, whatever of their keys was put back before."""
        for entry in entries:
            for key in entry.keys:
                insort(key.waiting, entry, key=attrgetter("number"))
        for entry in entries:
            if entry.keys:
                self.done(entry)
            else:
                heappush(self._ready, (entry.number, entry))

    @property
    def has_ready(self) -> bool:
        """Whether `take` returns something."""
        return bool(self._ready)

    def _key(self, name: str) -> _Key:
        if (key := self._keys.get(name)) is None:
            key = self._keys[name] = _Key(name)
        return key


def _is_free(entry: Entry, own: Iterable[_Key]) -> bool:
    """Whether an entry waits for nothing but what was taken of the keys `own`."""
    return all(key.waiting[0] is entry and (not key.taken or key in own) for key in entry.keys)
