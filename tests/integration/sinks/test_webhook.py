"""The webhook sink against a receiver that is a process of its own."""

import asyncio
import base64
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.errors import ConfigurationError
from bigchaindb.eventlog.lane import State
from bigchaindb.sinks.webhook import WebhookSink, is_private
from tests.integration.sinks.conftest import Tls
from tests.integration.sinks.suite import RECIPE, Held, ServiceSuite, check, done, expected, passing, until
from tests.support.ports import free_ports
from tests.support.receiver import Receiver

SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NEXT_SECRET: Final = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


class Endpoint:
    """A receiver of a test's own."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def options(self, path: str = "/ok", **more: Any) -> dict[str, Any]:
        return {"url": self.receiver.url + path, "secret": SECRET, "allow_private": True, **more}

    def held(self) -> Sequence[Held]:
        found = []
        for post in self.receiver.posts():
            envelope = json.loads(post.body)
            assert post.headers["webhook-id"] == envelope["id"]
            found.append(Held(envelope["id"], "", post.body.partition(b',"data":')[2][:-1]))
        return found

    def start(self) -> None:
        self.receiver.start()

    def kill(self) -> None:
        self.receiver.kill()

    def freeze(self) -> None:
        self.receiver.freeze()

    def thaw(self) -> None:
        self.receiver.thaw()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Endpoint]:
    (port,) = free_ports(1)
    receiver = Receiver(port, tmp_path / "posts.jsonl")
    receiver.start()
    yield Endpoint(receiver)
    receiver.kill()


class TestWebhook(ServiceSuite):
    """One after the other: all of it is in order."""

    sink = "webhook"

    async def test_signatures_verify_with_the_reference_library(self, target: Endpoint, tmp_path: Path) -> None:
        """While one secret replaces another, receivers with either take it; with a third none does."""
        async with passing(tmp_path, "webhook", target.options(secret=[SECRET, NEXT_SECRET])) as run:
            await done(run)
        posts = target.receiver.posts()
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
            assert status.error == f"Gone: {target.receiver.url} answers 410: 'because of it'"
            assert (status.position, status.lag, run.parked("webhook")) == (0, RECIPE.blocks, ())

    @pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 408, 425, 429, 500, 502, 503])
    async def test_no_event_is_blamed_for_a_receiver_that_is_not_well(
        self, target: Endpoint, tmp_path: Path, status: int
    ) -> None:
        async with passing(tmp_path, "webhook", target.options(f"/status/{status}")) as run:
            run.grow(1)
            await until(lambda: run.errors, "it to fail", run)
            assert run.errors[0].startswith(f"Unavailable: {target.receiver.url} answers {status}")

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

    async def test_a_message_that_is_refused_is_set_aside_alone(self, target: Endpoint, tmp_path: Path) -> None:
        refused = expected(RECIPE, Per.BLOCK)[7]
        policy = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}
        options = target.options(f"/refuses/{refused.subject}")
        async with passing(tmp_path, "webhook", options, retry=policy) as run:
            await done(run)
            ((position, error),) = run.parked("webhook")
            assert (position, "answers 422: 'not this one'" in error) == (refused.position, True)
        others = [one for one in expected(RECIPE, Per.BLOCK) if one != refused]
        check(target.held(), others, exactly_once=True)

    async def test_a_receiver_that_never_answers_costs_a_deadline(self, target: Endpoint, tmp_path: Path) -> None:
        async with passing(tmp_path, "webhook", target.options("/never", timeout_s=0.3)) as run:
            run.grow(3)
            await until(lambda: run.errors, "the deadline", run)
            assert run.errors[0] == f"Unavailable: {target.receiver.url}: no answer within 0.3 s"

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

    async def test_tls(self, tls: Tls, tmp_path: Path) -> None:
        """With the authority that signed the receiver's certificate, and not with another."""
        (port,) = free_ports(1)
        receiver = Receiver(port, tmp_path / "posts.jsonl", certificate=tls.certificate, key=tls.key)
        await asyncio.to_thread(receiver.start)
        endpoint = Endpoint(receiver)
        try:
            async with passing(tmp_path, "webhook", endpoint.options(ca_file=str(tls.ca))) as run:
                await done(run)
            check(endpoint.held(), expected(RECIPE, Per.BLOCK), exactly_once=True)
            error = try_plugin("webhook", endpoint.options(ca_file=str(tls.other_ca)), with_check=True).error
            assert "certificate verify failed" in error
        finally:
            receiver.kill()

    def test_a_name_that_leads_into_our_own_network_is_refused(self, target: Endpoint) -> None:
        options = {"url": f"https://localhost:{target.receiver.port}/", "secret": SECRET}
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
        assert f"{target.receiver.url}: " in error
        assert not [part for part in ("s3cret", "t0ken") if part in error]

    def test_secrets_are_not_shown(self) -> None:
        error = try_plugin("webhook", {"secret": "whsec_c2hvcnQ=", "url": "https://example.org/"}).error
        assert "c2hvcnQ" not in error


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("10.0.0.1", True),
        ("100.64.0.1", True),
        ("224.0.0.1", True),
        ("0.0.0.0", True),
        ("::ffff:127.0.0.1", True),
        ("2002:7f00:1::", True),
        ("64:ff9b::10.0.0.1", True),
        ("64:ff9b::8.8.8.8", False),
        ("64:ff9b:1::10.0.0.1", True),
        ("::ffff:0:10.0.0.1", True),
        ("::10.0.0.1", True),
        ("fec0::1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("example.org", False),
    ],
)
def test_addresses_that_strangers_cannot_have(host: str, *, private: bool) -> None:
    assert is_private(host) is private


@pytest.mark.parametrize("host", ["hooks..example.org", ".example.org", "l" * 64 + ".example.org"])
def test_a_host_that_no_name_can_be_is_refused_and_no_event_is_blamed(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"url: .* is no name of a host"):
        WebhookSink().configure({"url": f"https://{host}/", "secret": SECRET})


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
