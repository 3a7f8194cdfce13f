# Sourced by ./test: finds Node 20 or later with npm, or installs it, and the packages of tests/node.
#
# node_ready CACHE   puts a fitting `node` first on PATH and runs `npm ci` in tests/node

node_wanted=20
# Carried by npm itself, for systems whose own Node is older.
node_package_version=22.23.3

node_fits() {
    command -v node >/dev/null && command -v npm >/dev/null &&
        [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge $node_wanted ]
}

node_ready() {
    local cache=$1 arch
    if ! node_fits && ! command -v npm >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Node is not installed: installing it with apt-get"
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends nodejs npm; } >&2 || true
    fi
    if ! node_fits && command -v npm >/dev/null; then
        case "$(uname -s)-$(uname -m)" in
            Linux-x86_64) arch=linux-x64 ;;
            Linux-aarch64) arch=linux-arm64 ;;
            *) arch= ;;
        esac
        if [ -n "$arch" ]; then
            echo "Node $(node --version 2>/dev/null || echo '(none)') is older than $node_wanted: taking version $node_package_version from npm"
            mkdir -p "$cache/node"
            npm install --silent --no-audit --no-fund --prefix "$cache/node" "node-$arch@$node_package_version" >&2 || true
            PATH="$cache/node/node_modules/node-$arch/bin:$PATH"
            export PATH
            hash -r
        fi
    fi
    if ! node_fits; then
        echo "missing: Node $node_wanted or later with npm (found: node $(node --version 2>/dev/null || echo none), npm $(npm --version 2>/dev/null || echo none))" >&2
        return 1
    fi
    if ! (cd tests/node && npm ci --silent --no-audit --no-fund); then
        echo "missing: the npm packages of tests/node (npm ci failed)" >&2
        return 1
    fi
}
