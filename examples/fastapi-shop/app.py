# app.py
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from bigchaindb.client import AsyncClient, RequestFailed, TransactionRefused, read_keypair

OWNER = read_keypair(Path(os.environ["KEY_FILE"]))
ledger = AsyncClient(os.environ["LEDGER"].split(), deadline_s=15)
sales: dict[str, str] = {}  # in your service a table, with the event's id as its key


class Bicycle(BaseModel):
    serial: str


class Sale(BaseModel):
    to: str


async def follow() -> None:
    async with ledger.subscription(
        "shop", granularity="transaction", select={"metadata.kind": "sale"}, start="genesis", away_s=None
    ) as events:
        async for event in events:
            sales[event.id] = event.transaction["outputs"][0]["public_keys"][0]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with ledger:
        following = asyncio.create_task(follow())
        yield
        following.cancel()
        await asyncio.wait([following])


app = FastAPI(lifespan=lifespan)


@app.post("/bicycles", status_code=201)
async def make(bicycle: Bicycle) -> dict[str, str]:
    made = await ledger.create(OWNER, {"bicycle": bicycle.model_dump()})
    return {"id": made["id"]}


@app.post("/bicycles/{asset}/sale", status_code=201)
async def sell(asset: str, sale: Sale) -> dict[str, str]:
    bicycle = await ledger.transaction(asset)
    passed = await ledger.transfer(bicycle, OWNER, to=sale.to, metadata={"kind": "sale"})
    return {"id": passed["id"]}


@app.get("/sales")
async def sold() -> list[str]:
    return list(sales.values())


@app.exception_handler(RequestFailed)
async def refused(request: Request, error: RequestFailed) -> JSONResponse:
    status = 409 if isinstance(error, TransactionRefused) else 404 if error.status == 404 else 503
    return JSONResponse({"message": str(error)}, status)
