"""What a lane, its process, its page and the disk hold, and what is true of them at any time."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from bigchaindb.eventlog.facts import Again, CloseHost, Fact, Park, ParkRecorded, Settle, Skip, StartHost, WakeIn
from bigchaindb.eventlog.lane import RUNNING, Lane, Progress, Stage, State
from bigchaindb.eventlog.retrying import OnFailure, Policy
from bigchaindb.eventlog.transitions import step


class LaneModel(RuleBasedStateMachine):
    """A lane and its plugin, over a log.

    Of its process: `undone` is what it was given at its start and has not taken yet; `held` is what it has taken;
    `again` is what it gave back and gets once more; `aside` is what it gave back until it is answered. Of the disk:
    `recording` is what the edge has still to write down as parked, `rows` what stands there, with deliveries so far.
    """

    @initialize(
        parked=st.sets(st.integers(1, 3)), on_failure=st.sampled_from(OnFailure), attempts=st.sampled_from([1, 1, 2, 3])
    )
    def begin(self, parked: set[int], on_failure: OnFailure, attempts: int) -> None:
        """A lane that was stopped behind position 3, or nowhere, and had parked some events."""
        cursor = 3 if parked else 0
        self.policy = Policy(attempts=attempts, duration_s=5, on_failure=on_failure)
        self.head = self.handed = cursor
        self.start = 0
        self.lane = Lane(progress=Progress(cursor, cursor))
        self.now = 0.0
        self.settled = {*range(1, cursor + 1)} - parked
        self.passed_over: set[int] = set()  # skipped or discarded
        self.returning: set[int] = set()  # asked for again, and not settled
        self.left: set[int] = set()  # parked still, since a seek came while they returned: their deliveries count on
        self.recording: dict[int, int] = {}
        self.rows = dict.fromkeys(parked, 2)
        self.epochs: list[int] = []
        self.deliveries = dict.fromkeys(parked, 2)
        self.delivered_in_epoch: list[int] = []
        self.is_running = self.is_about_to_start = self.waits = self.is_closing = False
        self.clear_process()

    def clear_process(self) -> None:
        self.undone: list[int] = []
        self.held: set[int] = set()
        self.again: dict[int, int] = {}
        self.aside: set[int] = set()
        self.to_settle: set[int] = set()
        self.unreported: set[int] = set()
        self.marked: set[int] = set()  # in its page, as returning

    @property
    def parked(self) -> set[int]:
        """What is set aside, and nobody has asked for."""
        return self.rows.keys() - self.returning - self.settled - self.passed_over

    @property
    def in_page(self) -> set[int]:
        return {*self.undone, *self.held, *self.again, *self.aside}

    # The edge

    def tell(self, fact: Fact) -> None:
        self.lane, actions = step(self.lane, fact, self.policy, 0.5, self.now)
        for action in actions:
            match action:
                case StartHost(epoch):
                    assert not self.is_running  # the edge has waited for the end of the one before
                    self.epochs.append(epoch)
                    self.waits, self.is_about_to_start = False, True
                case WakeIn():
                    self.waits = True
                case CloseHost():
                    self.waits, self.is_closing = False, True
                case Again(position, attempt):
                    self.aside.remove(position)
                    self.again[position] = attempt
                case Park(position, trouble):
                    assert trouble.attempts == self.deliveries[position]
                    self.recording[position] = trouble.attempts
                case Skip(position):
                    self.passed_over.add(position)
                    self.returning.discard(position)
                case Settle(position):
                    self.to_settle |= {position} & self.in_page
        self.start_host()

    def start_host(self) -> None:
        """A page is made once nothing is to be written down: it would bring that again."""
        if self.lane.state is not State.STARTING:
            self.is_about_to_start = False
        if self.is_about_to_start and not self.recording:
            assert not self.lane.at(Stage.PARKING)
            self.is_about_to_start, self.is_running, self.is_closing = False, True, False
            self.undone = list(self.lane.progress.unsettled)
            self.marked = {*self.lane.progress.returning}
            self.delivered_in_epoch = []

    def record_one(self, position: int) -> None:
        self.rows[position] = self.recording.pop(position)
        self.returning.discard(position)
        self.tell(ParkRecorded([position]))

    def page(self) -> Progress:
        in_page = self.in_page
        in_hand = tuple(sorted(in_page - self.marked))
        return Progress(
            in_hand[0] - 1 if in_hand else self.handed,
            self.handed,
            in_hand,
            tuple(sorted(in_page & self.marked)),
            frozenset(self.held),
        )

    # What always holds

    @invariant()
    def p2_every_event_up_to_the_last_handed_over_is_somewhere(self) -> None:
        in_hand = self.in_page - self.to_settle if self.is_running else {*self.lane.progress.unsettled}
        known = self.settled | self.passed_over | self.parked | in_hand
        assert set(range(self.start + 1, self.handed + 1)) <= known
        assert not in_hand & (self.settled | self.passed_over | self.parked)

    @invariant()
    def p2_what_is_to_return_is_in_hand(self) -> None:
        assert self.returning <= (self.in_page if self.is_running else {*self.lane.progress.unsettled})

    @invariant()
    def p3_a_list_of_parked_events_holds_no_others_for_long(self) -> None:
        settled = self.rows.keys() & (self.settled | self.passed_over)
        assert settled <= self.lane.at(Stage.RETURNED) | self.unreported

    @invariant()
    def e6_everything_up_to_the_cursor_is_settled(self) -> None:
        done = self.settled | self.passed_over | self.rows.keys()
        assert set(range(self.start + 1, self.lane.progress.cursor + 1)) <= done

    @invariant()
    def s1_nothing_is_kept_of_what_is_settled(self) -> None:
        if not self.is_running:
            assert self.lane.troubles.keys() <= {*self.lane.progress.unsettled} | self.left

    @invariant()
    def p12_epochs_ascend(self) -> None:
        assert self.epochs == sorted(set(self.epochs))

    @invariant()
    def p2_a_lane_that_waits_for_no_person_is_run_or_will_be(self) -> None:
        if self.lane.state in RUNNING:
            assert self.is_running or (self.is_about_to_start and self.recording)
        if self.lane.state is State.BACKOFF:
            assert self.waits
        if self.lane.state not in RUNNING and self.is_running:
            assert self.is_closing

    @invariant()
    def a_lane_is_blocked_by_an_event_in_hand(self) -> None:
        if self.lane.state is State.BLOCKED and not self.is_running:
            assert self.lane.progress.unsettled
            assert self.policy.on_failure is OnFailure.BLOCK
