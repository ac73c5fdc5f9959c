// A seeded stream of random numbers: the only source of chance, so that a chain can be made again.

import { keccak256, toBeHex, toUtf8Bytes } from "ethers";

export class Random {
  #state;

  constructor(seed) {
    this.#state = Number(BigInt(keccak256(toUtf8Bytes(seed))) & 0xffffffffn);
  }

  /** From 0 up to 1: mulberry32. */
  fraction() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both ends in. */
  between(low, high) {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  chance(probability) {
    return this.fraction() < probability;
  }

  pick(list) {
    return list[this.between(0, list.length - 1)];
  }

  /** The first of the list most often, as on a popularity chart; `skew` 0 is uniform. */
  popular(list, skew = 2) {
    return list[Math.floor(list.length * this.fraction() ** (1 + skew))];
  }

  /** A key of `weights`, as often as its weight says. */
  weighted(weights) {
    const entries = Object.entries(weights);
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    return (entries.find(([, weight]) => (left -= weight) < 0) ?? entries.at(-1))[0];
  }

  shuffle(list) {
    for (let last = list.length - 1; last > 0; last--) {
      const other = this.between(0, last);
      [list[last], list[other]] = [list[other], list[last]];
    }
    return list;
  }

  /** `count` random bytes, as 0x-hex. */
  bytes(count) {
    const digits = Array.from({ length: count }, () => this.between(0, 255));
    return "0x" + digits.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** An amount in wei of about `ether`, within a factor of ten either way. */
  amount(ether) {
    return BigInt(Math.floor(ether * 10 ** (2 * this.fraction() - 1) * 1e9)) * 10n ** 9n;
  }

  word() {
    return toBeHex(BigInt(this.bytes(32)), 32);
  }
}
