# Sourced by ./test: the packages that tests/node/callers.test.js runs unchanged, for Python and Java.
#
# python_ready CACHE   sets DEPUTY_TEST_PYTHON to an interpreter that has tests/callers/python/requirements.txt
# java_ready CACHE     sets DEPUTY_TEST_JAVA_CALLERS to a class path with the callers and the jars of tests/callers/java

python_fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python_ready() {
    local cache=$1 python found='' wanted=tests/callers/python/requirements.txt
    for python in python3 python3.13 python3.12 python3.11; do
        if command -v $python >/dev/null && python_fits $python; then found=$python && break; fi
    done
    if [ -z "$found" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Python 3.11 or later with venv is not installed: installing it with apt-get"
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3 python3-venv; } >&2 || true
        python_fits python3 && found=python3
    fi
    if [ -z "$found" ]; then
        echo "missing: Python 3.11 or later with venv" >&2
        return 1
    fi
    local venv=$cache/callers-python
    if ! cmp -s $wanted "$venv/installed.txt"; then
        rm -rf "$venv"
        if ! { "$found" -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r $wanted; }; then
            echo "missing: the packages of $wanted (pip failed)" >&2
            return 1
        fi
        cp $wanted "$venv/installed.txt"
    fi
    export DEPUTY_TEST_PYTHON=$venv/bin/python
}

java_fits() {
    command -v javac >/dev/null && command -v mvn >/dev/null &&
        [ "$(javac -version 2>&1 | sed -E 's/^javac ([0-9]+).*/\1/')" -ge 17 ]
}

java_ready() {
    local cache=$1 sources=tests/callers/java
    if ! java_fits && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "A JDK of version 17 or later with Maven is not installed: installing it with apt-get"
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends default-jdk-headless maven; } >&2 || true
    fi
    if ! java_fits; then
        echo "missing: a JDK of version 17 or later with Maven" >&2
        return 1
    fi
    local built=$cache/callers-java
    if ! cmp -s $sources/pom.xml "$built/pom.xml"; then
        rm -rf "$built"
        mkdir -p "$built"
        if ! mvn --quiet --batch-mode --file $sources/pom.xml dependency:copy-dependencies -DoutputDirectory="$(cd "$built" && pwd)/jars"; then
            echo "missing: the artifacts of $sources/pom.xml (mvn failed)" >&2
            return 1
        fi
        cp $sources/pom.xml "$built/pom.xml"
    fi
    if ! javac -Xlint:all,-processing -Werror -d "$built/classes" -cp "$built/jars/*" $sources/*.java; then
        echo "missing: the callers of $sources (javac failed)" >&2
        return 1
    fi
    export DEPUTY_TEST_JAVA_CALLERS="$built/classes:$built/jars/*"
}
