"""The log page by page, for clients that ask for one page at a time."""

from bigchaindb.config import Limits
from bigchaindb.errors import Overloaded
from bigchaindb.ledger.ports import LogReader
from bigchaindb.streams.cloud_events import Choice, Piece, read_piece
from bigchaindb.streams.shared_log import Place, SharedLog, place_of


class Pages:
    """Reads pages. Belongs to the event loop."""

    def __init__(self, log: SharedLog[Choice], limits: Limits) -> None:
        self._log = log
        self._limits = limits
        self._waiting_count = 0

    async def read(self, choice: Choice, after: str | None, count_max: int) -> tuple[Piece, bool]:
        """Return the next CloudEvents after a token, or the first ones, and whether the head was reached.

        Raises:
            MalformedToken: `after` is no token.
            HistoryLost: the token is of another log.
            Overloaded: too many pages are waiting.
        """
        if self._waiting_count >= self._limits.query_waiting_count_max:
            bound = f"{self._waiting_count} pages of events are waiting (limits.query_waiting_count_max)"
            raise Overloaded(f"{bound}; try again later")
        head, chain_id = self._log.hub.head, self._log.chain_id

        def read(reader: LogReader) -> Piece:
            place = Place(0) if after is None else place_of(reader, after, chain_id, head)
            bytes_max = self._limits.event_page_bytes_max
            return read_piece(reader, chain_id, choice, place, head, count_max=count_max, bytes_max=bytes_max)

        self._waiting_count += 1
        try:
            piece = await self._log.history(read)
        finally:
            self._waiting_count -= 1
        return piece, piece.place.position >= head
