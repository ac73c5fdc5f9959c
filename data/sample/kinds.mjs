// The kinds of transaction, and how often each comes: a mixture like that of mainnet.
//
// A kind is a function of the random stream and the ledger; it gives who sends (an index into `users`)
// and what, or several of these that follow each other. `gas` is the limit. Nonces, fees and signatures
// are added in the final order of the block: `authorizations` is called then, with the next nonces, and
// `done` when the block is mined.
//
// Every slot that a transaction reads or writes, also one that fails, is other than zero at the end of its
// block, and every account other than empty. anvil keeps slots of value zero and empty accounts as leaves of
// its tries, so that its state root would not be the one that the Yellow Paper asks for, and no block with
// such a leaf could be verified.

import { AbiCoder, ZeroAddress, concat, keccak256, sha256, toBeHex } from "ethers";
import {
  CHAIN_ID, COLLECTING_USERS, batch, collections, contracts, holders, market, ownToken, pools,
  proofs, router, tokens, users, wallets,
} from "./world.mjs";

const abi = AbiCoder.defaultAbiCoder();
const call = (name, method, ...args) => contracts[name].interface.encodeFunctionData(method, args);
const forever = 2 ** 40;

/** Kinds by weight. Weights are shares of transactions, in percent. */
export const WEIGHTS = {
  payment: 23, withdrawals: 2, tokenTransfer: 24, approval: 3, swap: 20, arbitrage: 3, mint: 5, gift: 1,
  openWallet: 2.5, collect: 1, deploy: 0.5, delegate: 1.5, sponsored: 1, delegated: 1.5, revoke: 0.3,
  precompile: 3, merkle: 1, settle: 2, airdrop: 1.2, revert: 3,
};

/** What generated blocks have left behind that later transactions depend on. */
export class Ledger {
  minted = collections.map(() => 0);
  spare = []; // NFTs beyond their owner's first: { user, collection, id }
  delegated = new Map(); // user → signed batches executed
  orders = []; // settled
  salt = 0;
  busy = new Set(); // users who must not send, or be delegated for, a second time in this block

  /** A user who does nothing else in this block. */
  idle(random, among = users.length) {
    for (;;) {
      const user = random.between(EXCHANGES + BOTS, among - 1);
      if (this.busy.has(user) || this.delegated.has(user)) continue;
      this.busy.add(user);
      return user;
    }
  }
}

const EXCHANGES = 2; // users 0 and 1 pay out to many
const BOTS = 20; // the next ones trade in most blocks
const bot = (random) => EXCHANGES + Math.floor(BOTS * random.fraction() ** 2);
const recipient = (random) =>
  random.chance(0.2) ? users[random.between(0, EXCHANGES - 1)].address
  : random.chance(0.15) ? random.bytes(20)
  : random.chance(0.5) ? random.pick(holders)
  : random.pick(users).address;
const tokenFor = (random, user) =>
  random.chance(0.45) ? tokens[1] : random.chance(0.5) ? tokens[0] : ownToken(user);
const transferOf = (random, user, to = recipient(random)) => ({
  to: tokenFor(random, user),
  data: call("Token", "transfer", to, random.amount(0.5)),
});

/** A path of pools from one of the user's tokens. */
function path(random, user, hops) {
  const has = (token) => tokens.indexOf(token) < 2 || token === ownToken(user);
  const first = random.popular(pools.filter((pool) => pool.tokens.every(has)), 1);
  const path = [first];
  const start = random.pick(first.tokens);
  let token = first.tokens.find((other) => other !== start);
  while (path.length < hops) {
    const leadsOn = (pool) => pool.tokens.includes(token) && !path.includes(pool);
    const next = random.popular(pools.filter(leadsOn), 1);
    if (next === undefined) break;
    token = next.tokens.find((other) => other !== token);
    path.push(next);
  }
  return { start, path: path.map((pool) => pool.address) };
}

function swapOf(random, user, hops, wanted = 0n, deadline = forever) {
  const { start, path: addresses } = path(random, user, hops);
  const data = call("Router", "swap", start, random.amount(1), wanted, addresses, deadline);
  return { user, to: router, data, gas: 150_000 + 130_000 * hops };
}

const callsOf = (random, user, count) =>
  Array.from({ length: count }, () => {
    const { to, data } = transferOf(random, user, random.pick(holders));
    return [to, 0n, data];
  });

function orderOf(random, ledger) {
  const maker = random.pick(users);
  const [sells, buys] = random.shuffle([tokens[0], tokens[1]]);
  const terms = [maker.address, sells, buys, random.amount(0.2), random.amount(0.2), BigInt(ledger.salt++)];
  const types = ["uint256", "address", "address", "address", "address", "uint256", "uint256", "uint256"];
  const hash = keccak256(abi.encode(types, [CHAIN_ID, market, ...terms]));
  const { v, r, s } = maker.signingKey.sign(hash);
  return [...terms, v, r, s];
}

export const KINDS = {
  payment(random, ledger) {
    return { user: ledger.idle(random), to: recipient(random), value: random.amount(0.1), gas: 60_000 };
  },

  /** An exchange pays out: several transactions of one sender. */
  withdrawals(random) {
    const user = random.between(0, EXCHANGES - 1);
    return Array.from({ length: random.between(2, 6) }, () =>
      random.chance(0.6)
        ? { user, to: random.pick(holders), value: random.amount(0.2), gas: 21_000 }
        : { user, ...transferOf(random, user), gas: 80_000 },
    );
  },

  tokenTransfer(random, ledger) {
    const user = ledger.idle(random);
    return { user, ...transferOf(random, user), gas: 80_000 };
  },

  /** Half of these make an allowance a limited one, which swaps then draw down. */
  approval(random, ledger) {
    const user = ledger.idle(random);
    const data = call("Token", "approve", random.pick([router, market]), random.amount(10_000));
    return { user, to: ownToken(user), data, gas: 70_000 };
  },

  swap(random, ledger) {
    return swapOf(random, ledger.idle(random), random.chance(0.6) ? 1 : 2);
  },

  arbitrage(random) {
    return swapOf(random, bot(random), random.between(2, 4));
  },

  mint(random, ledger) {
    const user = ledger.idle(random);
    const collection = random.popular([0, 1, 2]);
    const count = random.between(1, 3);
    const done = () => {
      if (count > 1) ledger.spare.push({ user, collection, id: ledger.minted[collection] });
      ledger.minted[collection] += count;
    };
    const data = call("Collectible", "mint", count);
    return { user, to: collections[collection], data, gas: 110_000 + 90_000 * count, done };
  },

  /** Somebody who minted several NFTs gives one away. */
  gift(random, ledger) {
    const at = ledger.spare.findIndex(({ user }) => !ledger.busy.has(user) && !ledger.delegated.has(user));
    if (at < 0) return KINDS.payment(random, ledger);
    const [{ user, collection, id }] = ledger.spare.splice(at, 1);
    ledger.busy.add(user);
    const data = call("Collectible", "transfer", random.pick(holders), id);
    return { user, to: collections[collection], data, gas: 100_000 };
  },

  openWallet(random, ledger) {
    const data = call("Wallets", "open", ledger.salt++);
    return { user: ledger.idle(random), to: wallets, data, value: random.amount(0.01), gas: 500_000 };
  },

  collect(random, ledger) {
    const user = ledger.idle(random, COLLECTING_USERS);
    const data = call("Wallets", "collect", tokens[1], random.amount(1), ledger.salt++);
    return { user, to: wallets, data, gas: 400_000 };
  },

  deploy(random, ledger) {
    const user = ledger.idle(random);
    const data = contracts[random.pick(["Token", "Collectible", "Proofs"])].creation;
    return { user, to: null, data, gas: 1_500_000 };
  },

  /** An account delegates its code and uses it in the same transaction (EIP-7702). */
  delegate(random, ledger) {
    const user = ledger.idle(random);
    const data = call("Batch", "execute", callsOf(random, user, random.between(2, 5)));
    ledger.delegated.set(user, 0);
    const authorizations = (nonces) => [authorize(user, batch, nonces[user] + 1)];
    return { user, to: users[user].address, data, gas: 400_000, authorizations };
  },

  /** As above, but somebody else pays; some authorizations come too late and are void. */
  sponsored(random, ledger) {
    const [owner, user] = [ledger.idle(random), ledger.idle(random)];
    const stale = random.chance(0.2);
    if (!stale) ledger.delegated.set(owner, 1);
    const calls = callsOf(random, owner, random.between(1, 3));
    const { v, r, s } = users[owner].signingKey.sign(batchHash(users[owner].address, 0, calls));
    const data = call("Batch", "executeSigned", calls, v, r, s);
    const authorizations = (nonces) => [
      authorize(owner, batch, stale ? nonces[owner] + 7 : nonces[owner]++),
    ];
    return { user, to: users[owner].address, data, gas: 400_000, authorizations };
  },

  /** An account that delegated in an earlier block. */
  delegated(random, ledger) {
    const free = [...ledger.delegated.keys()].filter((user) => !ledger.busy.has(user));
    if (free.length === 0) return KINDS.delegate(random, ledger);
    const user = random.pick(free);
    ledger.busy.add(user);
    if (random.chance(0.5)) {
      const data = call("Batch", "execute", callsOf(random, user, random.between(2, 6)));
      return { user, to: users[user].address, data, gas: 400_000 };
    }
    const used = ledger.delegated.get(user);
    ledger.delegated.set(user, used + 1);
    const calls = callsOf(random, user, random.between(1, 4));
    const { v, r, s } = users[user].signingKey.sign(batchHash(users[user].address, used, calls));
    const data = call("Batch", "executeSigned", calls, v, r, s);
    return { user: bot(random), to: users[user].address, data, gas: 400_000 };
  },

  /** Takes the delegation back; what the account stored under it stays. */
  revoke(random, ledger) {
    const user = [...ledger.delegated.keys()].find((user) => !ledger.busy.has(user));
    if (user === undefined) return KINDS.delegate(random, ledger);
    // Its storage remembers how many batches it executed, so it is not used again.
    ledger.busy.add(user);
    const authorizations = (nonces) => [authorize(user, ZeroAddress, nonces[user] + 1)];
    const done = () => ledger.delegated.delete(user);
    return { user, to: users[user].address, gas: 80_000, authorizations, done };
  },

  precompile(random, ledger) {
    const [precompile, inputs, gas] = random.pick(PRECOMPILES)(random);
    const data = call("Proofs", "prove", precompile, inputs);
    return { user: ledger.idle(random), to: proofs, data, gas };
  },

  merkle(random, ledger) {
    const leaves = 2 ** random.between(5, 8);
    const user = ledger.idle(random);
    const data = call("Proofs", "merkleRoot", random.word(), leaves);
    return { user, to: proofs, data, gas: 100_000 + 4_000 * leaves };
  },

  settle(random, ledger) {
    const orders = Array.from({ length: random.between(2, 10) }, () => orderOf(random, ledger));
    const done = () => ledger.orders.push(orders[0]);
    const data = call("Market", "settle", orders);
    return { user: bot(random), to: market, data, gas: 100_000 + 160_000 * orders.length, done };
  },

  airdrop(random, ledger) {
    const to = Array.from({ length: random.between(10, 60) }, () => random.pick(holders));
    const token = random.pick([tokens[0], tokens[1]]);
    const data = call("Market", "pay", token, to, to.map(() => random.amount(0.01)));
    return { user: ledger.idle(random), to: market, data, gas: 100_000 + 55_000 * to.length };
  },

  /** What fails on mainnet: slippage, lateness, poverty, greed, a second settlement, too little gas for what is asked. */
  revert(random, ledger) {
    if (ledger.orders.length === 0) return KINDS.payment(random, ledger);
    const user = ledger.idle(random);
    const leaves = random.between(200, 400);
    const failing = (to, name, gas, ...args) => ({ user, to, data: call(name, ...args), gas });
    return random.pick([
      () => swapOf(random, user, 1, 10n ** 24n),
      () => swapOf(random, user, 2, 0n, 1),
      () => failing(tokens[0], "Token", 80_000, "transfer", recipient(random), 10n ** 24n),
      () => failing(collections[0], "Collectible", 100_000, "mint", 21),
      () => failing(market, "Market", 300_000, "settle", [random.pick(ledger.orders), orderOf(random, ledger)]),
      () => failing(proofs, "Proofs", 100_000, "merkleRoot", random.word(), leaves),
    ])();
  },
};

function authorize(user, address, nonce) {
  return users[user].authorizeSync({ address, nonce, chainId: CHAIN_ID });
}

function batchHash(account, used, calls) {
  const types = ["uint256", "address", "uint256", "tuple(address,uint256,bytes)[]"];
  return keccak256(abi.encode(types, [CHAIN_ID, account, used, calls]));
}

const times = (count, make) => Array.from({ length: count }, make);
const bytesOf = (number, count) => toBeHex(number, count);
const address = (number) => bytesOf(number, 20);

const BN254_P = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47n;
/** The generator of bn254's second group, as EIP-197 lays it out. */
const BN254_G2 = [
  0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2n,
  0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6edn,
  0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975bn,
  0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daan,
].map((number) => bytesOf(number, 32));
/** The generator of BLS12-381's first group. */
const BLS_G1 = [
  0x17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bbn,
  0x08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1n,
].map((number) => bytesOf(number, 64));

/** Each gives a precompile, its inputs, and the gas limit. */
const PRECOMPILES = [
  function ecrecover(random) {
    const inputs = times(random.between(5, 40), () => {
      const hash = random.word();
      const { v, r, s } = random.pick(users).signingKey.sign(hash);
      return concat([hash, bytesOf(v, 32), r, s]);
    });
    return [address(1), inputs, 150_000 + 15_000 * inputs.length];
  },
  function ripemd160(random) {
    const inputs = times(random.between(5, 20), () => random.bytes(200));
    return [address(3), inputs, 150_000 + 20_000 * inputs.length];
  },
  /** RSA signatures of 2048 bits. */
  function modexp(random) {
    const sizes = [256, 3, 256].map((size) => bytesOf(size, 32));
    const inputs = times(random.between(2, 10), () =>
      concat([...sizes, random.bytes(256), bytesOf(65_537, 3), random.bytes(255), "0x01"]),
    );
    return [address(5), inputs, 200_000 + 45_000 * inputs.length];
  },
  function bn254Multiplications(random) {
    const inputs = times(random.between(4, 30), () => concat([bytesOf(1, 32), bytesOf(2, 32), random.word()]));
    return [address(7), inputs, 150_000 + 14_000 * inputs.length];
  },
  /** The check of a Groth16 proof: four pairs. */
  function bn254Pairing() {
    const pair = (y) => [bytesOf(1, 32), bytesOf(y, 32), ...BN254_G2];
    const pairs = [2n, BN254_P - 2n, 2n, BN254_P - 2n].flatMap(pair);
    return [address(8), [concat(pairs)], 400_000];
  },
  function blake2f(random) {
    const inputs = times(random.between(4, 16), () =>
      concat([bytesOf(random.between(100, 2_000), 4), random.bytes(64 + 128 + 16), "0x01"]),
    );
    return [address(9), inputs, 150_000 + 18_000 * inputs.length];
  },
  /** The commitment to the polynomial 0 is the point at infinity (EIP-4844). */
  function pointEvaluation(random) {
    const infinity = concat(["0xc0", new Uint8Array(47)]);
    const versioned = "0x01" + sha256(infinity).slice(4);
    const point = bytesOf(BigInt(random.bytes(31)), 32);
    return [address(10), [concat([versioned, point, bytesOf(0, 32), infinity, infinity])], 250_000];
  },
  function blsMultiplications(random) {
    const inputs = times(random.between(2, 8), () => concat(times(2, () => [...BLS_G1, random.word()]).flat()));
    return [address(12), inputs, 150_000 + 40_000 * inputs.length];
  },
];
