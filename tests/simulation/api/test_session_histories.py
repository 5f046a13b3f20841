"""Any history of answers to the protocol of subscriptions, against brute force (P18).

`TEST_SCALE=long` plays more histories.
"""

import json
import random
from typing import Any

from tests.support import scale
from tests.support.desks import ListDesk
from tests.support.session_clients import Client


async def test_any_history_of_answers_is_carried_out_as_by_brute_force() -> None:
    scale.play(scale.SESSION_HISTORIES, play)


def play(draw: random.Random) -> None:
    """Two clients and one desk; what each has is followed by the frames alone, and each answer by hand."""
    keys = "ab" if draw.random() < 0.7 else "abcdefgh"
    desk = ListDesk(window=draw.choice([3, 8, 100]))
    players = [Player(desk, draw) for _ in range(2)]
    for _ in range(80):
        for _ in range(draw.choice([0, 1, 3])):
            desk.add(draw.choice(keys), b'{"number":%d}' % (len(desk.events) + 1))
        player = draw.choice(players)
        match draw.randrange(12):
            case 0:
                players[players.index(player)] = Player(desk, draw)
                player.client.session.leave(is_blameless=draw.random() < 0.5)
            case 1 if player.has:
                desk.late(draw.choice([*player.has.values()]))
            case 2 if draw.random() < 0.3:
                desk.restart()
            case 3 | 4:
                desk.sharing.wake(1e12)
            case _:
                player.answer()
        for one in players:
            one.look()
        assert sorted(n for one in players for n in one.has.values()) == sorted(
            {n for one in players for n in one.has.values()}
        )
    settled = desk.settled
    assert len(settled) == len(set(settled)), "an event that is settled comes never again"


class Player:
    """A client that answers by chance, and what it should have."""

    def __init__(self, desk: ListDesk, draw: random.Random) -> None:
        self.desk, self.draw = desk, draw
        self.client = Client(desk, window=draw.choice([1, 2, 5, 50]), batch=draw.choice([1, 3, 100]))
        self.has: dict[int, int] = {}
        self.last_tag = 0
        self.ref = 0

    def look(self) -> list[dict[str, Any]]:
        """Take what comes, and follow it."""
        came = self.client.take()
        for frame in came:
            match frame["type"]:
                case "events":
                    for one in frame["events"]:
                        assert one["tag"] == self.last_tag + 1, "tags ascend and are not used again"
                        self.last_tag = one["tag"]
                        self.has[one["tag"]] = one["event"]["number"]
                case "revoked":
                    for tag in frame["tags"]:
                        del self.has[tag]
        assert len(self.has) == self.client.session.out_count <= self.client.session.window
        return came

    def answer(self) -> None:
        """Answer for what it has, had, or never had; what counts must be what it had when the answer arrived."""
        self.ref += 1
        known = [*range(1, self.last_tag + 3)]
        recent = self.draw.choices(known[-8:], k=self.draw.randint(1, 4))
        frame: dict[str, Any] = {
            "type": self.draw.choice(["ack", "ack", "ack", "nack"]),
            "tags": recent,
            "ref": self.ref,
        }
        if frame["type"] == "ack" and self.draw.random() < 0.3 and self.last_tag:
            frame = {"type": "ack", "through": self.draw.choice(known[:-2][-8:]), "ref": self.ref}
        before, settled = dict(self.has), list(self.desk.settled)
        named = {tag for tag in before if tag <= frame["through"]} if "through" in frame else {*recent}
        counted = named & before.keys()
        self.client.session.receive(json.dumps(frame).encode())
        if frame["type"] == "ack":
            assert sorted(self.desk.settled[len(settled) :]) == sorted(before[tag] for tag in counted)
        for tag in counted:
            del self.has[tag]
        [done] = [one for one in self.look() if one["type"] == "done"]
        assert done["ref"] == self.ref
        if frame["type"] == "ack" and "tags" in frame:
            assert done["stale"] == sorted(named - counted)
        else:
            assert not {*done["stale"]} & (counted if frame["type"] == "ack" else set())
