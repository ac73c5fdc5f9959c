#!/usr/bin/env bash
# Makes data/sample.blocks again: a chain by a real anvil, recorded by blockrace over its JSON-RPC.
#
#     data/sample/make.sh [BLOCKRACE]
#
# BLOCKRACE is the command to record with; cargo builds one if it is left out. Needs node 20, npm, curl
# and zstd. Takes some minutes, nearly all of them anvil's, which builds whole tries for every proof.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/target/sample
first=5 last=28
port=${PORT:-18545}
url=http://127.0.0.1:$port

blockrace=${1:-}
if [ -z "$blockrace" ]; then
    cargo build --release --manifest-path "$root/Cargo.toml"
    blockrace=$root/target/release/blockrace
fi

rm -rf "$work"
mkdir -p "$work"
cp "$here"/*.mjs "$here"/package*.json "$work"
cp -r "$here/contracts" "$work"
# Not "npm ci", which wants anvil for every platform to be in the lock file.
npm install --prefix "$work" --no-audit --no-fund
node "$work/generate.mjs" genesis "$work/genesis.json"

# Not anvil's launcher, which would leave anvil behind when it is ended.
anvil=$(find "$work/node_modules/@foundry-rs" -path '*/bin/anvil' -type f | head -n 1)
"$anvil" --init "$work/genesis.json" --port "$port" --no-mining --order fifo --accounts 0 \
    --gas-limit 60000000 --timestamp 1750000000 >"$work/anvil.log" 2>&1 &
node=$!
trap 'kill $node' EXIT
for _ in $(seq 120); do
    curl -sf "$url" >/dev/null -H 'content-type: application/json' \
        -d '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}' && break
    sleep 0.5
done

node "$work/generate.mjs" play "$url" | tee "$work/blocks.tsv"
"$blockrace" fetch "$first-$last" --witness proofs --rpc-url "$url" --rpc-timeout 600 \
    --concurrency 2 --cache-dir "$work/cache"

# What is in the containers, one after the other, in one frame with a window over all of it: most of a
# block's trie nodes are, but for a few hashes, those of the block before.
for number in $(seq "$first" "$last"); do
    tail -c +11 "$work/cache/31337"/*/"$number"-*.block | zstd -d
done >"$work/blocks"
zstd --ultra -22 --long=27 -f -q "$work/blocks" -o "$root/data/sample.blocks"
ls -l "$root/data/sample.blocks"
