"""Addresses that a webhook may not lead to."""

import pytest

from bigchaindb.sinks.public_addresses import is_private


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
