"""What ended several tasks at once."""


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group, nested groups included: the others are most often its echo."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
