"""What may be on its way at once: never two messages of one key, and in the order of each key, against brute force."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.delivery import Message
from bigchaindb.delivery.ordering import Entry, Ordering
from tests.support import scale


def message(number: int, size: int = 1) -> Message:
    return Message(
        id=str(number), type="", chain_id="", position=number, subject="", routing_key="", time=0, data=b"x" * size
    )


def ids(entries: Sequence[Entry]) -> list[int]:
    return [int(entry.message.id) for entry in entries]


def test_messages_of_other_keys_go_side_by_side() -> None:
    ordering = Ordering()
    for number, key in enumerate("aabc"):
        ordering.add(message(number), [key])
    first, *others = (ordering.take(1, 100) for _ in range(4))
    assert [ids(one) for one in (first, *others)] == [[0], [2], [3], []]
    assert not ordering.has_ready
    ordering.done(first[0])
    assert ids(ordering.take(1, 100)) == [1]


def test_a_request_takes_the_later_ones_of_its_keys_with_it() -> None:
    ordering = Ordering()
    for number, key in enumerate("aabab"):
        ordering.add(message(number), [key])
    request = ordering.take(4, 100)
    assert ids(request) == [0, 1, 2, 3]
    assert ordering.take(4, 100) == []
    for entry in request:
        ordering.done(entry)
    assert ids(ordering.take(4, 100)) == [4]


def test_bytes_bound_a_request_but_for_one_large_message() -> None:
    ordering = Ordering()
    for number, size in enumerate((9, 3, 3, 3)):
        ordering.add(message(number, size), [str(number)])
    assert [ids(ordering.take(10, 6)) for _ in range(4)] == [[0], [1, 2], [3], []]


def test_a_message_of_two_keys_waits_for_both_and_holds_up_both() -> None:
    ordering = Ordering()
    for number, keys in enumerate(("a", "b", "ab", "a", "b", "")):
        ordering.add(message(number), keys)
    (a,), (b,), (none,) = (ordering.take(1, 9) for _ in range(3))
    assert ids([a, b, none]) == [0, 1, 5]
    ordering.done(a)
    assert not ordering.has_ready
    ordering.done(b)
    both = ordering.take(1, 9)
    assert (ids(both), ordering.has_ready) == ([2], False)
    ordering.done(both[0])
    assert [ids(ordering.take(1, 9)) for _ in range(2)] == [[3], [4]]


def test_what_is_put_back_stands_before_the_later_ones() -> None:
    ordering = Ordering()
    for number, keys in enumerate(("a", "a", "b", "", "a")):
        ordering.add(message(number), keys)
    held, *others = ordering.take(4, 9)
    ordering.put_back(others)
    assert [ids(ordering.take(1, 9)) for _ in range(3)] == [[2], [3], []]
    ordering.put_back([held])
    assert ids(ordering.take(4, 9)) == [0, 1, 4]


def test_what_is_put_back_late_stands_behind_the_earlier_ones() -> None:
    """A refused message may come again while others of its request are still sent one by one."""
    ordering = Ordering()
    for number in range(4):
        ordering.add(message(number), ["a"])
    refused, *held = ordering.take(3, 9)
    ordering.put_back([refused])
    assert not ordering.has_ready
    ordering.put_back(held)
    assert ids(ordering.take(4, 9)) == [0, 1, 2, 3]


KEYS = st.sets(st.sampled_from("abcd"), max_size=3).map(sorted)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS),
        st.tuples(st.just("take"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["done", "back"]), st.integers(0, 9)),
    ),
    max_size=60,
)


@settings(max_examples=scale.EXAMPLES * 3)
@given(STEPS)
def test_every_history_keeps_the_order_of_each_key(steps: list[tuple[str, object]]) -> None:
    """A request begins with the first message that waits for nobody, and what is done was never overtaken."""
    ordering, added = Ordering(), dict[int, list[str]]()
    waiting, requests = list[int](), list[list[Entry]]()
    for what, how in steps:
        if what == "add":
            assert isinstance(how, list)
            added[number := len(added)] = how
            waiting.append(number)
            ordering.add(message(number), how)
        elif what == "take":
            assert isinstance(how, int)
            taken = ids(request := ordering.take(how, 1_000))
            busy = {key for one in requests for entry in one for key in added[int(entry.message.id)]}
            assert taken == first_free(waiting, added, busy, how)
            waiting = [one for one in waiting if one not in taken]
            if request:
                requests.append(request)
        elif requests:
            assert isinstance(how, int)
            request = requests.pop(how % len(requests))
            if what == "done":
                for entry in request:
                    ordering.done(entry)
            else:
                ordering.put_back(request)
                waiting = sorted([*waiting, *ids(request)])
    for request in requests:
        ordering.put_back(request)
        waiting = sorted([*waiting, *ids(request)])
    rest = ordering.take(len(added) + 1, 1_000)
    assert ids(rest) == waiting
    for entry in rest:
        ordering.done(entry)
    assert not ordering._keys, "no key is kept that nobody needs"


def first_free(waiting: list[int], added: dict[int, list[str]], busy: set[str], count_max: int) -> list[int]:
    """Return what one request takes: each message whose keys are free, or were so before this request."""
    taken, passed = list[int](), set(busy)
    for number in waiting:
        if len(taken) < count_max and passed.isdisjoint(added[number]):
            taken.append(number)
        else:
            passed.update(added[number])
    return taken
