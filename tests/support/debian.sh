# Sourced by ./test: programs that some tests need, unpacked from packages of Debian into the cache and not installed,
# because an installed one would start as a service.
#
# debian_ready CACHE   finds or unpacks nginx and promtool, and puts them on PATH

# debian_program CACHE PACKAGE PROGRAM: the program is on PATH afterwards.
debian_program() {
    local unpacked=$1/debian package=$2 program=$3
    command -v "$program" >/dev/null && return
    if [ ! -x "$unpacked/usr/sbin/$program" ] && [ ! -x "$unpacked/usr/bin/$program" ] && command -v apt-get >/dev/null; then
        echo "$program is not installed: unpacking it from Debian's package $package"
        mkdir -p "$unpacked"
        {
            [ "$(id -u)" != 0 ] || apt-get update -q
            (cd "$unpacked" && apt-get download -q "$package" && dpkg-deb --extract "$package"_*.deb . && rm "$package"_*.deb)
        } >&2 || true
    fi
    PATH=$PATH:$unpacked/usr/sbin:$unpacked/usr/bin
    command -v "$program" >/dev/null
}

debian_ready() {
    PATH=$PATH:/usr/sbin
    debian_program "$1" nginx nginx || return 1
    debian_program "$1" prometheus promtool || return 1
    export PATH
}
