"""The protocol of subscriptions without a socket: transcripts."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.consuming import End
from tests.support.desks import ListDesk
from tests.support.session_clients import Client, desk_of


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
