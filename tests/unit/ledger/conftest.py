"""A model of a network's store, and the ledger over it."""

import pytest

from bigchaindb.ledger.network_ledger import NetworkLedger
from tests.support.network_proposals import begun
from tests.support.networks import ModelNetworkStore, ModelRejections


@pytest.fixture
def store() -> ModelNetworkStore:
    return ModelNetworkStore()


@pytest.fixture
def own() -> ModelRejections:
    return ModelRejections()


@pytest.fixture
def ledger(store: ModelNetworkStore, own: ModelRejections) -> NetworkLedger:
    return begun(store, own)
