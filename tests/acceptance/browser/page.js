// A web application at another origin than the node: the published driver's browser bundle and the browser's own means.
// Leaves what each step came to in `window.outcome`, or the error in `window.failure`.
"use strict";

const node = new URLSearchParams(location.search).get("node");
const stream = new URLSearchParams(location.search).get("stream");
const key = new URLSearchParams(location.search).get("key");
const { Connection, Ed25519Keypair, Transaction } = window.BigchainDB;

function created(owner, data) {
  const output = Transaction.makeOutput(Transaction.makeEd25519Condition(owner.publicKey));
  const transaction = Transaction.makeCreateTransaction(data, null, [output], owner.publicKey);
  return Transaction.signTransaction(transaction, owner.privateKey);
}

function moved(transaction, owner, recipient) {
  const output = Transaction.makeOutput(Transaction.makeEd25519Condition(recipient.publicKey));
  const transfer = Transaction.makeTransferTransaction([{ tx: transaction, output_index: 0 }], [output], null);
  return Transaction.signTransaction(transfer, owner.privateKey);
}

async function withTheDriver() {
  const connection = new Connection(`${node}/api/v1/`);
  const [alice, bob] = [new Ed25519Keypair(), new Ed25519Keypair()];
  const asset = await connection.postTransactionCommit(created(alice, { from: "a browser" }));
  const transfer = await connection.postTransactionCommit(moved(asset, alice, bob));
  const refusal = await connection.getTransaction("0".repeat(64)).catch((error) => error.status);
  return {
    asset: asset.id,
    listed: (await connection.listTransactions(asset.id)).map(({ id }) => id),
    bobs: await connection.listOutputs(bob.publicKey, false),
    transfer: transfer.id,
    refusal,
  };
}

async function withFetch() {
  const owner = new Ed25519Keypair();
  const post = (body) =>
    fetch(`${node}/api/v1/transactions?mode=commit`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  const transaction = created(owner, { by: "fetch" });
  const accepted = await post(transaction);
  const refused = await post({ ...transaction, id: "0".repeat(64) });
  return {
    accepted: accepted.status,
    echoed: (await accepted.json()).id === transaction.id,
    refused: refused.status,
    why: (await refused.json()).message,
  };
}

function firstOfStream() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(stream);
    socket.onerror = () => reject(new Error("the stream failed"));
    socket.onmessage = ({ data }) => {
      resolve(JSON.parse(data));
      socket.close();
    };
    socket.onopen = () => new Connection(`${node}/api/v1/`).postTransactionCommit(created(new Ed25519Keypair(), null));
  });
}

function firstOfEvents() {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`${node}/api/v1/events?granularity=transaction`);
    events.onerror = () => reject(new Error("the events failed"));
    events.addEventListener("com.bigchaindb.transaction.valid.v1", ({ data, lastEventId }) => {
      resolve({ event: JSON.parse(data), lastEventId });
      events.close();
    });
    events.onopen = () => new Connection(`${node}/api/v1/`).postTransactionCommit(created(new Ed25519Keypair(), null));
  });
}

// What the node counts on: an id without data is not dispatched, but sent along when the browser comes back.
function sentOnComingBack() {
  return new Promise((resolve) => {
    const events = new EventSource("/told-an-id");
    events.onmessage = ({ data }) => {
      resolve(data);
      events.close();
    };
  });
}

// A WebSocket of a browser sets no headers: an access key goes along as a subprotocol, and the node chooses another.
function openedWith(key) {
  const bearer = btoa(key).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return new Promise((resolve) => {
    const socket = new WebSocket(stream, ["page.v1", `bigchaindb.bearer.${bearer}`]);
    socket.onerror = () => resolve(null);
    socket.onopen = () => {
      resolve(socket.protocol);
      socket.close();
    };
  });
}

async function main() {
  try {
    window.outcome = {
      driver: await withTheDriver(),
      fetch: await withFetch(),
      stream: await firstOfStream(),
      events: await firstOfEvents(),
      back: await sentOnComingBack(),
      known: await openedWith(key),
      unknown: await openedWith(`${key}x`),
    };
  } catch (error) {
    window.failure = error.stack || error.message || JSON.stringify(error);
  }
}

main();
