"""An installer's failure in a sentence: what its own words mean, and what to do.

The words are those of uv 0.13 and pip 23, behind a proxy whose certificate they do not know.
"""

import sys

import pytest

from bigchaindb.errors import StartupError
from bigchaindb.installer import Tool, install

UV = (
    "  cause: error sending request for url (https://pypi.org/simple/setuptools/)\n"
    "  cause: client error (Connect)\n"
    "  cause: invalid peer certificate: UnknownIssuer\n"
)
PIP = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken "
    "by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to "
    "get local issuer certificate (_ssl.c:1016)'))': /simple/setuptools/\n"
    "ERROR: No matching distribution found for setuptools>=61\n"
)


@pytest.mark.parametrize(("name", "words", "variable"), [("uv", UV, "SSL_CERT_FILE"), ("pip", PIP, "PIP_CERT")])
def test_a_certificate_that_is_not_trusted_is_named(name: str, words: str, variable: str) -> None:
    """It was taken for a missing network before, which nobody behind such a proxy believes."""
    tool = Tool(name, (sys.executable, "-c", f"print({words!r}); raise SystemExit(2)"))
    with pytest.raises(StartupError) as found:
        install(tool, ["sales"], [], lambda _: None)
    assert f"{name} does not trust the certificate of the package index" in str(found.value)
    assert f"set {variable} to a file" in str(found.value)
