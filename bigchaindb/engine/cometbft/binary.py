"""The program CometBFT, which is installed beside the node: where it is, and whether its version fits."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from bigchaindb import children
from bigchaindb.errors import StartupError

VERSION: Final = "0.38.26"
"""The version that the tests run with."""
OWN: Final = Path("~/.local/share/bigchaindb/bin/cometbft")
"""The last place where it is searched for, and where the command below puts it."""
GET: Final = (
    f"GOBIN={OWN.parent} go install github.com/cometbft/cometbft/cmd/cometbft@v{VERSION}"  # needs Go, 1 to 4 minutes
)
ANSWER_S_MAX: Final = 10.0

_FITTING: Final = re.compile(r"v?0\.38\.\d{1,4}")  # a minor version changes the protocol between nodes


def find(setting: Path | None) -> Path:
    """Return the program: the one of the setting `network.cometbft`, else on the PATH, else `OWN`.

    Raises:
        StartupError: there is none, or it does not fit; names the command to run.
    """
    if setting is not None:
        program, named = setting, "network.cometbft: "
    else:
        program, named = Path(shutil.which("cometbft") or OWN.expanduser()), ""
    if not program.is_file():
        where = f"{named}there is no file `{program}`" if named else "CometBFT is not on the PATH"
        raise StartupError(f"{where}; a network needs CometBFT {VERSION}. {_advice()}")
    version = _version_of(program)
    if _FITTING.fullmatch(version) is None:
        raise StartupError(f"{named}`{program}` is CometBFT {version!r}, and 0.38 is needed. {_advice()}")
    return program


def _version_of(program: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - what the operator configured
            [program, "version"],
            capture_output=True,
            timeout=ANSWER_S_MAX,
            check=False,
            stdin=subprocess.DEVNULL,
            env=children.clean_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartupError(f"cannot run `{program} version`: {error}. {_advice()}") from error
    return done.stdout[:60].decode(errors="replace").strip()


def _advice() -> str:
    return f"Get it with Go: `{GET}`; or name it in network.cometbft"
