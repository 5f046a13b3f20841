"""Options of the Redis sink that cannot work, and answers of a server as people read them."""

from typing import Any

import pytest
from redis.connection import DefaultParser

from bigchaindb.delivery import read_options
from bigchaindb.errors import ConfigurationError
from bigchaindb.sinks.redis import RedisOptions
from bigchaindb.sinks.redis_reasons import reason


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
def test_an_answer_that_is_hard_to_get(answer: str, why: str) -> None:
    """As the library reads it."""
    error = DefaultParser.parse_error(answer)  # type: ignore[no-untyped-call]
    assert reason(error, stream="mine", answer_s=1).startswith(why)


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
def test_options_that_cannot_work(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError) as found:
        read_options({"url": "redis://h", **options}, RedisOptions)
    assert str(found.value).startswith(why)
