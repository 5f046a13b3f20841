"""What a server of Redis refuses, as the sink tells people."""

import socket
import threading
from collections.abc import Callable
from typing import Final

import pytest

from bigchaindb.delivery import Message, Per
from bigchaindb.errors import ConfigurationError
from bigchaindb.events import Unavailable
from bigchaindb.sinks.redis import dangers
from bigchaindb.testing.sinks import RECIPE, check, expected
from tests.support import waiting
from tests.support.ports import free_ports
from tests.support.redis import PASSWORD, Redis, running_redis
from tests.support.redis_streams import Stream
from tests.support.tls import Tls

BLOCKS: Final = expected(RECIPE, Per.BLOCK)
TRANSACTIONS: Final = expected(RECIPE, Per.TRANSACTION)


@pytest.fixture
def target(redis_target: Stream) -> Stream:
    return redis_target


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
        stream, ours = Stream(redis_tls), tls.own
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
