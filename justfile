# `just` without arguments lists the recipes.
set shell := ["bash", "-euo", "pipefail", "-c"]

_default:
    @just --list

anvil := "@foundry-rs/anvil@1.7.1"

# Build the release binary and the tests, and install anvil, the client that some tests need
setup:
    cargo build --release --locked
    cargo test --no-run --locked
    npm install --no-audit --no-fund --prefix target/anvil {{anvil}}

# Run all tests that need no network
test:
    cargo test --locked

# Check the formatting and run the lints, as in continuous integration
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Check advisories, licences and sources of dependencies; needs cargo-deny and network access
deny:
    cargo deny --locked check

# Run Ethereum's blockchain tests with all executors: just conformance ../tests/BlockchainTests
conformance *ARGS:
    cargo run --release --locked -- conformance {{ARGS}}

# Run all executors over many generated worlds, each with a pre-state and a chain: just worlds 100000
worlds COUNT="100000" SEED="2":
    BLOCKRACE_WORLDS={{COUNT}} BLOCKRACE_SEED={{SEED}} cargo test --release --locked --test it worlds::

# Test the Block-STM engine under many simulated schedules; `cargo test` runs a few of them: just model 50
model EFFORT="20" SEED="2":
    MODEL_EFFORT={{EFFORT}} MODEL_SEED={{SEED}} cargo test --locked --test it schedules:: -- --nocapture

# Test the Block-STM engine on real threads under Miri, which models weak memory; needs a nightly toolchain with miri
miri:
    MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance" cargo +nightly miri test --target-dir target/miri -p blockrace-model --no-default-features

# Test the Block-STM engine on real threads under ThreadSanitizer; needs a nightly toolchain with rust-src
tsan:
    RUSTFLAGS=-Zsanitizer=thread cargo +nightly test --target-dir target/tsan -Zbuild-std --target x86_64-unknown-linux-gnu \
        -p blockrace-model --no-default-features

# Run one fuzzer for a number of seconds: just fuzz trie 600; needs a nightly toolchain and cargo-fuzz. fuzz/seeds writes the seed inputs
fuzz TARGET SECONDS="600":
    cargo +nightly fuzz run -s none {{TARGET}} -- -max_total_time={{SECONDS}} -timeout=20 -rss_limit_mb=4096

# Run commands in a loop against a node, end them at random moments and fill a small disk: just soak URL BLOCKS 7200 FOLDER
soak URL BLOCKS SECONDS="7200" FOLDER="":
    cargo build --release --locked
    tests/programs/soak.py target/release/blockrace {{URL}} {{BLOCKS}} {{SECONDS}} {{FOLDER}}

# Run the Criterion benchmarks
bench *ARGS:
    cargo bench --locked {{ARGS}}

# Fetch blocks: just fetch 24628608 --rpc-url URL
fetch *ARGS:
    cargo run --release --locked -- fetch {{ARGS}}

# Replay cached blocks: just replay --threads 1,2
replay *ARGS:
    cargo run --release --locked -- replay {{ARGS}}

# Rebuild data/sample.blocks with anvil; takes about 15 minutes
sample *ARGS:
    data/sample/make.sh {{ARGS}}

# Run all checks of continuous integration
ci:
    .ci/run
