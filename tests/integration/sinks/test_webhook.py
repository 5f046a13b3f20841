"""The webhook sink against a receiver that is a process of its own."""

import base64
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bigchaindb.delivery import Format, Per, Shape, read_options
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.errors import Unavailable
from bigchaindb.eventlog.lane import State
from bigchaindb.sinks.webhook import Receiver as Posting
from bigchaindb.sinks.webhook import WebhookOptions, _session, owners_of, trusting
from bigchaindb.testing import crash_test
from bigchaindb.testing.sinks import RECIPE, ServiceSuite, ShapedSuite, Target, check, done, expected, passing, until
from bigchaindb.testing.targets import position_of
from tests.support import scale
from tests.support.ports import free_ports
from tests.support.receiver import Receiver
from tests.support.targets import KILL_RUN
from tests.support.tls import Tls
from tests.support.webhooks import NEXT_SECRET, SECRET, Batched, ByAsset, Endpoint


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    (port,) = free_ports(1)
    running = Receiver(port, tmp_path / "posts.jsonl")
    running.start()
    yield running
    running.kill_all()


@pytest.fixture
def target(receiver: Receiver, tls: Tls) -> Endpoint:
    return Endpoint(receiver, tls)


CANNOT: Final = {"places": "what is at a receiver is its own affair"}


class TestWebhook(ShapedSuite, ServiceSuite):
    """One after the other: all of it is in order."""

    sink = "webhook"
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    cannot = CANNOT
    checks_secret = False  # it asks for the head, which is not signed
    said_of_secret = "answers 401"

    async def test_in_binary_mode_headers_describe_the_data(self, target: Endpoint, tmp_path: Path) -> None:
        """And the signature is that of the body which is sent."""
        options = target.options(per="transaction", format="cloudevents-binary")
        async with passing(tmp_path, "webhook", options) as run:
            await done(run)
        messages = {message.id: message for message in expected(RECIPE, Per.TRANSACTION)}
        posts = target.server.posts()
        assert len(posts) == len(messages)
        for post in posts:
            headers = {name.lower(): value for name, value in post.headers.items()}
            Webhook(SECRET).verify(post.body.decode(), headers)
            message = messages[headers["webhook-id"]]
            assert (headers["content-type"], post.body) == ("application/json", message.data)
            found = {name: value for name, value in headers.items() if name.startswith("ce-")}
            assert found == {f"ce-{name}": value for name, value in message.attributes.items()}

    def test_a_batch_has_no_headers_for_each_message(self, target: Endpoint) -> None:
        error = try_plugin("webhook", target.options(format="cloudevents-binary", batch=2)).error
        assert "format: cloudevents-binary has one message in a request" in error

    async def test_signatures_verify_with_the_reference_library(self, target: Endpoint, tmp_path: Path) -> None:
        """While one secret replaces another, receivers with either take it; with a third none does."""
        async with passing(tmp_path, "webhook", target.options(secret=[SECRET, NEXT_SECRET])) as run:
            await done(run)
        posts = target.server.posts()
        assert len(posts) == RECIPE.blocks
        for post in posts:
            headers = {name.lower(): value for name, value in post.headers.items()}
            assert headers["content-type"] == "application/cloudevents+json"
            for secret in (SECRET, NEXT_SECRET):
                Webhook(secret).verify(post.body.decode(), headers)
            with pytest.raises(WebhookVerificationError):
                Webhook("whsec_" + base64.b64encode(bytes(32)).decode()).verify(post.body.decode(), headers)
            with pytest.raises(WebhookVerificationError):
                Webhook(SECRET).verify(post.body.decode() + " ", headers)

    async def test_a_receiver_that_is_gone_is_asked_no_more(self, target: Endpoint, tmp_path: Path) -> None:
        async with passing(tmp_path, "webhook", target.options("/status/410")) as run:
            run.grow()
            await until(lambda: run.status().state is State.FAILED, "it to give up", run)
            status = run.status()
            assert status.error == f"Gone: {target.server.url} answers 410: 'because of it'"
            assert (status.position, status.lag, run.parked("webhook")) == (0, RECIPE.blocks, ())

    @pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 408, 425, 429, 500, 502, 503])
    async def test_no_event_is_blamed_for_a_receiver_that_is_not_well(
        self, target: Endpoint, tmp_path: Path, status: int
    ) -> None:
        async with passing(tmp_path, "webhook", target.options(f"/status/{status}")) as run:
            run.grow(1)
            await until(lambda: run.errors, "it to fail", run)
            assert run.errors[0].startswith(f"Unavailable: {target.server.url} answers {status}")

    async def test_a_redirect_is_not_followed(self, target: Endpoint, tmp_path: Path) -> None:
        """It could lead anywhere, also into our own network."""
        async with passing(tmp_path, "webhook", target.options("/redirect")) as run:
            run.grow(1)
            await until(lambda: run.errors, "it to fail", run)
            assert "answers 302 (a redirect, which is not followed" in run.errors[0]
        assert target.held() == []
        assert (
            "a redirect, which is not followed"
            in try_plugin("webhook", target.options("/redirect"), with_check=True).error
        )

    async def test_a_receiver_that_never_answers_costs_a_deadline(self, target: Endpoint, tmp_path: Path) -> None:
        async with passing(tmp_path, "webhook", target.options("/never", timeout_s=0.3)) as run:
            run.grow(3)
            await until(lambda: run.errors, "the deadline", run)
            assert run.errors[0] == f"Unavailable: {target.server.url}: no answer within 0.3 s"

    @pytest.mark.parametrize("path", ["/endless", "/slow"])
    async def test_an_answer_without_end_is_left(self, target: Endpoint, tmp_path: Path, path: str) -> None:
        """Its status has come, so the message is taken; what follows costs neither memory nor more than a second."""
        async with passing(tmp_path, "webhook", target.options(path)) as run:
            run.grow(3)
            await until(lambda: run.status().position == 3, "three events", run)
            pid = run.status().pid
            assert pid is not None
            assert _rss_bytes(pid) < 128 * 1024 * 1024
            assert run.status().start_count == 1
        check(target.held(), expected(RECIPE, Per.BLOCK)[:3], exactly_once=True)

    def test_a_name_that_leads_into_our_own_network_is_refused(self, target: Endpoint) -> None:
        options = {"url": f"https://localhost:{target.server.port}/", "secret": SECRET}
        error = try_plugin("webhook", options, with_check=True).error
        assert "in a network of our own: set allow_private" in error

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"url": "https://127.0.0.1/"}, "127.0.0.1 is in a network of our own"),
            ({"url": "https://[::1]/"}, "::1 is in a network of our own"),
            ({"url": "https://169.254.169.254/"}, "169.254.169.254 is in a network of our own"),
            ({"url": "https://\uff11\uff12\uff17.0.0.1/"}, "127.0.0.1 is in a network of our own"),
            ({"url": "https://127\u30020\u30020\u30021/"}, "127.0.0.1 is in a network of our own"),
            ({"url": "https://bob:pw@example.org/"}, "url: must not hold a user or a password"),
            ({"url": "https://example.org:port/"}, "url: is no address"),
            ({"url": "https://example.org/", "ca_file": "/none"}, "ca_file: /none cannot be used"),
            ({"url": "http://example.org/"}, "url: must be https"),
            ({"url": "ftp://example.org/"}, "url: must be https://host/path"),
            ({"url": "https://example.org/", "secret": "short"}, "secret: must be"),
            (
                {"url": "https://example.org/", "secret": "whsec_" + "A" * 20},
                "secret: must be 24 to 64 bytes, found 15",
            ),
            ({"url": "https://example.org/", "secret": []}, "secret: must not be empty"),
            ({"url": "https://example.org/", "timeout_s": 0}, "timeout_s: must be above 0"),
        ],
    )
    def test_what_is_not_safe_is_refused(self, options: dict[str, Any], said: str) -> None:
        assert said in try_plugin("webhook", {"secret": SECRET, **options}).error

    def test_an_answer_that_is_no_http_does_not_show_the_path(self, target: Endpoint) -> None:
        """Many receivers have their secret there."""
        error = try_plugin("webhook", target.options("/no-http/s3cret?token=t0ken"), with_check=True).error
        assert f"{target.server.url}: " in error
        assert not [part for part in ("s3cret", "t0ken") if part in error]

    def test_secrets_are_not_shown(self) -> None:
        error = try_plugin("webhook", {"secret": "whsec_c2hvcnQ=", "url": "https://example.org/"}).error
        assert "c2hvcnQ" not in error


class TestWebhookByAsset(ServiceSuite):
    """Many at once: what happens to one asset is in order. Blocks have one order, so they go one after the other."""

    sink = "webhook"
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    cannot = CANNOT
    checks_secret = False  # it asks for the head, which is not signed

    @pytest.fixture
    def target(self, receiver: Receiver, tls: Tls) -> ByAsset:
        return ByAsset(receiver, tls)

    @pytest.mark.parametrize("per", [Per.TRANSACTION])
    def test_whatever_kills_it_nothing_is_lost(self, target: Target, per: Per) -> None:
        """And the order of each asset is exact, but for the event that was parked."""
        report = crash_test(
            self.sink,
            options=target.options(per=per),
            read_sink=lambda: [position_of(one.id) for one in {one.id: one for one in target.held()}.values()],
            blocks=RECIPE.blocks,
            transactions=RECIPE.transactions,
            invalid=RECIPE.invalid,
            seed=RECIPE.seed,
            kills=scale.WEBHOOK_KILLS,
            seek_kills=self.seek_kill_count,
        )
        kills = scale.WEBHOOK_KILLS + self.seek_kill_count
        assert (report.kills, report.failure, report.warning, report.lost) == (kills, "", "", ())
        messages = expected(RECIPE, per)
        check(target.held(), messages, exactly_once=False, in_order=False)
        unparked = [one for one in messages if one.position not in report.parked]
        ids = {one.id for one in unparked}
        check([one for one in target.held() if one.id in ids], unparked, exactly_once=False)

    async def test_requests_are_on_their_way_at_once(self, target: ByAsset, tmp_path: Path) -> None:
        """The receiver answers none before it has eight."""
        async with passing(tmp_path, "webhook", target.options("/together/8", per="transaction")) as run:
            await done(run)
        check(target.held(), expected(RECIPE, Per.TRANSACTION), exactly_once=True)

    @pytest.mark.parametrize("order", ["owner", "log"])
    async def test_other_orders(self, target: ByAsset, tmp_path: Path, order: str) -> None:
        async with passing(tmp_path, "webhook", target.options(per="transaction", order=order)) as run:
            await done(run)
        messages = expected(RECIPE, Per.TRANSACTION)
        check(target.held(), messages, exactly_once=True)
        places = {one.id: place for place, one in enumerate(messages)}
        arrived = [messages[places[one.id]] for one in target.held()]
        seen: dict[str, int] = {}
        for message in arrived:
            for key in owners_of(message) if order == "owner" else [""]:
                assert seen.get(key, -1) < places[message.id]
                seen[key] = places[message.id]

    async def test_a_message_that_is_refused_holds_back_its_own_asset_alone(
        self, target: ByAsset, tmp_path: Path
    ) -> None:
        """Until it is parked; all else of its event is there once, and a person's retry brings what is missing."""
        messages = expected(RECIPE, Per.TRANSACTION)
        counts = Counter(one.asset_id for one in messages)
        asset = next(one for one in messages if one.asset_id and counts[one.asset_id] > 2 and one.position > 3)
        policy = {"attempts": 3, "duration_s": 0, "delay_s_max": 0.2}
        options = target.options(f"/refuses/{asset.id}", per="transaction")
        async with passing(tmp_path, "webhook", options, retry=policy) as run:
            await done(run)
            ((position, error),) = run.parked("webhook")
            assert (position, "answers 422: 'not this one'" in error) == (asset.position, True)
            assert run.status().start_count == 1
            others = [one for one in messages if one.id != asset.id]
            check(target.held(), others, exactly_once=True)
            target.server.relent()
            await run.retry([position])
            await until(lambda: asset.id in {one.id for one in target.held()}, "the parked one", run)
            await until(lambda: run.parked("webhook") == (), "it to be settled", run)


async def test_the_time_that_a_receiver_asks_for_is_told_to_the_node(target: Endpoint) -> None:
    options = read_options(target.options("/status/429/3600"), WebhookOptions)
    async with _session(options, trusting(None)) as session:
        with pytest.raises(Unavailable, match="answers 429") as unavailable:
            await Posting(options, session).post(expected(RECIPE, Per.BLOCK)[:1])
    assert unavailable.value.retry_after_s == 300


class TestWebhookBatches:
    """Several messages in a request, in the order of the whole log."""

    @pytest.fixture
    def target(self, receiver: Receiver, tls: Tls) -> Batched:
        return Batched(receiver, tls)

    @pytest.mark.parametrize("format_", [Format.PLAIN, Format.DEBEZIUM])
    async def test_a_batch_of_another_format_is_an_array(
        self, target: Batched, tmp_path: Path, format_: Format
    ) -> None:
        async with passing(tmp_path, "webhook", target.options(per="transaction", format=format_)) as run:
            await done(run)
        posts = target.server.posts()
        assert {post.headers["Content-Type"] for post in posts} == {"application/json"}
        found = [bytes(one) for post in posts for one in msgspec.json.decode(post.body, type=list[msgspec.Raw])]
        assert found == [*map(Shape(format_).body, expected(RECIPE, Per.TRANSACTION))]

    async def test_whatever_ends_it_nothing_is_lost(self, target: Batched, tmp_path: Path) -> None:
        async with passing(tmp_path, "webhook", target.options(per="transaction")) as run:
            for count in (10, 20, 30):
                run.grow(10)
                await until(lambda count=count: run.status().position == count, "it to follow", run)  # type: ignore[misc]
                pid = run.status().pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
            await done(run)
        check(target.held(), expected(RECIPE, Per.TRANSACTION), exactly_once=False)

    async def test_signatures_of_batches_verify(self, target: Batched, tmp_path: Path) -> None:
        async with passing(tmp_path, "webhook", target.options(per="transaction")) as run:
            await done(run)
        posts = target.server.posts()
        assert len(posts) < len(target.held())
        for post in posts:
            Webhook(SECRET).verify(post.body.decode(), {name.lower(): value for name, value in post.headers.items()})

    async def test_the_message_that_is_refused_is_found_in_its_batch(self, target: Batched, tmp_path: Path) -> None:
        messages = expected(RECIPE, Per.TRANSACTION)
        policy = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}
        options = target.options(f"/refuses/{messages[20].id}%22", per="transaction")
        async with passing(tmp_path, "webhook", options, retry=policy) as run:
            await done(run)
            assert [position for position, _ in run.parked("webhook")] == [messages[20].position]
        check(target.held(), [*messages[:20], *messages[21:]], exactly_once=True)


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
