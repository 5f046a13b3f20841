"""Options of the webhook sink that cannot work, and the time that a receiver asks for."""

import base64
import re
from typing import Any

import pytest

from bigchaindb.errors import ConfigurationError
from bigchaindb.sinks.webhook import WebhookSink, retry_after

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("17", 17),
        ("3600", 300),
        ("9" * 400, None),
        ("-5", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 31 Dec 9999 23:59:59 GMT", 300),
    ],
)
def test_the_time_that_a_receiver_asks_for(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, 100.0) == seconds


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parallel": 0}, "Expected `int` >= 1 - at `$.parallel`"),
        ({"parallel": 257}, "Expected `int` <= 256 - at `$.parallel`"),
        ({"batch": 1001}, "Expected `int` <= 1000 - at `$.batch`"),
        ({"order": "key"}, "Invalid enum value 'key' - at `$.order`"),
    ],
)
def test_bounds_of_what_is_on_its_way(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        WebhookSink().configure({"url": "https://example.org/", "secret": SECRET, **options})


@pytest.mark.parametrize("host", ["hooks..example.org", ".example.org", "l" * 64 + ".example.org"])
def test_a_host_that_no_name_can_be_is_refused_and_no_event_is_blamed(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"url: .* is no name of a host"):
        WebhookSink().configure({"url": f"https://{host}/", "secret": SECRET})
