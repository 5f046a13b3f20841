// Speaks for the published JavaScript driver 3.2.0, made for servers of 1.x: a call in JSON a line in, its outcome a line
// out. The argument is the folder whose node_modules holds the driver.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const load = createRequire(path.join(process.argv[2], "package.json"));
const driver = load("bigchaindb-driver");

const { Transaction } = driver;
let connection;

function output({ owners: [owner], amount }) {
  return Transaction.makeOutput(Transaction.makeEd25519Condition(owner), String(amount));
}

const agent = {
  connect({ urls: [url] }) {
    connection = new driver.Connection(`${url}/api/v1/`);
  },
  keys() {
    const pair = new driver.Ed25519Keypair();
    return [pair.publicKey, pair.privateKey];
  },
  create({ signer: [publicKey, privateKey], outputs, data, metadata }) {
    const transaction = Transaction.makeCreateTransaction(data, metadata, outputs.map(output), publicKey);
    return Transaction.signTransaction(transaction, privateKey);
  },
  transfer({ inputs, outputs, metadata }) {
    const spends = inputs.map(({ transaction, output_index: index }) => ({ tx: transaction, output_index: index }));
    const transaction = Transaction.makeTransferTransaction(spends, outputs.map(output), metadata);
    return Transaction.signTransaction(transaction, ...inputs.map(({ owners }) => owners[0][1]));
  },
  post: ({ transaction }) => connection.postTransaction(transaction),
  status: async ({ id }) => (await connection.getStatus(id)).status,
  poll: ({ id }) => connection.pollStatusAndFetchTransaction(id),
  retrieve: ({ id }) => connection.getTransaction(id),
  outputs: ({ public_key: key, spent }) => connection.listOutputs(key, spent === null ? undefined : spent),
  block_ids: ({ id, status }) => connection.listBlocks(id, status),
  block: ({ height: id }) => connection.getBlock(id),
  votes: ({ block_id: id }) => connection.listVotes(id),
};

async function outcome({ method, arguments: given }) {
  try {
    const returned = await agent[method](given);
    return { returned: returned === undefined ? null : returned };
  } catch (error) {
    const status = Number.parseInt(error.status, 10);
    const known = Number.isNaN(status) ? null : status;
    return { raised: { kind: error.name, status: known, text: known ? "" : String(error.message) } };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await outcome(JSON.parse(line)))}\n`);
  }
}

main();
