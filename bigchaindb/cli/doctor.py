"""doctor: finds faults of the machine or the configuration, with what to do about each."""

from collections.abc import Mapping

import click

from bigchaindb.children import PlaceFigures
from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import put, put_json
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.doctor.examine import examine
from bigchaindb.masking import masked
from bigchaindb.store.directory import DataDirectory


@click.command(
    epilog="""\b
Examples:
  bigchaindb doctor
  bigchaindb -c node.json doctor --json

Exit code: 0 nothing must be fixed, 1 something must be."""
)
@json_option
@pass_session
@click.pass_context
def doctor(context: click.Context, session: Session, *, as_json: bool) -> None:
    """Find what keeps a node from running.

    It examines Python, the configuration, the ports, the data directory, the file system, the clock and the plugins,
    and prints what to do about each fault. Nothing is changed.
    """
    findings = []
    for finding in examine(session.load_silently, _processes, _door):
        findings.append(masked(finding._asdict()))
        if not as_json:
            _put_finding(**findings[-1])
    must_fix = any(finding["status"] == "fix" for finding in findings)
    if as_json:
        put_json({"findings": findings, "ok": not must_fix})
    context.exit(1 if must_fix else 0)


def _processes(directory: DataDirectory) -> Mapping[str, PlaceFigures] | None:
    return ControlClient(directory.control).processes()


def _door(directory: DataDirectory) -> str | None:
    state = ControlClient(directory.control).access()
    return None if state is None else state.anonymous


def _put_finding(subject: str, status: str, text: str, advice: str) -> None:
    put(f"{'FIX' if status == 'fix' else status:4}  {subject:16}  {text}")
    if advice:
        put(f"      {'':16}  → {advice}")
