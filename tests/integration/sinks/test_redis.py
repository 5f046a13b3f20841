"""The Redis sink against a real server."""

import asyncio
import itertools
import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from redis.connection import DefaultParser

from bigchaindb.delivery import Message, Per, read_options
from bigchaindb.errors import ConfigurationError
from bigchaindb.events import Unavailable
from bigchaindb.sinks.redis import RedisOptions, RedisSink, dangers
from bigchaindb.sinks.redis_reasons import reason
from bigchaindb.sinks.redis_server import RETURNED_FROM, Server, Streams
from bigchaindb.testing.sinks import (
    RECIPE,
    Held,
    ServiceSuite,
    ShapedSuite,
    Trouble,
    check,
    done,
    expected,
    passing,
    until,
)
from tests.integration.sinks.conftest import KILL_RUN, Tls
from tests.support import scale, waiting
from tests.support.ports import free_ports
from tests.support.redis import PASSWORD, Redis, running_redis
from tests.support.targets import AtServer

_numbers: Final = itertools.count(1)
BLOCKS: Final = expected(RECIPE, Per.BLOCK)
TRANSACTIONS: Final = expected(RECIPE, Per.TRANSACTION)
COPIES: Final = {f"copy{number}": "$" for number in range(24)}
"""Fields by which a block of 60,000 bytes is larger than 1 MiB, the least limit that a server has."""


class Stream(AtServer[Redis]):
    """A stream of a test's own.

    Attributes:
        secret: the password in the options.
        beside: a stream at a server with TLS and a limit.
        other_ca: an authority that did not sign that server's certificate.
        more: options that every test gets.
    """

    secret = PASSWORD

    def __init__(
        self, server: Redis, beside: "Stream | None" = None, other_ca: Path | None = None, **more: Any
    ) -> None:
        self.server = server
        self.beside = beside
        self.other_ca = other_ca
        self.more = more
        self.name = f"test-{next(_numbers)}"

    def options(self, **more: Any) -> dict[str, Any]:
        return {"url": self.server.url_with(), "stream": self.name, **self.more, **more}

    def held(self) -> Sequence[Held]:
        return [Held(fields["id"].decode(), "", fields["data"]) for _, fields in self.entries()]

    def bodies(self) -> Sequence[bytes]:
        return [fields.get("event") or fields["data"] for _, fields in self.entries()]

    def places(self) -> Collection[str]:
        return [key.decode() for key in self.do("KEYS", "*")]

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        return self.options(url=self.server.url_with(secret))

    def secured(self) -> tuple["Stream", dict[str, Any]]:
        assert self.beside is not None
        return self.beside, self.beside.options(ca_file=str(self.other_ca))

    def limited(self) -> "Stream":
        """Return a stream whose entries have all fields of a block many times."""
        assert self.beside is not None
        self.beside.more |= {"fields": COPIES}
        return self.beside

    def full(self) -> Trouble:
        self.do("CONFIG", "SET", "maxmemory", "1mb")
        mend = partial(self.do, "CONFIG", "SET", "maxmemory", "0")
        return Trouble(self.options(), mend, "its memory is full; raise its maxmemory")

    def entries(self, name: str = "") -> Sequence[tuple[str, dict[str, bytes]]]:
        """Return ids with their fields, in the order of the stream."""
        found = self.do("XRANGE", name or self.name, "-", "+")
        return [(id_.decode(), {key.decode(): value for key, value in fields.items()}) for id_, fields in found]

    def do(self, *command: str | int) -> Any:
        """Run a command as somebody who may do anything."""
        with self.server.client() as client:
            return client.execute_command(*command)

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """Change a setting of the server for a while."""
        with self.server.client() as client:
            before = client.config_get(name)[name]
            client.config_set(name, value)
            try:
                yield
            finally:
                client.config_set(name, before)

    @contextmanager
    def opened(self, **options: Any) -> Iterator[tuple[Server, Streams]]:
        """Connect as the plugin does."""
        sink = RedisSink()
        sink.configure(self.options(**options))
        with sink.opened() as found:
            yield found

    def write(self, messages: Sequence[Message], **options: Any) -> None:
        """Add messages as the plugin does."""
        with self.opened(**options) as (_, streams):
            streams.write(messages)

    def check(self, **options: Any) -> str:
        """Check as `plugins check` does."""
        sink = RedisSink()
        sink.configure(self.options(**options))
        return sink.check()

    def refusal(self, **options: Any) -> str:
        """Return the error of a check."""
        with pytest.raises(Unavailable) as found:
            self.check(**options)
        return str(found.value)


def trusting(tls: Tls) -> dict[str, Any]:
    """Return the options for a server of TLS that asks who we are."""
    return {"ca_file": str(tls.ca), "cert_file": str(tls.certificate), "key_file": str(tls.key)}


@pytest.fixture
def target(redis_server: Redis, redis_tls: Redis, tls: Tls) -> Iterator[Stream]:
    stream = Stream(redis_server, Stream(redis_tls, **trusting(tls)), other_ca=tls.other_ca)
    yield stream
    if redis_server.process is None or redis_server.process.poll() is not None:
        redis_server.start()
    stream.do("CONFIG", "SET", "maxmemory", "0")


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


class TestRefusals:
    """What a server says no to, in words of what to do; nothing of a window is there then."""

    def require(self, target: Stream, why: str) -> None:
        assert why in target.refusal()
        with pytest.raises(Unavailable, match=rf"^127.0.0.1:{target.server.port}: {why}"):
            target.write(BLOCKS)

    def test_one_command_leaves_out_all_that_are_sent_with_it(self, target: Stream) -> None:
        """Else a server that takes the third after it has refused the second would change the order."""
        commands = [("XADD", target.name, "1-0", "a", "b"), ("XADD", target.name)]
        with target.opened() as (server, _), pytest.raises(Unavailable, match="wrong number of arguments"):
            server.together(commands, [target.name] * 2)
        assert target.do("EXISTS", target.name) == 0

    def test_a_memory_that_is_full(self, target: Stream) -> None:
        target.write(BLOCKS[:5])
        with target.setting("maxmemory", "1mb"):
            self.require(target, "its memory is full; raise its maxmemory")
        target.write(BLOCKS)
        check(target.held(), BLOCKS, exactly_once=True)

    def test_a_disk_that_takes_nothing(self, target: Stream) -> None:
        def has_failed() -> bool:
            return bool(target.do("INFO", "persistence")["rdb_last_bgsave_status"] == "err")

        with target.setting("save", "3600 1"):
            with target.setting("dir", "/proc"):
                target.do("BGSAVE")
                waiting.until(has_failed, what="the save to fail")
                self.require(target, "it takes no writes since it cannot save to its disk; make room there")
            target.do("BGSAVE")
            waiting.until(lambda: not has_failed(), what="the save")
        target.write(BLOCKS)

    def test_a_replica(self, target: Stream) -> None:
        target.do("REPLICAOF", "127.0.0.1", "1")
        try:
            self.require(target, "it is a replica, which takes no writes; name the primary")
        finally:
            target.do("REPLICAOF", "NO", "ONE")

    def test_too_few_replicas(self, target: Stream) -> None:
        with target.setting("min-replicas-to-write", "1"):
            self.require(target, "it takes no writes while it has fewer replicas than its min-replicas-to-write")

    def test_a_key_of_another_type(self, target: Stream) -> None:
        target.do("SET", target.name, "x")
        self.require(target, f"{target.name} is a key of another type; remove it")

    def test_a_server_that_hangs(self, target: Stream) -> None:
        target.write(BLOCKS[:5])
        with target.opened(answer_s=1.0) as (_, streams):
            target.freeze()
            try:
                with pytest.raises(Unavailable, match=r"no answer within 1 s; check that the server runs"):
                    streams.write(BLOCKS[5:])
            finally:
                target.thaw()
        target.write(BLOCKS)
        check(target.held(), BLOCKS, exactly_once=True)

    def test_a_message_that_is_too_large(self, target: Stream) -> None:
        """Refused before it is sent: the server would close the connection for it."""
        large = Message(
            **{name: getattr(BLOCKS[3], name) for name in Message.__struct_fields__} | {"data": b"x" * (1 << 21)}
        )
        with target.setting("proto-max-bulk-len", "1mb"), target.opened() as (_, streams):
            streams.write(BLOCKS[:3])
            with pytest.raises(ValueError, match="2097152 bytes are more than the server takes, which is 1048576"):
                streams.write([large])
            streams.write(BLOCKS[4:])
        assert len(target.entries()) == RECIPE.blocks - 1

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ("LOADING Redis is loading the dataset in memory", "it still loads its data; wait until it is done"),
            ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is", "it is a replica, which takes no"),
            ("TRYAGAIN Multiple keys request during rehashing of slot", "its cluster moves mine to another node; wait"),
            (
                "ASK 3999 h:6381",
                "it is part of a cluster that keeps mine at h:6381; name that address in the option url",
            ),
            ("ERR max number of clients reached", "it has as many clients as it may; raise its maxclients"),
            ("ERR unknown command `XADD`", "unknown command `XADD`; use Redis 5 or newer, or Valkey"),
            ("DENIED Redis is running in protected mode", "it admits nobody from another machine without a password"),
            ("ERR DB index is out of range", "it has no database of the number in the option url; correct that number"),
            ("ERR something {new}", "something {new}; see the server's log"),
        ],
    )
    def test_an_answer_that_is_hard_to_get(self, answer: str, why: str) -> None:
        """As the library reads it."""
        error = DefaultParser.parse_error(answer)  # type: ignore[no-untyped-call]
        assert reason(error, stream="mine", answer_s=1).startswith(why)

    @pytest.mark.parametrize("password", ["wrong-one", "100%sure", "pa@ss@", "pa/ss", "pa?ss", "pa#ss"])
    def test_a_password_is_not_quoted(self, target: Stream, password: str) -> None:
        with pytest.raises((Unavailable, ConfigurationError)) as found:
            target.check(url=target.server.url_with(password))
        assert not [part for part in ("wrong-one", "sure", "ss@", "/ss", "?ss", "#ss") if part in str(found.value)]

    def test_who_wants_a_password(self, target: Stream) -> None:
        with target.server.client() as client:
            client.execute_command("CONFIG", "SET", "requirepass", "sesame-open")
            try:
                why = target.refusal(url=target.server.url)
            finally:
                client.execute_command("CONFIG", "SET", "requirepass", "")
        assert why.endswith(
            "it wants a user and a password; write them in the option url: redis://USER:PASSWORD@HOST:PORT/NUMBER"
        )

    def test_a_user_gets_along_with_the_commands_that_the_page_names(self, target: Stream) -> None:
        """Without the last two the server's settings stay unknown, and that is said."""
        url = target.server.url_with(user="clerk")
        needed = "+multi +exec +xadd +xrange +xinfo"

        def allow(commands: str, keys: str = "~test-*") -> None:
            target.do("ACL", "SETUSER", "clerk", "reset", "on", f">{PASSWORD}", keys, *commands.split())

        allow(needed)
        assert f"a server at 127.0.0.1:{target.server.port}, stream {target.name}; CONFIG GET is" in target.check(
            url=url
        )
        target.write(BLOCKS[4:6], url=url)
        target.write(BLOCKS[:6], url=url)
        assert len(target.entries()) == 6
        for missing in needed.split():
            allow(needed.replace(missing, ""))
            assert "grant the user what is missing: ACL SETUSER NAME ~" in target.refusal(url=url), missing
        allow(f"{needed} +info +config|get")
        assert (
            target.check(url=url)
            == f"Redis {self.version(target)} at 127.0.0.1:{target.server.port}, stream {target.name}"
        )
        allow(needed, keys="~other-*")
        assert "grant the user what is missing" in target.refusal(url=url)

    def version(self, target: Stream) -> str:
        return str(target.do("INFO", "server")["redis_version"])

    def test_what_the_server_may_lose(self, target: Stream) -> None:
        def found() -> str:
            with target.opened() as (server, _):
                return "; ".join(dangers(server))

        assert found() == ""
        with target.setting("appendfsync", "everysec"), target.setting("maxmemory-policy", "allkeys-lru"):
            assert "appendonly is yes and appendfsync is everysec, so a crash of the server loses" in found()
            assert "maxmemory-policy is allkeys-lru, so a server whose memory is full removes whole streams" in found()

    def test_tls(self, redis_tls: Redis, target: Stream, tls: Tls) -> None:
        """With the authority that signed the server's certificate, and with a certificate of our own."""
        stream, ours = Stream(redis_tls), trusting(tls)
        stream.write(BLOCKS, **ours)
        check(stream.held(), BLOCKS, exactly_once=True)
        assert "certificate verify failed" in stream.refusal(**ours | {"ca_file": str(tls.other_ca)})
        assert "whether the server wants a certificate" in stream.refusal(ca_file=str(tls.ca))
        plain = target.server.url_with().replace("redis://", "rediss://")
        assert "the right port: of TLS for rediss://" in stream.refusal(url=plain, answer_s=0.5)
        without = redis_tls.url_with().replace("rediss://", "redis://")
        assert "write rediss:// in the option url if it wants TLS" in stream.refusal(url=without)

    def test_a_port_of_another_server_and_nobodys(self, target: Stream) -> None:
        def answer() -> None:
            with listening.accept()[0] as connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            thread = threading.Thread(target=answer)
            thread.start()
            assert "the server does not speak the protocol of Redis" in target.refusal(url=f"redis://127.0.0.1:{port}")
            thread.join()
        why = target.refusal(url=f"redis://127.0.0.1:{free_ports(1)[0]}")
        assert "cannot connect: Connection refused; start the server, or correct host and port in the option url" in why

    def test_a_cluster(self) -> None:
        settings = ("--cluster-enabled", "yes")
        with running_redis(settings=settings) as one, running_redis(settings=settings) as two:
            first, second = Stream(one), Stream(two)
            assert "bring the nodes of its cluster back" in first.refusal()
            first.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            second.do("CLUSTER", "MEET", "127.0.0.1", one.port)
            for stream in (first, second):
                waiting.until(self._is_ready(stream), what="the cluster", within_s=60)
            assert second.refusal().endswith(
                f"it is part of a cluster that keeps {second.name} at 127.0.0.1:{one.port}; "
                "name that address in the option url"
            )
            with pytest.raises(Unavailable, match="a cluster that keeps these streams apart"):
                first.write(TRANSACTIONS, stream="{asset_id}")
            first.write(BLOCKS)
            check(first.held(), BLOCKS, exactly_once=True)

    def _is_ready(self, stream: Stream) -> Callable[[], bool]:
        return lambda: "cluster_state:ok" in str(stream.do("CLUSTER", "INFO"))

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            (
                {"url": "http://x"},
                "url: found http://…, which is no address of Redis; write it as redis://USER:PASSWORD@",
            ),
            ({"url": "redis://h/one"}, "url: is no address"),
            ({"url": "redis://h:port"}, "url: is no address"),
            ({"url": "redis://h?ssl_cert_reqs=none"}, "url: is no address"),
            ({"url": f"redis://{'h' * 70}"}, "url: is no address"),
            ({"maxlen": 0}, "maxlen: must be at least 1, found 0"),
            ({"window": 0}, "window: must be at least 1, found 0"),
            ({"answer_s": 0}, "answer_s: must be above 0 and at most 3600, found 0"),
            ({"answer_s": 1e300}, "answer_s: must be above 0 and at most 3600, found 1e+300"),
            ({"stream": "a.{asset}"}, "stream: may hold {chain_id}"),
            ({"cert_file": "/etc/cert.pem"}, "cert_file, key_file: set both or neither"),
            ({"ca_file": "/etc/ca.pem"}, "ca_file: needs a url that begins with rediss://"),
            ({"url": "rediss://h", "ca_file": "/none"}, "ca_file: /none cannot be used: "),
        ],
    )
    def test_options_that_cannot_work(self, options: dict[str, Any], why: str) -> None:
        with pytest.raises(ConfigurationError) as found:
            read_options({"url": "redis://h", **options}, RedisOptions)
        assert str(found.value).startswith(why)
