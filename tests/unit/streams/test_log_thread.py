"""A reader in a thread of its own."""

from bigchaindb.streams.log_thread import LogThread
from tests.support.event_logs import ListLog


async def test_it_may_be_closed_twice() -> None:
    """A server that is told to stop while it stops must not keep what comes after it from stopping."""
    thread = LogThread(ListLog, "test")
    assert await thread.run(lambda reader: reader.head()) == 0
    thread.close()
    thread.close()
