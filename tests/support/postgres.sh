# Sourced by ./test and by the justfile: one throw-away PostgreSQL for one run of the tests.
#
# postgres_start   finds or installs the server, starts it, exports DEPUTY_TEST_POSTGRES_URL
# postgres_stop    stops it and removes everything it wrote; safe to call at any time
#
# The server never runs as root, listens on loopback and on a socket in its own directory only,
# and keeps fsync on: what the tests say about durability has to be true of it.

postgres_dir=
postgres_user=
postgres_bin=

# Runs a command as the user the server belongs to.
as_postgres_user() {
    if [ -z "$postgres_user" ]; then
        "$@"
    elif command -v setpriv >/dev/null; then
        setpriv --reuid "$postgres_user" --regid "$(id -g "$postgres_user")" --clear-groups "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$postgres_user" -- "$@"
    else
        echo "missing: setpriv or runuser (util-linux), to start PostgreSQL under an unprivileged user" >&2
        return 1
    fi
}

# Prints the directory that holds initdb, postgres and pg_dump; the newest where there are several.
find_postgres() {
    local found
    for found in "$(dirname "$(readlink -f "$(command -v initdb 2>/dev/null || echo /)")")" \
        $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin 2>/dev/null | sort -Vr); do
        if [ -x "$found/initdb" ] && [ -x "$found/postgres" ] && [ -x "$found/pg_dump" ]; then
            echo "$found"
            return 0
        fi
    done
    return 1
}

postgres_start() {
    if ! postgres_bin=$(find_postgres); then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "PostgreSQL is not installed: installing it with apt-get"
            { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql; } >&2 || true
        fi
        if ! postgres_bin=$(find_postgres); then
            echo "missing: PostgreSQL 14 or later (initdb, postgres, pg_dump), on PATH or under /usr/lib/postgresql" >&2
            return 1
        fi
    fi
    export DEPUTY_TEST_PG_BIN=$postgres_bin

    postgres_dir=$(mktemp -d /tmp/deputy-pg.XXXXXX) || return 1
    if [ "$(id -u)" = 0 ]; then
        postgres_user=$(id -un postgres 2>/dev/null || echo nobody)
        chown "$postgres_user" "$postgres_dir"
    fi
    local password port attempt
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && echo "$password" >"$postgres_dir/password")
    [ -z "$postgres_user" ] || chown "$postgres_user" "$postgres_dir/password"
    # initdb and the server want a working directory they may enter.
    if ! (cd "$postgres_dir" && LC_ALL=C as_postgres_user "$postgres_bin/initdb" -D "$postgres_dir/data" \
        --username=deputy --pwfile="$postgres_dir/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C >"$postgres_dir.initdb.log" 2>&1); then
        cat "$postgres_dir.initdb.log" >&2
        return 1
    fi
    for attempt in 1 2 3 4 5; do
        port=$((6000 + RANDOM % 4000))
        if (cd "$postgres_dir" && LC_ALL=C as_postgres_user "$postgres_bin/pg_ctl" -D "$postgres_dir/data" -w -t 60 -s \
            -l "$postgres_dir/server.log" \
            -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$postgres_dir -c max_connections=300 -c fsync=on -c synchronous_commit=on -c full_page_writes=on" \
            start >/dev/null 2>&1); then
            export DEPUTY_TEST_POSTGRES_URL="postgres://deputy:$password@127.0.0.1:$port/postgres?sslmode=disable"
            postgres_version=$("$postgres_bin/postgres" --version | sed 's/^postgres (PostgreSQL) //')
            return 0
        fi
    done
    echo "PostgreSQL did not start; its log:" >&2
    tail -n 20 "$postgres_dir/server.log" >&2
    return 1
}

postgres_stop() {
    [ -n "$postgres_dir" ] || return 0
    if [ -f "$postgres_dir/data/postmaster.pid" ]; then
        (cd "$postgres_dir" && as_postgres_user "$postgres_bin/pg_ctl" -D "$postgres_dir/data" -m immediate -s stop) || true
    fi
    rm -rf "$postgres_dir" "$postgres_dir.initdb.log"
    postgres_dir=
}
