"""Parked and skipped events of a lane: the stages that its page does not show. Pure.

An event leaves a plugin's hands in steps: decided, recorded durably, settled by the process that has it. A parked event
that returns takes the way back. Every step is a row of `STAGES`; docs/reference/lane-states.md shows the table.

Source: promises P2, P3 and E6 in docs/reference/promises.md; decisions 0024 and 0057.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from bigchaindb.eventlog.facts import Action, Fact, Park, ParkRecorded, ReturnSettled, Skip, Stopping, Unlisted
from bigchaindb.eventlog.lane import Lane, Progress, Stage
from bigchaindb.eventlog.spread import added

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


def moved(lane: Lane, positions: Collection[int], cause: type[Fact] | type[Action]) -> Lane:
    """Return the lane after `cause` has happened to events."""
    causing = ((position, STAGES.get((lane.stage(position), cause))) for position in positions)
    moving = {position: follows for position, follows in causing if follows is not None}
    if not moving:
        return lane
    stages = lane.stages
    for position, follows in moving.items():
        stages = added(stages, position, follows)
    lane = replace(lane, stages=stages)
    if cause is Park:  # in hand, with its trouble, until that is recorded (E6)
        return lane
    troubles = {other: trouble for other, trouble in lane.troubles.items() if other not in moving}
    return replace(lane, progress=lane.progress.without(moving), troubles=troubles)


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
