"""Parked and skipped events of a lane: the stages that its page does not show. Pure.

An event leaves a plugin's hands in steps: decided, recorded durably, settled by the process that has it. A parked event
that returns takes the way back. Every step is a row of `STAGES`; docs/reference/lane-states.md shows the table.

Source: promises P2, P3 and E6 in docs/reference/promises.md; decisions 0024 and 0057.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bigchaindb.eventlog.facts import Action, Fact, Park, ParkRecorded, ReturnSettled, Skip, Stopping, Unlisted
from bigchaindb.eventlog.lane import Lane, Progress, Stage

STAGES: Final[Mapping[tuple[Stage, type[Fact] | type[Action]], Stage]] = {
    (Stage.IN_HAND, Park): Stage.PARKING,
    (Stage.PARKING, ParkRecorded): Stage.SETTLING,
    (Stage.IN_HAND, Skip): Stage.SETTLING,
    (Stage.RETURNING, Park): Stage.PARKING,
    (Stage.RETURNING, Skip): Stage.RETURNED,
    (Stage.RETURNING, ReturnSettled): Stage.RETURNED,
    (Stage.RETURNED, Unlisted): Stage.SETTLING,
    (Stage.PARKING, Stopping): Stage.IN_HAND,  # RETURNING, if it was: nothing is recorded, so it comes again
}
"""How events move. What has no row for an event's stage changes nothing."""


def moved(lane: Lane, position: int, cause: type[Fact] | type[Action]) -> Lane:
    """Return the lane after `cause` has happened to an event."""
    follows = STAGES.get((lane.stage(position), cause))
    if follows is None:
        return lane
    lane = replace(lane, stages={**lane.stages, position: follows})
    if follows is Stage.PARKING:  # in hand, with its trouble, until that is recorded (E6)
        return lane
    troubles = {other: trouble for other, trouble in lane.troubles.items() if other != position}
    return replace(lane, progress=lane.progress.without({position}), troubles=troubles)


def without_parking(lane: Lane) -> Lane:
    """Return the lane with nothing on its way to be parked: the node ends, or no such event is left."""
    return replace(lane, stages={p: stage for p, stage in lane.stages.items() if stage is not Stage.PARKING})


def after_end(lane: Lane, progress: Progress) -> tuple[Lane, Progress]:
    """Return lane and progress once a process has ended and left `progress` in its page.

    Events that were parked or skipped are settled, though the page may still hold them. Events that had returned
    and are gone from it are settled too: the process may have ended before it reported that.
    """
    parking = lane.at(Stage.PARKING)
    progress = progress.without(lane.stages.keys() - parking)
    returned = {*lane.progress.returning} - {*progress.returning} - lane.stages.keys()
    stages = {position: stage for position, stage in lane.stages.items() if stage is not Stage.SETTLING}
    lane = replace(lane, stages=stages | dict.fromkeys(returned, Stage.RETURNED))
    return lane, replace(
        progress, delivered=progress.delivered - parking
    )  # whoever asked for that is not to blame again
