// Who and what there is before the first block, and the genesis that says so.
//
// Contracts are in the genesis with their storage, at the slots that their sources name: tens of
// thousands of accounts and slots at once, where transactions would take thousands of blocks.

import { AbiCoder, Wallet, getAddress, id, keccak256, toBeHex } from "ethers";
import { compile } from "./compile.mjs";

export const CHAIN_ID = 31337;
export const GENESIS_TIME = 1_750_000_000;
export const SECONDS_PER_BLOCK = 12;
export const GAS_LIMIT = 60_000_000;

const USERS = 3_000; // who send transactions
const HOLDERS = 21_000; // who only hold, and receive
const TOKENS = 10; // the first two are in every wallet
const HOLDERS_OF_HOT_TOKEN = 8_000;
const HOLDERS_OF_COLD_TOKEN = 1_500;
const PRECOMPILES = 17;
const ETHER = 10n ** 18n;
const UNLIMITED = 2n ** 256n - 1n;

export const contracts = compile();

const addressOf = (name) => getAddress(id(`blockrace sample ${name}`).slice(0, 42));
const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const abi = AbiCoder.defaultAbiCoder();
const slotOf = (key, slot) => keccak256(abi.encode(["address", "uint256"], [key, slot]));
const nestedSlotOf = (key, inner, slot) =>
  keccak256(abi.encode(["address", "bytes32"], [inner, slotOf(key, slot)]));

export const users = many(USERS, (index) => new Wallet(id(`blockrace sample key ${index}`)));
export const holders = many(HOLDERS, (index) => addressOf(`holder ${index}`));
export const builder = addressOf("builder");
export const tokens = many(TOKENS, (index) => addressOf(`token ${index}`));
export const collections = many(3, (index) => addressOf(`collection ${index}`));
export const [router, wallets, batch, proofs, market] =
  ["router", "wallets", "batch", "proofs", "market"].map(addressOf);

/** The token that a user has besides the two hot ones. */
export const ownToken = (index) => tokens[2 + (index % (TOKENS - 2))];

/** Users below this may spend a hot token through `wallets`. */
export const COLLECTING_USERS = 300;

/** Pools by popularity: the two hot tokens, then each other token with the first, some with both. */
export const pools = [
  [0, 1],
  ...many(TOKENS - 2, (index) => [0, index + 2]),
  ...many(4, (index) => [1, index + 2]),
].map(([first, second], index) => ({
  address: addressOf(`pool ${index}`),
  tokens: [tokens[first], tokens[second]],
}));

/** The genesis file for `anvil --init`. */
export function genesis() {
  const alloc = {};
  const account = (address, balance, more = {}) => {
    alloc[address] = { balance: toBeHex(balance), ...more };
  };
  users.forEach((user) => account(user.address, 1_000n * ETHER));
  holders.forEach((holder, index) =>
    account(holder, ETHER + BigInt(index) * 10n ** 13n, { nonce: toBeHex(index % 90) }),
  );
  account(builder, 5n * ETHER);
  // As on mainnet, precompiles have been sent some wei; see kinds.mjs for why it matters.
  many(PRECOMPILES, (index) => account(toBeHex(index + 1, 20), 1n));
  const code = (address, name, storage = {}) =>
    account(address, 0n, { nonce: "0x1", code: contracts[name].code, storage });
  tokens.forEach((token, index) => code(token, "Token", tokenStorage(token, index)));
  pools.forEach((pool) => code(pool.address, "Pool", poolStorage(pool)));
  collections.forEach((collection) => code(collection, "Collectible"));
  code(router, "Router");
  code(wallets, "Wallets");
  code(batch, "Batch");
  code(proofs, "Proofs");
  code(market, "Market");
  return {
    config: { chainId: CHAIN_ID },
    nonce: "0x0",
    timestamp: toBeHex(GENESIS_TIME),
    gasLimit: toBeHex(GAS_LIMIT),
    difficulty: "0x0",
    extraData: "0x",
    alloc,
  };
}

function tokenStorage(token, index) {
  const storage = {};
  const write = (slot, value) => {
    storage[slot] = toBeHex(value, 32);
  };
  const isHot = index < 2;
  const count = isHot ? HOLDERS_OF_HOT_TOKEN : HOLDERS_OF_COLD_TOKEN;
  many(count, (offset) => holders[(index * 2_000 + offset * 2) % HOLDERS]).forEach((holder, rank) =>
    write(slotOf(holder, 0), (1_000n * ETHER) / BigInt(rank + 1) + ETHER),
  );
  users.forEach(({ address }, user) => {
    if (!isHot && ownToken(user) !== token) return;
    write(slotOf(address, 0), 10_000n * ETHER);
    write(nestedSlotOf(address, router, 1), UNLIMITED);
    if (isHot) write(nestedSlotOf(address, market, 1), UNLIMITED);
    if (index === 1 && user < COLLECTING_USERS) {
      write(nestedSlotOf(address, wallets, 1), UNLIMITED);
    }
  });
  pools
    .filter((pool) => pool.tokens.includes(token))
    .forEach((pool) => write(slotOf(pool.address, 0), RESERVE));
  write(toBeHex(2, 32), 100_000_000n * ETHER);
  return storage;
}

const RESERVE = 1_000_000n * ETHER;

function poolStorage({ tokens: [token0, token1] }) {
  const reserves = (BigInt(GENESIS_TIME) << 224n) | (RESERVE << 112n) | RESERVE;
  const words = [BigInt(token0), BigInt(token1), reserves, 1n << 112n, 1n << 112n];
  return Object.fromEntries(words.map((word, slot) => [toBeHex(slot, 32), toBeHex(word, 32)]));
}
