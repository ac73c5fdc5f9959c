// Makes the chain: plays the generated transactions into an anvil, block by block.
//
//     node generate.mjs genesis FILE          writes the genesis for `anvil --init`
//     node generate.mjs play URL              sends and mines; prints a line for each block
//
// The same versions and the same seed give the same chain, to the last block hash.

import { writeFileSync } from "node:fs";
import { Transaction, parseUnits } from "ethers";
import { KINDS, Ledger, WEIGHTS } from "./kinds.mjs";
import { Random } from "./random.mjs";
import { CHAIN_ID, GENESIS_TIME, SECONDS_PER_BLOCK, builder, genesis, users } from "./world.mjs";

/** Blocks before those that are recorded: they make the first delegations, NFTs and orders. */
const FIRST_RECORDED = 5;
const RECORDED = 24;
const SEED = "blockrace sample 1";

async function rpc(url, requests) {
  const body = requests.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params }));
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const answers = (await response.json()).sort((one, other) => one.id - other.id);
  const failed = answers.find((answer) => answer.error);
  if (failed) throw new Error(`${requests[failed.id][0]}: ${failed.error.message}`);
  return answers.map((answer) => answer.result);
}

/** The transactions of one block, each with the name of its kind, in their final order. */
function draw(random, ledger) {
  ledger.busy.clear();
  const size = random.between(115, 285);
  const groups = [];
  for (let count = 0; count < size; count += groups.at(-1).length) {
    const kind = random.weighted(WEIGHTS);
    groups.push([KINDS[kind](random, ledger)].flat().map((transaction) => ({ kind, ...transaction })));
  }
  return random.shuffle(groups).flat();
}

/** The signed transaction, as its raw bytes; takes the nonces that it uses. */
function sign(random, nonces, { user, to, data = "0x", value = 0n, gas, authorizations }) {
  const tip = random.amount(1) / 10n ** 9n; // about one gwei
  const fees = { maxFeePerGas: parseUnits("200", "gwei"), maxPriorityFeePerGas: tip };
  const typed = authorizations
    ? { type: 4, ...fees, authorizationList: authorizations(nonces) }
    : random.chance(0.15) ? { type: 0, gasPrice: parseUnits("150", "gwei") } : { type: 2, ...fees };
  const nonce = nonces[user]++;
  // What an account authorizes for itself takes a nonce of its own.
  if (authorizations && users[user].address === to) nonces[user]++;
  const chainId = CHAIN_ID;
  const transaction = Transaction.from({ ...typed, chainId, nonce, to, data, value, gasLimit: gas });
  transaction.signature = users[user].signingKey.sign(transaction.unsignedHash);
  return transaction.serialized;
}

async function mine(url, number, drawn, raw) {
  const hashes = [];
  // One by one, since anvil takes the requests of a batch in any order.
  for (const bytes of raw) hashes.push(...(await rpc(url, [["eth_sendRawTransaction", [bytes]]])));
  await rpc(url, [["evm_mine", [{ timestamp: GENESIS_TIME + number * SECONDS_PER_BLOCK }]]]);
  const [block] = await rpc(url, [["eth_getBlockByNumber", ["latest", false]]]);
  if (block.transactions.join() !== hashes.join()) {
    const holds = `${block.transactions.length} of ${hashes.length} transactions`;
    throw new Error(`block ${number} holds ${holds}, or in another order`);
  }
  const [receipts] = await rpc(url, [["eth_getBlockReceipts", ["latest"]]]);
  const reverted = receipts.filter((receipt) => receipt.status === "0x0").length;
  const figures = [number, hashes.length, Number(block.gasUsed), reverted, Number(block.baseFeePerGas)];
  console.log([...figures, block.hash].join("\t"));
  return receipts.map((receipt, index) => ({
    kind: drawn[index].kind,
    gas: Number(receipt.gasUsed),
    failed: receipt.status === "0x0",
  }));
}

async function play(url) {
  await rpc(url, [["anvil_setCoinbase", [builder]]]);
  const [random, ledger] = [new Random(SEED), new Ledger()];
  const nonces = users.map(() => 0);
  const all = [];
  console.log("block\ttransactions\tgas\treverted\tbase fee\thash");
  for (let number = 1; number < FIRST_RECORDED + RECORDED; number++) {
    const drawn = draw(random, ledger);
    const raw = drawn.map((transaction) => sign(random, nonces, transaction));
    const played = await mine(url, number, drawn, raw);
    drawn.forEach(({ done }) => done?.());
    if (number >= FIRST_RECORDED) all.push(...played);
  }
  summarize(all);
}

/** How many of each kind were recorded, their gas on average, and how many failed. */
function summarize(all) {
  console.log("\nkind\ttransactions\tgas each\treverted");
  for (const kind of Object.keys(WEIGHTS)) {
    const those = all.filter((transaction) => transaction.kind === kind);
    const gas = those.reduce((sum, transaction) => sum + transaction.gas, 0);
    const failed = those.filter((transaction) => transaction.failed).length;
    console.log([kind, those.length, Math.round(gas / those.length), failed].join("\t"));
  }
}

const [command, argument] = process.argv.slice(2);
if (command === "genesis" && argument) writeFileSync(argument, JSON.stringify(genesis()));
else if (command === "play" && argument) await play(argument);
else throw new Error("say: generate.mjs genesis FILE, or: generate.mjs play URL");
