"""A reader in a thread of its own."""

from bigchaindb.streams.log_thread import LogThread
from tests.support.event_logs import ListLog


class ClosableLog(ListLog):
    """A log that knows whether it is closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


async def test_it_may_be_closed_twice() -> None:
    """A server that is told to stop while it stops must not keep what comes after it from stopping."""
    thread = LogThread(ClosableLog, "test")
    assert await thread.run(lambda reader: reader.head()) == 0
    thread.close()
    thread.close()


async def test_its_reader_is_closed_with_it() -> None:
    """An open reader would keep the ledger's write-ahead log from being deleted at the end."""
    log = ClosableLog()
    thread = LogThread(lambda: log, "test")
    assert await thread.run(lambda reader: reader.head()) == 0
    thread.close()
    assert log.is_closed
