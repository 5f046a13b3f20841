"""What is generated is what the .proto says, and the numbers are those of the wire."""

import os
import subprocess
import sys
from pathlib import Path

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.framing import FrameDecoder

ROOT = Path(__file__).parents[4]
FOLDER = Path("bigchaindb/engine/cometbft")


def test_the_generated_files_are_up_to_date(tmp_path: Path) -> None:
    """Without it somebody changes the .proto, forgets `make proto`, and reads a file that says something else."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    options = ["-I.", f"--python_out={tmp_path}", f"--mypy_out=quiet:{tmp_path}", str(FOLDER / "abci.proto")]
    # A process of its own: protoc aborts where more than 1,024 descriptors are open, as in a long run.
    command = [sys.executable, "-m", "grpc_tools.protoc", *options]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, check=True)
    for name in ("abci_pb2.py", "abci_pb2.pyi"):
        assert (tmp_path / FOLDER / name).read_text() == (ROOT / FOLDER / name).read_text(), "run `make proto`"


def test_each_answer_has_the_number_of_its_request_and_one_more() -> None:
    """Except flush and echo, which `exception` pushed on as well: it took number 1."""
    requests = pb.Request.DESCRIPTOR.fields_by_name
    answers = pb.Response.DESCRIPTOR.fields_by_name
    assert {name: field.number + 1 for name, field in requests.items()} == {
        name: field.number for name, field in answers.items() if name != "exception"
    }
    assert answers["exception"].number == 1


def test_a_request_as_the_real_process_sends_it() -> None:
    """The first bytes that CometBFT v0.38.26 sends: info, and a flush after it."""
    decoder = FrameDecoder(100)
    decoder.feed(bytes.fromhex("161a140a07302e33382e3236100b18082205322e302e30021200"))
    info, flush = iter(decoder.next_frame, None)
    assert pb.Request.FromString(info) == pb.Request(
        info=pb.RequestInfo(version="0.38.26", block_version=11, p2p_version=8, abci_version="2.0.0")
    )
    assert pb.Request.FromString(flush) == pb.Request(flush=pb.RequestFlush())
