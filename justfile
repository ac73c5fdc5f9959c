# `just` alone lists the recipes.
set shell := ["bash", "-euo", "pipefail", "-c"]

_default:
    @just --list

anvil := "@foundry-rs/anvil@1.7.1"

# Build everything once, tests included, and get the client that tests run against
setup:
    cargo build --release --locked
    cargo test --no-run --locked
    npm install --no-audit --no-fund --prefix target/anvil {{anvil}}

# Everything that needs no network
test:
    cargo test --locked

# Formatting and lints, as in continuous integration
lint:
    cargo fmt --all --check
    cargo clippy --all-targets --locked -- -D warnings

# Advisories, licences and sources of dependencies; needs cargo-deny, and the network for the advisories
deny:
    cargo deny --locked check

# All executors over Ethereum's blockchain tests: just conformance ../tests/BlockchainTests
conformance *ARGS:
    cargo run --release --locked -- conformance {{ARGS}}

# Generated worlds, many of them: just worlds 100000
worlds COUNT="100000" SEED="2":
    BLOCKRACE_WORLDS={{COUNT}} BLOCKRACE_SEED={{SEED}} cargo test --release --locked --test worlds

# The parallel engine under many schedules; `cargo test` runs a few: just model 50
model EFFORT="20" SEED="2":
    MODEL_EFFORT={{EFFORT}} MODEL_SEED={{SEED}} cargo test --locked --test schedules -- --nocapture

# The same blocks on real threads under miri, which models weak memory; needs a nightly toolchain with miri
miri:
    MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance" cargo +nightly miri test --target-dir target/miri -p blockrace-model --no-default-features

# And under the thread sanitizer; needs a nightly toolchain with rust-src
tsan:
    RUSTFLAGS=-Zsanitizer=thread cargo +nightly test --target-dir target/tsan -Zbuild-std --target x86_64-unknown-linux-gnu \
        -p blockrace-model --no-default-features

# A fuzzer for some seconds: just fuzz trie 600; needs a nightly toolchain and cargo-fuzz. fuzz/seeds makes seeds
fuzz TARGET SECONDS="600":
    cargo +nightly fuzz run -s none {{TARGET}} -- -max_total_time={{SECONDS}} -timeout=20 -rss_limit_mb=4096

# Criterion benches of the parts that decide the whole
bench *ARGS:
    cargo bench --locked {{ARGS}}

# Fetch blocks: just fetch 24628608 --rpc-url URL
fetch *ARGS:
    cargo run --release --locked -- fetch {{ARGS}}

# Replay cached blocks: just replay --threads 1,2
replay *ARGS:
    cargo run --release --locked -- replay {{ARGS}}

# Make data/sample.blocks again, by a real anvil; about a quarter of an hour
sample *ARGS:
    data/sample/make.sh {{ARGS}}

# What continuous integration runs
ci:
    .ci/run
