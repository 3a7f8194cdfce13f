# `just` alone lists what there is.
_list:
    @just --list --unsorted

# formatting, clippy, dependency audit and every test: what CI runs
check:
    .ci/run

# a Deputy of your own on loopback, from deputy.toml in this directory
run *args:
    cargo run -- serve --config deputy.toml {{ args }}

# the whole story on this machine: sign-in, delegation, a yes/no, denials, revocation
demo *args:
    cargo run --release -- sandbox --once {{ args }}

# every test on both databases, the Node clients too
test:
    ./test

# the Rust tests with a PostgreSQL of their own; arguments go to cargo test
test-postgres *args:
    #!/usr/bin/env bash
    set -u
    . tests/support/postgres.sh
    trap postgres_stop EXIT
    postgres_start && cargo test --locked {{ args }}

# the callers of docs/callers against the real binary: who asks how, and what came of it
callers *args:
    tests/callers/table {{ args }}

# real SPIRE, built at the first use (Go), signs the SVIDs of two processes and publishes the keys
spire:
    tests/spire/run

# the normative sentences: requirement → passed, or skipped with the reason
conformance *args:
    cargo test --locked --test conformance -- {{ args }}

# stops, reload, restart and sweep at the size of an incident (the binary that is published), both databases; DEPUTY_SCALE sets the size
scale:
    #!/usr/bin/env bash
    set -u
    . tests/support/postgres.sh
    trap postgres_stop EXIT
    postgres_start && cargo build --profile dist --locked && \
        DEPUTY_TEST_BINARY=$PWD/target/dist/deputy \
        cargo test --locked --test api -- --ignored --nocapture --test-threads 1 process::scale

# two controls on two nodes, the second at every statement of the first
controls:
    just test-postgres --lib -- --ignored --nocapture no_control_undoes_another_that_it_meets

# the binary that is published, with the commit in it
dist:
    BUILD_COMMIT=$(git rev-parse HEAD) cargo build --profile dist --locked

# the figures of docs/performance.md (built as what is published), both databases; `just bench --help` lists options
bench *args:
    #!/usr/bin/env bash
    set -u
    . tests/support/postgres.sh
    trap postgres_stop EXIT
    postgres_start && cargo bench --locked --bench exchange -- {{ args }}
