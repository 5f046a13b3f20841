"""Receivers of webhooks as targets of a sink."""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bigchaindb.delivery import Message
from bigchaindb.testing.sinks import Held, Trouble
from tests.support.ports import free_ports
from tests.support.receiver import Receiver
from tests.support.targets import AtServer
from tests.support.tls import Tls

SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NEXT_SECRET: Final = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


class Endpoint(AtServer[Receiver]):
    """A receiver of a test's own.

    Attributes:
        key: member of a CloudEvent that names what is in order: "" if all of it is.
        path: that is posted to.
    """

    key = ""
    path = "/ok"
    secret = SECRET

    def __init__(self, receiver: Receiver, tls: Tls) -> None:
        self.server = receiver
        self.tls = tls
        self.trust: dict[str, str] = {}

    def options(self, path: str = "", **more: Any) -> dict[str, Any]:
        url = self.server.url + (path or self.path)
        return {"url": url, "secret": SECRET, "allow_private": True, **self.trust, **more}

    def held(self) -> Sequence[Held]:
        found = []
        for post in self.server.posts():
            envelope = json.loads(post.body)
            assert post.headers["webhook-id"] == envelope["id"]
            found.append(
                Held(envelope["id"], str(envelope.get(self.key, "")), post.body.partition(b',"data":')[2][:-1])
            )
        return found

    def bodies(self) -> Sequence[bytes]:
        return [post.body for post in self.server.posts()]

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        return self.options(f"/status/401?token={secret}")

    def secured(self) -> tuple["Endpoint", dict[str, Any]]:
        (port,) = free_ports(1)
        beside = type(self)(self.server.beside(port, self.tls.certificate, self.tls.key), self.tls)
        beside.trust = {"ca_file": str(self.tls.ca)}
        beside.start()
        return beside, beside.options(ca_file=str(self.tls.other_ca))

    def missing(self) -> Trouble:
        return Trouble(self.options("/until/404"), self.server.relent, "answers 404")

    def full(self) -> Trouble:
        return Trouble(self.options("/until/507"), self.server.relent, "answers 507")

    def refusing(self, message: Message) -> Trouble:
        return Trouble(self.options(f"/refuses/{message.subject}"), self.server.relent, "answers 422: 'not this one'")

    def limited(self) -> "Endpoint":
        beside = type(self)(self.server, self.tls)
        beside.path = "/limited/60000"
        return beside


class ByAsset(Endpoint):
    """A receiver that takes many requests at once, each after another time."""

    key = "partitionkey"
    path = "/jitter"

    def options(self, path: str = "", **more: Any) -> dict[str, Any]:
        return {**super().options(path, **more), "parallel": 8}


class Batched(Endpoint):
    """A receiver that takes several messages in a request."""

    path = "/jitter"

    def options(self, path: str = "", **more: Any) -> dict[str, Any]:
        return {**super().options(path, **more), "batch": 7, "order": "log"}

    def held(self) -> Sequence[Held]:
        found = []
        for post in self.server.posts():
            assert post.headers["Content-Type"] == "application/cloudevents-batch+json"
            assert post.headers["webhook-id"].startswith("batch:")
            envelopes = msgspec.json.decode(post.body, type=list[msgspec.Raw])
            assert 1 <= len(envelopes) <= 7
            found += [
                Held(json.loads(one)["id"], "", one.partition(b',"data":')[2][:-1]) for one in map(bytes, envelopes)
            ]
        return found
