"""The NATS sink against nats-server."""

import asyncio
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from nats.js.api import StorageType

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.simulated.chain import Recipe
from bigchaindb.testing.sinks import (
    RECIPE,
    Held,
    ServiceSuite,
    ShapedSuite,
    check,
    done,
    expected,
    passing,
    position_of,
    until,
)
from tests.support import scale
from tests.support.nats import PASSWORD, USER, Nats, running_nats
from tests.support.nats_accounts import USER as USER_KEY
from tests.support.nats_accounts import Key, new_operator
from tests.support.nats_streams import KEY, SETTINGS, Stream, event_id
from tests.support.ports import free_ports
from tests.support.targets import KILL_RUN, held_after_a_hang
from tests.support.tls import Tls

QUICK: Final = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}


@pytest.fixture(scope="module")
def server() -> Iterator[Nats]:
    """A server. Tests that stop it start it again."""
    with running_nats(settings=SETTINGS, login=f"{USER}:{PASSWORD}@") as running:
        yield running


@pytest.fixture(scope="module")
def server_tls(tls: Tls) -> Iterator[Nats]:
    """A server that wants TLS and a certificate of its clients, and takes no message above 60,000 bytes."""
    files = f'cert_file: "{tls.certificate}", key_file: "{tls.key}", ca_file: "{tls.ca}", verify: true'
    settings = f"tls {{ {files} }}\nauthorization {{ token: {PASSWORD} }}\nmax_payload: 60000\n"
    context = ssl.create_default_context(cafile=tls.ca)
    context.load_cert_chain(tls.certificate, tls.key)
    client = {"tls": context, "token": PASSWORD}
    with running_nats(settings=settings, scheme="tls", client=client) as running:
        yield running


@pytest.fixture
def secured(server_tls: Nats, tls: Tls) -> Stream:
    """A stream to be, of the server with TLS."""
    stream = Stream(server_tls, {"token": PASSWORD, **tls.own})
    stream.other_ca = tls.other_ca
    return stream


@pytest.fixture
def target(server: Nats, secured: Stream) -> Iterator[Stream]:
    stream = Stream(server, beside=secured)
    stream.make()
    yield stream
    if server.process is None:
        server.start()


async def refused(options: dict[str, Any]) -> str:
    """Return the error of a check."""
    return (await asyncio.to_thread(try_plugin, "nats", options, with_check=True)).error


class TestNats(ShapedSuite, ServiceSuite):
    """The stream drops repeats for longer than the test."""

    sink = "nats"
    exactly_once = True
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    cannot: ClassVar = {"refusing": "a stream refuses by size alone"}
    said_of_secret = "refuses the login"

    async def test_headers_describe_the_data(self, target: Stream, tmp_path: Path) -> None:
        async with passing(tmp_path, "nats", target.options(per="transaction")) as run:
            await done(run)
        messages = {message.id: message for message in expected(RECIPE, Per.TRANSACTION)}
        found = await asyncio.to_thread(target.messages)
        assert len(found) == len(messages)
        for one in found:
            message = messages[event_id(one)]
            assert (one.subject, one.data) == (f"{target.name}.{message.routing_key}", message.data)
            assert one.headers == {
                "Nats-Msg-Id": message.id,
                "Nats-Expected-Stream": target.name,
                "Content-Type": "application/json",
                "ce-datacontenttype": "application/json",
                **{f"ce-{name}": value for name, value in message.attributes.items()},
            }

    async def test_a_template_chooses_the_subject(self, target: Stream, tmp_path: Path) -> None:
        subject = f"{target.name}.{{kind}}.{{asset_id}}"
        options = target.options(per="transaction", format="cloudevents", subject=subject)
        async with passing(tmp_path, "nats", options) as run:
            await done(run)
        for one in await asyncio.to_thread(target.messages):
            event = json.loads(one.data)
            kind = "block" if ".block." in event["type"] else "transaction"
            assert one.subject == f"{target.name}.{kind}.{event.get('partitionkey', '-')}"
            assert (one.headers or {})["Content-Type"] == "application/cloudevents+json"

    async def test_what_was_deleted_is_written_again_by_a_seek(self, target: Stream, tmp_path: Path) -> None:
        """The stream still knows the ids, and would drop them: an operator who seeks back wants them there."""
        gone = [3, 4, RECIPE.blocks]
        async with passing(tmp_path, "nats", target.options()) as run:
            await done(run)
            async with target.server.stream() as stream:
                for number in gone:
                    await stream.delete_msg(target.name, number)
            for _ in range(2):  # the second time nothing is missing
                await run.seek("genesis")
                await done(run)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True, in_order=False)
        ids = [(one.headers or {})["Nats-Msg-Id"] for one in await asyncio.to_thread(target.messages)]
        assert sorted(id_ for id_ in ids if "~" in id_) == [f"simulated-7:{number:020d}~{number}" for number in gone]

    async def test_what_several_nodes_send_is_there_once(self, target: Stream, tmp_path: Path) -> None:
        async with (
            passing(tmp_path / "one", "nats", target.options()) as one,
            passing(tmp_path / "other", "nats", target.options()) as other,
        ):
            await asyncio.gather(done(one), done(other))
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True, in_order=False)

    async def test_a_stream_that_is_missing_is_made_if_so_configured(self, server: Nats, tmp_path: Path) -> None:
        stream = Stream(server)
        found = await asyncio.to_thread(try_plugin, "nats", stream.options(create=True), with_check=True)
        assert found.checked.endswith(f"the stream {stream.name} will be made")
        assert stream.name not in await asyncio.to_thread(stream.places)
        async with passing(tmp_path, "nats", stream.options(create=True)) as run:
            await done(run)
        check(await asyncio.to_thread(stream.held), expected(RECIPE, Per.BLOCK), exactly_once=True)
        found = await asyncio.to_thread(try_plugin, "nats", stream.options(), with_check=True)
        assert found.checked.endswith(f"the stream {stream.name} is there, and drops repeats for 600 s")

    async def test_a_stream_of_other_subjects_is_named(self, target: Stream) -> None:
        """Before the first message, and by a check."""
        error = await refused(target.options(subject="elsewhere.{routing_key}"))
        assert f"the stream {target.name} takes {target.name}.> and no message of elsewhere.>" in error
        assert f"nats stream edit {target.name} --subjects 'elsewhere.>'" in error

    async def test_a_stream_of_some_of_the_subjects_says_so(self, target: Stream, tmp_path: Path) -> None:
        """It may be all that there will ever be; a message beyond them is refused."""
        await asyncio.to_thread(lambda: target.change(subjects=["elsewhere.v0.>"]))
        options = target.options(subject="elsewhere.{routing_key}")
        found = await asyncio.to_thread(try_plugin, "nats", options, with_check=True)
        assert found.checked.endswith("; it takes elsewhere.v0.>, which may leave out messages of elsewhere.>")
        async with passing(tmp_path, "nats", options) as run:
            run.grow(1)
            await until(lambda: run.errors, "a refusal", run)
            assert "no stream takes elsewhere.v1.simulated-7.block." in run.errors[0]
            assert f"nats stream edit {target.name} --subjects 'elsewhere.>'" in run.errors[0]

    async def test_a_subject_of_another_stream_is_refused(self, target: Stream, server: Nats, tmp_path: Path) -> None:
        """Events must not end where nobody looks for them."""
        other = Stream(server)
        await asyncio.to_thread(other.make)
        await asyncio.to_thread(lambda: other.change(subjects=[f"{other.name}.block"]))
        await asyncio.to_thread(lambda: target.change(subjects=[f"{other.name}.transaction"]))
        async with passing(tmp_path, "nats", target.options(subject=f"{other.name}.{{kind}}")) as run:
            run.grow(1)
            await until(lambda: run.errors, "a refusal", run)
            assert "expected stream does not match" in run.errors[0]
        assert await asyncio.to_thread(other.held) == []

    async def test_a_stream_that_never_acknowledges_is_refused(self, server: Nats) -> None:
        stream = Stream(server)
        await asyncio.to_thread(lambda: stream.make(no_ack=True))
        assert f"the stream {stream.name} acknowledges nothing" in await refused(stream.options())

    async def test_a_server_that_is_full_is_waited_for(self, server: Nats, tmp_path: Path) -> None:
        """It takes the next ones once somebody made room: nothing is lost, and no event is blamed."""
        stream, found = Stream(server), list[Held]()
        await asyncio.to_thread(lambda: stream.make(storage=StorageType.MEMORY))
        async with passing(tmp_path, "nats", stream.options()) as run:
            run.grow()
            await until(lambda: run.errors, "a refusal", run)
            assert "has no room: insufficient resources (error 10023); raise its limits" in run.errors[0]
            while run.status().lag:
                found += await asyncio.to_thread(stream.taken)
            assert run.parked("nats") == ()
        found += await asyncio.to_thread(stream.taken)
        check(found, expected(RECIPE, Per.BLOCK), exactly_once=False, in_order=False)

    async def test_a_message_that_the_stream_finds_too_large_is_set_aside_alone(
        self, server: Nats, tmp_path: Path
    ) -> None:
        stream = Stream(server)
        sizes = {one.position: len(one.data) for one in expected(RECIPE, Per.BLOCK)}
        most = sorted(sizes.values())[-2] + 300  # with its headers, more is too large
        await asyncio.to_thread(lambda: stream.make(max_msg_size=most))
        async with passing(tmp_path, "nats", stream.options(), retry=QUICK) as run:
            await done(run)
            parked = dict(run.parked("nats"))
        assert 0 < len(parked) < RECIPE.blocks
        assert max(sizes, key=lambda number: sizes[number]) in parked
        assert all("message size exceeds maximum allowed (error 10054)" in error for error in parked.values())
        held = await asyncio.to_thread(stream.held)
        assert [position_of(one.id) for one in held] == sorted(sizes.keys() - parked.keys())

    async def test_a_server_that_hangs_is_dead_after_the_deadline(self, target: Stream, tmp_path: Path) -> None:
        held, messages = await held_after_a_hang(target, "nats", tmp_path, 1.0, said="no acknowledgement for 1 s")
        check(held, messages, exactly_once=True)

    async def test_logins(self, target: Stream, tmp_path: Path) -> None:
        """By a key; by nothing, by a wrong password, and without the rights: each has its sentence and no secret."""
        place, url = f"127.0.0.1:{target.server.port}", f"nats://127.0.0.1:{target.server.port}"
        (tmp_path / "seed").write_text(f"{KEY.seed}\n")
        by_key = target.options(url=url, nkey_file=str(tmp_path / "seed"))
        assert await refused(by_key) == ""
        (tmp_path / "seed").write_text(Key(USER_KEY).seed)
        for options in (
            target.options(url=url),
            by_key,
            target.wrong_credentials("wrong-one"),
            target.options(url=url, token="wrong-one"),
        ):
            error = await refused(options)
            assert f"{place}: refuses the login; correct user and password of the option url" in error
            assert "wrong-one" not in error

    async def test_rights_that_are_missing_are_named(self, target: Stream, tmp_path: Path) -> None:
        """The server answers nothing to a message that it may not take."""
        options = target.options(url=target.server.url_as("eve", PASSWORD))
        async with passing(tmp_path, "nats", options) as run:
            run.grow(1)
            await until(lambda: run.errors, "a refusal", run)
            text = f'the user has too few rights: permissions violation for publish to "{target.name}.v1.'
            assert text in run.errors[0]
            assert PASSWORD not in run.errors[0]

    async def test_an_account_without_jetstream_is_named(self, target: Stream) -> None:
        error = await refused(target.options(url=target.server.url_as("carol", PASSWORD)))
        assert "JetStream is not available: " in error

    async def test_credentials_of_an_operators_account(self, tmp_path: Path) -> None:
        operator = new_operator()
        (tmp_path / "user.creds").write_text(operator.credentials)
        with running_nats(settings=operator.settings) as server:
            stream = Stream(server)
            options = stream.options(create=True, credentials_file=str(tmp_path / "user.creds"))
            async with passing(tmp_path, "nats", options) as run:
                await done(run)
            assert "refuses the login" in await refused(stream.options())

    async def test_tls_with_a_certificate_of_our_own(self, target: Stream, tmp_path: Path) -> None:
        """With the authority that signed the server's certificate and not with another, and as who we are."""
        secured, untrusting = await asyncio.to_thread(target.secured)
        async with passing(tmp_path, "nats", secured.options()) as run:
            await done(run)
        check(await asyncio.to_thread(secured.held), expected(RECIPE, Per.BLOCK), exactly_once=True)
        assert "certificate verify failed" in await refused(untrusting)
        error = await refused(secured.options(cert_file=None, key_file=None))
        assert re.search("TLS fails: |the connection has ended: ", error)  # whichever of both sides is faster

    async def test_a_server_without_tls_gets_no_password(self, target: Stream) -> None:
        """The library itself would send it: whoever sits between both could ask for that."""
        got = bytearray()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"auth_required":true}\r\n')
            got.extend(await reader.read())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1") as between:
            port = between.sockets[0].getsockname()[1]
            error = await refused(target.options(url=f"tls://{USER}:{PASSWORD}@127.0.0.1:{port}"))
        assert "the server does not ask for TLS, which tls:// requires" in error
        assert got == b""

    async def test_one_server_of_several_is_enough(self, target: Stream, tmp_path: Path) -> None:
        """Those that are down are passed over, whichever is tried first."""
        dead = ",".join(f"nats://{USER}:{PASSWORD}@127.0.0.1:{port}" for port in free_ports(3))
        async with passing(tmp_path, "nats", target.options(url=f"{dead},{target.server.url}")) as run:
            await done(run)
            assert run.status().start_count == 1

    @pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"INFO {]\r\n", b"AMQP", b"x" * 100_000])
    async def test_what_does_not_speak_nats_is_named(self, target: Stream, greeting: bytes) -> None:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(greeting)
                await writer.drain()
                writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1") as other:
            port = other.sockets[0].getsockname()[1]
            error = await refused(target.options(url=f"nats://127.0.0.1:{port}"))
        assert f"Unavailable: 127.0.0.1:{port}: the server does not speak NATS; name its port of clients" in error

    async def test_a_message_above_the_servers_limit_is_set_aside_alone(self, target: Stream, tmp_path: Path) -> None:
        """The server would end the connection for it: whatever is on its way beside it must arrive."""
        limited = await asyncio.to_thread(target.limited)
        recipe = Recipe(blocks=3, transactions=100, seed=7)
        async with passing(tmp_path, "nats", limited.options(), recipe, retry=QUICK) as run:
            run.grow()
            await until(lambda: run.status().lag == 0 and run.head == recipe.blocks, "all to be settled", run)
            parked = run.parked("nats")
        assert [position for position, _ in parked] == [1, 2, 3]
        assert all("the server takes 60000; raise its max_payload" in error for _, error in parked)
        assert PASSWORD not in str(parked)
