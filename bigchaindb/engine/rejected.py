"""The errors of transactions that were accepted, or proposed, and turned out to be invalid (L4)."""

from bigchaindb.errors import ValidationError


class Rejected:
    """The errors of the last rejected ids, for `/statuses`. Source: http-api.md, section 4, row `async`.

    Attributes:
        added_count: rejections so far, forgotten ones included.
    """

    def __init__(self, *, count_max: int) -> None:
        self._count_max = count_max
        self._errors: dict[str, ValidationError] = {}
        self.added_count = 0

    def add(self, transaction_id: str, error: ValidationError) -> None:
        """Remember a rejection; the oldest is forgotten beyond the bound."""
        self.added_count += 1
        self._errors.pop(transaction_id, None)
        self._errors[transaction_id] = error
        if len(self._errors) > self._count_max:
            del self._errors[next(iter(self._errors))]

    def discard(self, transaction_id: str) -> None:
        """Forget a rejection: the transaction came again and was committed."""
        self._errors.pop(transaction_id, None)

    def get(self, transaction_id: str) -> ValidationError | None:
        """Return the error; None for an id that was not rejected lately."""
        return self._errors.get(transaction_id)
