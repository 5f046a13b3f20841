"""The Redis sink against a real server."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import pytest

from bigchaindb.delivery import Message, Per
from bigchaindb.events import Unavailable
from bigchaindb.sinks.redis_server import RETURNED_FROM
from bigchaindb.testing.sinks import RECIPE, ServiceSuite, ShapedSuite, check, done, expected, passing, until
from tests.support import scale
from tests.support.redis import PASSWORD
from tests.support.redis_streams import Stream
from tests.support.targets import KILL_RUN

BLOCKS: Final = expected(RECIPE, Per.BLOCK)
TRANSACTIONS: Final = expected(RECIPE, Per.TRANSACTION)


@pytest.fixture
def target(redis_target: Stream) -> Stream:
    return redis_target


def place_of(message: Message) -> str:
    return f"{message.position}-{message.index or 0}"


def ids(entries: Sequence[tuple[str, Mapping[str, bytes]]]) -> list[str]:
    return [fields["id"].decode() for _, fields in entries]


def returned(entries: Sequence[tuple[str, Mapping[str, bytes]]]) -> list[str]:
    """Return the ids of messages that were added behind later ones; each says so, and its place does."""
    for place, fields in entries:
        assert (int(place.split("-")[1]) >= RETURNED_FROM) == (fields.get("returned") == b"true"), place
    return ids([one for one in entries if "returned" in one[1]])


class TestRedis(ShapedSuite, ServiceSuite):
    """Whatever a consumer gets twice has one field `id`: a parked event that returned as the plugin was killed."""

    sink = "redis"
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    is_once_in_place = True
    said_of_secret = "it refuses the user or the password of the option url; correct them"
    cannot: ClassVar[Mapping[str, str]] = {
        "missing": "a stream is made by its first entry",
        "refusing": "a server takes every message of a size that it takes",
    }

    async def test_kills_double_nothing_that_keeps_its_place(self, target: Stream, tmp_path: Path) -> None:
        """Either side's, in windows that end within a block, and a seek back on top."""
        async with passing(tmp_path, "redis", target.options(per="transaction", window=3)) as run:
            for part in range(1, 4):
                run.grow(RECIPE.blocks // 4)
                await until(lambda part=part: run.status().position > (part - 1) * RECIPE.blocks // 4, "some", run)  # type: ignore[misc]
                pid = run.status().pid
                if part == 2 or pid is None:
                    target.kill()
                    await asyncio.to_thread(target.start)
                else:
                    os.kill(pid, signal.SIGKILL)
            await done(run)
            await run.seek("genesis")
            await done(run)
            assert run.parked("redis") == ()
        entries = await asyncio.to_thread(target.entries)
        assert [place for place, _ in entries] == [place_of(one) for one in TRANSACTIONS]

    async def test_a_warning_is_printed_at_the_start(
        self, target: Stream, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        printed = list[str]()

        def has_warned() -> bool:
            printed.append(capfd.readouterr().err)
            return "appendfsync is everysec" in "".join(printed)

        with target.setting("appendfsync", "everysec"):
            async with passing(tmp_path, "redis", target.options()) as run:
                run.grow(1)
                await until(has_warned, "the warning", run)
        assert PASSWORD not in "".join(printed)


class TestStreams:
    """What is added to a stream, without a plugin's process."""

    def test_an_id_is_the_place_in_the_log_and_fields_are_attributes(self, target: Stream) -> None:
        target.write(TRANSACTIONS)
        assert target.entries() == [
            (
                place_of(one),
                {
                    **{name: value.encode() for name, value in one.attributes.items()},
                    "datacontenttype": b"application/json",
                    "data": one.data,
                },
            )
            for one in TRANSACTIONS
        ]

    def test_what_returns_is_added_behind_and_leaves_the_next_places_free(self, target: Stream) -> None:
        """It is not above the last one, and no repeat: taken for one it would be lost."""
        target.write(BLOCKS[:10:2])
        target.write(BLOCKS[:12])
        entries = target.entries()
        assert returned(entries) == [one.id for one in BLOCKS[1:8:2]]
        in_place = [one for one in entries if one[0] in set(map(place_of, BLOCKS))]
        assert ids(in_place) == [one.id for one in (*BLOCKS[:10:2], *BLOCKS[9:12])]

    def test_a_repeat_of_what_returned_is_doubled_and_has_the_same_id(self, target: Stream) -> None:
        """No place tells it: the page says so."""
        target.write([BLOCKS[5]])
        target.write([BLOCKS[1]])
        target.write([BLOCKS[1], BLOCKS[6]])
        assert ids(target.entries()) == [BLOCKS[number].id for number in (5, 1, 6, 1)]

    def test_a_place_that_another_message_has_is_no_repeat(self, target: Stream) -> None:
        """Blocks and transactions in one stream: the block and its first transaction have one place."""
        target.write(BLOCKS[:20])
        target.write(TRANSACTIONS)
        target.write(BLOCKS)
        messages = {one.id: one for one in (*BLOCKS, *TRANSACTIONS)}
        check(target.held(), list(messages.values()), exactly_once=False, in_order=False)
        assert set(returned(target.entries())) < messages.keys()

    def test_a_stream_with_times_as_ids_takes_everything(self, target: Stream) -> None:
        """Another program added to it: each position lies below its ids."""
        target.do("XADD", target.name, "*", "foreign", "entry")
        target.write(BLOCKS[:20], window=7)
        entries = target.entries()[1:]
        assert returned(entries) == ids(entries) == [one.id for one in BLOCKS[:20]]

    def test_the_last_place_of_a_position_is_followed_by_the_next_position(self, target: Stream) -> None:
        target.do("XADD", target.name, f"7-{(1 << 64) - 3}", "foreign", "entry")
        target.write(BLOCKS[:5])
        assert [place for place, _ in target.entries()[1:]] == [f"8-{RETURNED_FROM + number}" for number in range(5)]

    def test_a_stream_without_any_further_id_is_named(self, target: Stream) -> None:
        end = (1 << 64) - 1
        target.do("XADD", target.name, f"{end}-{end}", "foreign", "entry")
        with pytest.raises(Unavailable, match=f"{target.name} has no id left; remove it, or name another"):
            target.write(BLOCKS[:5])

    def test_what_was_removed_comes_again(self, target: Stream) -> None:
        """By a seek back, while what is there stays as it is."""
        target.write(BLOCKS)
        target.do("XDEL", target.name, "3-0", "60-0")
        target.write(BLOCKS)
        assert returned(target.entries()) == [BLOCKS[2].id, BLOCKS[59].id]
        check(target.held(), BLOCKS, exactly_once=True, in_order=False)

    async def test_several_nodes_fill_one_stream(self, target: Stream) -> None:
        await asyncio.gather(*(asyncio.to_thread(target.write, TRANSACTIONS, window=3) for _ in range(3)))
        assert ids(target.entries()) == [one.id for one in TRANSACTIONS]

    def test_a_template_names_streams(self, target: Stream) -> None:
        target.write(TRANSACTIONS, stream=f"{target.name}.{{kind}}.{{asset_id}}")
        for message in TRANSACTIONS:
            kind = "block" if message.index is None else "transaction"
            found = target.entries(f"{target.name}.{kind}.{message.asset_id or '-'}")
            assert ids(found) == [one.id for one in TRANSACTIONS if one.asset_id == message.asset_id]

    def test_a_stream_is_trimmed(self, target: Stream) -> None:
        """To about so many entries; a seek back then adds again what was cut off."""
        target.write(TRANSACTIONS, maxlen=10)
        entries = target.entries()
        assert 10 <= len(entries) < len(TRANSACTIONS)
        assert ids(entries) == [one.id for one in TRANSACTIONS[-len(entries) :]]
        target.write(TRANSACTIONS[:20], maxlen=10)
        again = returned(target.entries())
        assert len(again) >= 10
        assert again == [one.id for one in TRANSACTIONS[20 - len(again) : 20]]
