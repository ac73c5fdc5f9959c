# `just` alone lists the recipes.
set shell := ["bash", "-euo", "pipefail", "-c"]

_default:
    @just --list

# Build everything once, tests included
setup:
    cargo build --release --locked
    cargo test --no-run --locked

# Everything that needs no network
test:
    cargo test --locked

# Formatting and lints, as in continuous integration
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Criterion benches of the parts that decide the whole
bench *ARGS:
    cargo bench --locked {{ARGS}}

# Fetch blocks: just fetch 24628608 --rpc-url URL
fetch *ARGS:
    cargo run --release --locked -- fetch {{ARGS}}

# Replay cached blocks: just replay --threads 1,2
replay *ARGS:
    cargo run --release --locked -- replay {{ARGS}}

# What continuous integration runs
ci:
    .ci/run
