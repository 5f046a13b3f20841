"""Speaks for the published Python driver, of any release: a call in JSON a line in, its outcome a line out.

Runs in the driver's own environment and calls nothing but the driver's public interface.
"""

import json
import sys
from typing import Any

from bigchaindb_driver import BigchainDB  # type: ignore[import-not-found]
from bigchaindb_driver.crypto import generate_keypair  # type: ignore[import-not-found]
from bigchaindb_driver.exceptions import TransportError  # type: ignore[import-not-found]

Json = Any


class Agent:
    """The vocabulary of `tests/support/clients.py`, in this driver's words."""

    driver: BigchainDB

    def connect(self, urls: list[str], key: str | None) -> None:
        headers = {} if key is None else {"headers": {"Authorization": f"Bearer {key}"}}
        self.driver = BigchainDB(*urls, **headers)

    def keys(self) -> Json:
        pair = generate_keypair()
        return [pair.public_key, pair.private_key]

    def create(self, signer: list[str], outputs: list[Json], data: Json, metadata: Json) -> Json:
        public, private = signer
        prepared = self.driver.transactions.prepare(
            operation="CREATE",
            signers=public,
            recipients=_recipients(outputs),
            asset=None if data is None else {"data": data},
            metadata=metadata,
        )
        return self.driver.transactions.fulfill(prepared, private_keys=private)

    def transfer(self, inputs: list[Json], outputs: list[Json], metadata: Json) -> Json:
        first = inputs[0]["transaction"]
        prepared = self.driver.transactions.prepare(
            operation="TRANSFER",
            asset={"id": first["id"] if first["operation"] == "CREATE" else first["asset"]["id"]},
            metadata=metadata,
            inputs=tuple(_input(one["transaction"], one["output_index"]) for one in inputs),
            recipients=_recipients(outputs),
        )
        private_keys = [private for one in inputs for _, private in one["owners"]]
        return self.driver.transactions.fulfill(prepared, private_keys=private_keys)

    def post(self, transaction: Json, mode: str) -> Json:
        send = getattr(self.driver.transactions, f"send_{mode}", None) or self.driver.transactions.send
        return send(transaction)

    def status(self, id: str) -> Json:  # noqa: A002 - the word of the interface
        return self.driver.transactions.status(id)["status"]

    def retrieve(self, id: str) -> Json:  # noqa: A002 - the word of the interface
        return self.driver.transactions.retrieve(id)

    def transactions(self, asset_id: str, operation: str | None) -> Json:
        return self.driver.transactions.get(asset_id=asset_id, operation=operation)

    def outputs(self, public_key: str, spent: bool | None) -> Json:  # noqa: FBT001 - called by keyword
        return self.driver.outputs.get(public_key, spent=spent)

    def height(self, id: str) -> Json:  # noqa: A002 - the word of the interface
        return self.driver.blocks.get(txid=id)

    def block(self, height: int) -> Json:
        return self.driver.blocks.retrieve(str(height))

    def search_assets(self, text: str, limit: int | None) -> Json:
        return self.driver.assets.get(search=text, **_limit(limit))

    def search_metadata(self, text: str, limit: int | None) -> Json:
        return self.driver.metadata.get(search=text, **_limit(limit))

    def info(self) -> Json:
        return self.driver.info()

    def api_info(self) -> Json:
        return self.driver.api_info()


def _recipients(outputs: list[Json]) -> list[tuple[list[str], int]]:
    return [(one["owners"], one["amount"]) for one in outputs]


def _input(transaction: Json, index: int) -> Json:
    output = transaction["outputs"][index]
    return {
        "fulfillment": output["condition"]["details"],
        "fulfills": {"output_index": index, "transaction_id": transaction["id"]},
        "owners_before": output["public_keys"],
    }


def _limit(limit: int | None) -> Json:
    return {} if limit is None else {"limit": limit}


def _outcome(agent: Agent, method: str, arguments: Json) -> Json:
    try:
        return {"returned": getattr(agent, method)(**arguments)}
    except TransportError as error:
        status = error.status_code if isinstance(error.status_code, int) else None
        return {"raised": {"kind": type(error).__name__, "status": status, "text": str(error.error)}}
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is the answer
        return {"raised": {"kind": type(error).__name__, "status": None, "text": str(error)}}


def main() -> None:
    agent = Agent()
    for line in sys.stdin:
        call = json.loads(line)
        print(json.dumps(_outcome(agent, call["method"], call["arguments"])), flush=True)


main()
