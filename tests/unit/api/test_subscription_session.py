"""The protocol of subscriptions without a socket: transcripts, and any history against brute force (P18).

`TEST_SCALE=long` plays more histories.
"""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from bigchaindb.api.subscription_session import Session
from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.consuming import End
from tests.support import scale
from tests.support.desks import ListDesk, ListDesks, Seat


class Client:
    """A consumer whose socket takes all: what it was sent, and what it has by that."""

    def __init__(self, desk: ListDesk, *, window: int = 3, batch: int = 100) -> None:
        self.desk = desk
        self.now_s = 0.0
        self.frames: list[dict[str, Any]] = []
        self.session = Session(window, batch, 0.0)
        self.seat: Seat = ListDesks(a=desk).attach("a", self.session, room_count=window, label="")
        self.session.attend(self.seat)
        self.frames.append(json.loads(self.session.opening(30.0)))

    def take(self, *, may_give: bool = True) -> list[dict[str, Any]]:
        """Take what comes; return it."""
        came: list[dict[str, Any]] = []
        while found := self.session.next_frames(self.now_s, may_give=may_give):
            came += [json.loads(one) for one in found]
        self.frames += came
        return came

    def say(self, **frame: Any) -> list[dict[str, Any]]:
        """Send a frame; return what comes then."""
        assert self.session.receive(json.dumps(frame).encode()) is None
        return self.take()

    def tags(self) -> list[int]:
        """Take what comes; return the tags of the events, the only frames that may come."""
        came = [frame for frame in self.take() if frame["type"] != "level"]
        assert {frame["type"] for frame in came} <= {"events"}
        return [event["tag"] for frame in came for event in frame["events"]]


def desk_of(*keys: str, **options: Any) -> ListDesk:
    desk = ListDesk(**options)
    for number, key in enumerate(keys, 1):
        desk.add(key, b'{"id":"%d:%b"}' % (number, key.encode()))
    return desk


async def test_the_transcript_of_the_design() -> None:
    """A nack takes the later event of its key along; an answer that was on its way is stale; both come again."""
    desk = desk_of("a", "b")
    client = Client(desk)
    assert client.frames == [
        {
            "type": "attached",
            "consumer": "c1",
            "window": 3,
            "heartbeat_s": 30.0,
            "state": "LIVE",
            "lag": 2,
            "token": "token-0",
        }
    ]
    [events, level] = client.take()
    assert [(one["tag"], one["attempt"], one["event"]["id"]) for one in events["events"]] == [
        (1, 1, "1:a"),
        (2, 1, "2:b"),
    ]
    assert level == {"type": "level", "token": "token-2", "lag": 0}
    assert client.say(type="ack", tags=[1], ref=1) == [{"type": "done", "ref": 1, "stale": []}]
    desk.add("b", b'{"id":"3:b"}')
    assert client.tags() == [3]
    assert client.say(type="nack", tags=[2], delay_s=0.01, error="locked") == [
        {"type": "revoked", "tags": [3], "reason": "order"}
    ]
    assert client.say(type="ack", tags=[3], ref=2) == [{"type": "done", "ref": 2, "stale": [3]}]
    await asyncio.sleep(0.02)
    [again] = client.take()
    assert [(one["tag"], one["attempt"], one["event"]["id"]) for one in again["events"]] == [
        (4, 2, "2:b"),
        (5, 2, "3:b"),
    ]
    assert desk.log == ["nack [(2, 1)] 0.01 'locked' False"]
    other = Client(desk)
    client.session.leave()
    assert other.tags() == [1, 2]
    assert [one["attempt"] for one in other.frames[1]["events"]] == [3, 3]


class TestAnswers:
    async def test_an_answer_counts_once(self) -> None:
        client = Client(desk_of("a"))
        assert client.tags() == [1]
        assert client.say(type="ack", tags=[1, 1], ref=1) == [{"type": "done", "ref": 1, "stale": []}]
        for answer in ("ack", "nack", "park"):
            assert client.say(type=answer, tags=[1, 99], ref=2) == [{"type": "done", "ref": 2, "stale": [1, 99]}]
        assert client.desk.settled == [1]

    def test_without_a_ref_nothing_is_said(self) -> None:
        client = Client(desk_of("a"))
        assert client.tags() == [1]
        assert client.say(type="ack", tags=[1]) == []
        assert client.desk.settled == [1]

    def test_through_answers_for_all_that_this_connection_has_up_to_a_tag(self) -> None:
        client = Client(desk_of(*"abcdef"), window=6)
        assert client.tags() == [1, 2, 3, 4, 5, 6]
        client.say(type="ack", tags=[2])
        assert client.say(type="ack", through=4, ref=1) == [{"type": "done", "ref": 1, "stale": []}]
        assert client.desk.settled == [2, 1, 3, 4]
        assert client.session.out_count == 2

    def test_through_tells_what_was_taken_back_before(self) -> None:
        desk = desk_of(*"abb")
        client = Client(desk)
        assert client.tags() == [1, 2, 3]
        desk.late(2)
        assert client.take()[:2] == [
            {"type": "revoked", "tags": [2], "reason": "late"},
            {"type": "revoked", "tags": [3], "reason": "order"},
        ]
        done = {"type": "done", "ref": 1, "stale": [2, 3]}
        assert client.say(type="ack", through=3, ref=1)[0] == done
        assert client.say(type="ack", through=3, ref=1) == [{**done, "stale": []}], "it was told"
        assert desk.settled == [1]

    def test_through_reaches_no_event_that_was_not_given(self) -> None:
        client = Client(desk_of("a"))
        assert client.tags() == [1]
        [error] = client.say(type="ack", through=2, ref=1)
        assert error["message"] == "nothing was changed: `through` is 2, and 1 is the last tag so far"
        assert (error["code"], error["ref"], client.desk.settled) == ("malformed", 1, [])

    @pytest.mark.parametrize("kind", ["nack", "park"])
    async def test_many_that_are_handed_back_leave_turns_to_others(self, kind: str) -> None:
        """A frame of 8,000 nacks held every commit up for a fifth of a second."""
        desk = desk_of(*map(str, range(200)))
        client = Client(desk, window=200)
        assert len(client.tags()) == 200
        rest = client.session.receive(json.dumps({"type": kind, "tags": [*range(1, 202)], "ref": 1}).encode())
        assert rest is not None
        task = asyncio.ensure_future(rest)
        turns = 0
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        assert [line.count("(") for line in desk.log] == [64, 64, 64, 8]
        assert turns >= 4
        assert {"type": "done", "ref": 1, "stale": [201]} in client.take()

    async def test_parking_is_done_once_it_is_durable(self) -> None:
        desk = desk_of("a", "a", "b", parking=asyncio.Event())
        client = Client(desk)
        assert client.tags() == [1, 2, 3]
        parking = client.session.receive(b'{"type":"park","tags":[1,2,7],"error":"no\\nsuch account","ref":5}')
        assert parking is not None
        task = asyncio.ensure_future(parking)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert client.tags() == []
        assert client.say(type="ack", tags=[3], ref=6) == [{"type": "done", "ref": 6, "stale": []}], "others go on"
        assert desk.parking is not None
        desk.parking.set()
        await task
        [done, events] = [one for one in client.take() if one["type"] != "level"]
        assert done == {"type": "done", "ref": 5, "stale": [2, 7]}, "the second went back with the first"
        assert [(one["tag"], one["attempt"]) for one in events["events"]] == [(4, 2)]
        assert desk.log[0] == "park [(1, 1), (2, 1)] 'no'"

    async def test_an_error_text_of_a_client_is_one_line(self) -> None:
        client = Client(desk_of("a"))
        assert client.tags() == [1]
        client.session.receive(json.dumps({"type": "nack", "tags": [1], "error": "x" * 60_000}).encode())
        assert len(client.desk.log[0]) < 5_000


class Counted(list[int]):
    """A list that counts how often it is looked at."""

    looks = 0

    def __getitem__(self, index: Any) -> Any:
        self.looks += 1
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[int]:
        self.looks += len(self)
        return super().__iter__()


async def test_a_frame_costs_nothing_for_what_was_taken_back_before() -> None:
    """A client may send many frames of a few bytes, and have lost a whole window of events."""
    desk = desk_of(*map(str, range(500)))
    client = Client(desk, window=500)
    client.tags()
    desk.restart()
    client.take()
    lost = client.session._lost = Counted(client.session._lost)
    assert len(lost) == 500
    for _ in range(100):
        client.session.receive(b'{"type":"ack","through":0}')
    assert lost.looks <= 200
    assert client.say(type="ack", through=500, ref=1)[0]["stale"] == [*range(1, 501)]


async def test_only_answers_that_count_have_an_effect() -> None:
    """A socket reads those without one slowly."""
    client = Client(desk_of("a"))
    client.tags()
    for frame, count in (
        (b'{"type":"ack","tags":[]}', 0),
        (b'{"type":"ack","tags":[7]}', 0),
        (b'{"type":"ack","tags":[1]}', 1),
        (b'{"type":"ack","tags":[1]}', 1),
        (b"{}", 1),
    ):
        client.session.receive(frame)
        assert client.session.answer_count == count


def test_there_may_be_more_behind_events_unless_the_window_is_full() -> None:
    client = Client(desk_of(*"abc"), window=3, batch=2)
    has_more = []
    for _ in range(3):
        client.session.next_frames(0.0, may_give=True)
        has_more.append(client.session.has_more)
    assert has_more == [True, False, False]


class TestMalformed:
    @pytest.mark.parametrize("text", [None, b"", b'{"type":"settle","tags":[1]}', b'{"type":"ack","tags":[1],"all":1}'])
    def test_it_changes_nothing_and_is_told(self, text: bytes | None) -> None:
        client = Client(desk_of("a"))
        assert client.tags() == [1]
        client.session.receive(text)
        [error] = client.take()
        assert (error["type"], error["code"]) == ("error", "malformed")
        assert (client.session.out_count, client.session.closing, client.desk.log) == (1, None, [])

    def test_the_third_ends_the_connection_and_is_told_too(self) -> None:
        client = Client(desk_of("a"))
        assert client.tags() == [1]
        for _ in range(2):
            client.session.receive(b"{}")
            assert client.session.closing is None
        client.session.receive(b"{}")
        assert client.session.closing == (4400, "3 malformed frames")
        assert [one["type"] for one in client.take()] == ["error"] * 3
        client.session.receive(b'{"type":"ack","tags":[1]}')
        assert client.desk.settled == []


class TestGiving:
    def test_a_window_of_one_is_one_at_a_time(self) -> None:
        client = Client(desk_of(*"abc"), window=1)
        for tag in (1, 2, 3):
            assert client.tags() == [tag]
            assert client.tags() == []
            client.session.receive(b'{"type":"ack","tags":[%d]}' % tag)

    def test_a_frame_has_a_batch_at_most(self) -> None:
        client = Client(desk_of(*"abcdefg"), window=7, batch=3)
        sizes = [len(frame["events"]) for frame in client.take() if frame["type"] == "events"]
        assert sizes == [3, 3, 1]

    def test_a_frame_has_64_kib_or_one_event(self) -> None:
        desk = ListDesk()
        for size in (1_000, 40_000, 40_000, 200_000, 10):
            desk.add(len(desk.events), b'"%b"' % (size * b"x"))
        client = Client(desk, window=10)
        sizes = [[len(one["event"]) for one in frame["events"]] for frame in client.take() if frame["type"] == "events"]
        assert [size for frame in sizes for size in frame] == [1_000, 40_000, 40_000, 200_000, 10]
        assert len(sizes) > 1

    def test_a_client_that_does_not_read_gets_no_events_and_keeps_what_it_has(self) -> None:
        desk = desk_of(*"ab")
        client = Client(desk, window=5)
        assert client.tags() == [1, 2]
        desk.add("c", b"{}")
        assert client.take(may_give=False) == []
        desk.late(1)
        assert [one["type"] for one in client.take(may_give=False)] == ["revoked"], "what it has to know does come"
        assert client.tags() == [3, 4]


class TestLevel:
    def levels(self, client: Client) -> list[dict[str, Any]]:
        return [one for one in client.take() if one["type"] == "level"]

    def test_it_comes_behind_events_and_at_most_once_a_second(self) -> None:
        desk = desk_of("a")
        client = Client(desk, window=9)
        assert len(self.levels(client)) == 1
        desk.add("b", b"{}")
        client.now_s = 0.9
        assert self.levels(client) == []
        client.now_s = 1.0
        assert self.levels(client) == [{"type": "level", "token": "token-2", "lag": 0}]
        client.now_s = 3.0
        assert self.levels(client) == [], "nothing came since"

    def test_it_is_not_said_of_a_full_window_or_of_a_log_that_is_not_read(self) -> None:
        full = Client(desk_of("a"), window=1)
        assert self.levels(full) == []
        behind = Client(desk_of(*"ab", window=1), window=9)
        assert self.levels(behind) == []
        paused = Client(desk_of(state=State.PAUSED), window=9)
        assert self.levels(paused) == []

    def test_after_15_s_of_silence_it_tells_how_far_the_log_was_looked_at(self) -> None:
        client = Client(desk_of("a", state=State.PAUSED))
        client.now_s = 14.9
        assert self.levels(client) == []
        client.now_s = 15.0
        assert self.levels(client) == [{"type": "level", "token": "token-0", "lag": 1}]
        client.now_s = 29.9
        assert self.levels(client) == []


class TestStates:
    def test_a_pause_takes_back_what_is_out_and_is_told(self) -> None:
        desk = desk_of("a")
        client = Client(desk)
        assert client.tags() == [1]
        desk.change(State.PAUSED, "paused by a person")
        assert client.take() == [
            {"type": "revoked", "tags": [1], "reason": "ended"},
            {"type": "state", "state": "PAUSED", "reason": "paused by a person"},
        ]
        assert client.say(type="ack", tags=[1], ref=1) == [{"type": "done", "ref": 1, "stale": [1]}]
        desk.change(State.LIVE)
        [state, events] = [one for one in client.take() if one["type"] != "level"]
        assert state == {"type": "state", "state": "LIVE", "reason": ""}
        assert [(one["tag"], one["attempt"]) for one in events["events"]] == [(2, 2)]

    def test_of_several_states_that_a_client_did_not_read_the_last_is_told(self) -> None:
        desk = desk_of()
        client = Client(desk)
        client.take()
        for state in (State.PAUSED, State.BLOCKED, State.PAUSED):
            desk.change(state)
        assert client.take(may_give=False) == []
        assert [one["state"] for one in client.take()] == ["PAUSED"]

    @pytest.mark.parametrize(("end", "code"), [(End.DELETED, 4404), (End.STOPPING, 1001)])
    def test_an_end_closes_and_nothing_is_called_any_more(self, end: End, code: int) -> None:
        desk = desk_of("a")
        client = Client(desk)
        desk.end(end)
        assert client.session.closing is not None
        assert client.session.closing[0] == code
        client.session.receive(b'{"type":"ack","tags":[1]}')
        client.session.leave()
        assert (client.take(), desk.log) == ([], [])


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
