// Speaks for the published JavaScript driver 4.3.0: a call in JSON a line in, its outcome a line out. The argument is the
// folder whose node_modules holds the driver. Calls nothing but the driver's public interface, and crypto-conditions for
// what its manual leaves to the user: proofs of several owners.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const load = createRequire(path.join(process.argv[2], "package.json"));
const driver = load("bigchaindb-driver");
const conditions = load("crypto-conditions");
const base58 = load("bs58");
const { sha3_256: sha3 } = load("js-sha3");

const { Transaction } = driver;
let connection;

function output({ owners, amount }) {
  const single = owners.map((owner) => Transaction.makeEd25519Condition(owner, owners.length === 1));
  const condition = owners.length === 1 ? single[0] : Transaction.makeThresholdCondition(owners.length, single);
  return Transaction.makeOutput(condition, String(amount));
}

function proof(message, owners) {
  const signed = owners.map(([, privateKey]) => {
    const fulfillment = new conditions.Ed25519Sha256();
    fulfillment.sign(message, base58.decode(privateKey));
    return fulfillment;
  });
  if (signed.length === 1) {
    return signed[0].serializeUri();
  }
  const threshold = new conditions.ThresholdSha256();
  threshold.setThreshold(signed.length);
  signed.forEach((fulfillment) => threshold.addSubfulfillment(fulfillment));
  return threshold.serializeUri();
}

function signedByAll(transaction, inputs) {
  return Transaction.delegateSignTransaction(transaction, (text, input, index) => {
    const { transaction_id: id, output_index: spent } = input.fulfills;
    return proof(Buffer.from(sha3(text + id + spent), "hex"), inputs[index].owners);
  });
}

const agent = {
  connect({ urls, key }) {
    // This driver sends no headers; credentials in the URL arrive as Basic.
    const shown = key === null ? "://" : `://key:${key}@`;
    connection = new driver.Connection(urls.map((url) => `${url.replace("://", shown)}/api/v1/`));
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
    if (inputs.every(({ owners }) => owners.length === 1)) {
      return Transaction.signTransaction(transaction, ...inputs.map(({ owners }) => owners[0][1]));
    }
    return signedByAll(transaction, inputs);
  },
  post({ transaction, mode }) {
    const call = { async: "postTransactionAsync", sync: "postTransactionSync", commit: "postTransactionCommit" }[mode];
    return connection[call](transaction);
  },
  retrieve: ({ id }) => connection.getTransaction(id),
  transactions: ({ asset_id: id, operation }) => connection.listTransactions(id, operation),
  outputs: ({ public_key: key, spent }) => connection.listOutputs(key, spent === null ? undefined : spent),
  height: async ({ id }) => (await connection.listBlocks(id)).pop(),
  block: ({ height }) => connection.getBlock(height),
  search_assets: ({ text, limit }) => connection.searchAssets(text, limit === null ? undefined : limit),
  search_metadata: ({ text, limit }) => connection.searchMetadata(text, limit === null ? undefined : limit),
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
