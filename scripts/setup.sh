#!/usr/bin/env bash
# Installs what is missing: `setup.sh build` for making and running TestArena, `check` for the linters too, `test` for all tests.
# Looks before it installs, says what it installs, and does nothing the second time.
set -euo pipefail
cd "$(dirname "$0")/.."

OIDC_PROVIDER=0.3.4 # the last one for Python 3.11
API_TOOLS=(schemathesis==4.32.5 openapi-python-client==0.29.1)
WASM_SPLIT=0.2.4
TOOLS=.tools # programs that must have the project's version stay in its folder, away from the user's own

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_packages=()
# want PACKAGE CHECK...: the package is put on the list unless the check succeeds.
want() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || apt_packages+=("$package")
}

install_apt_packages() {
    [ ${#apt_packages[@]} -gt 0 ] || return 0
    have apt-get || fail "please install what Debian calls: ${apt_packages[*]}"
    if [ "$(id -u)" -ne 0 ] && ! have sudo; then fail "please install as root: apt-get install ${apt_packages[*]}"; fi
    say "Installing Debian packages: ${apt_packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${apt_packages[@]}" >/dev/null
    apt_packages=()
}

install_wasm_target() {
    local sysroot
    sysroot=$(rustc --print sysroot)
    [ -d "$sysroot/lib/rustlib/wasm32-unknown-unknown" ] && return
    say "Adding Rust's wasm32-unknown-unknown target"
    rustup target add wasm32-unknown-unknown
}

# The wasm-bindgen program and crate must have the very same version.
install_wasm_bindgen() {
    local version
    version=$(sed -n 's/^wasm-bindgen = "=\(.*\)"$/\1/p' Cargo.toml)
    [ -n "$version" ] || fail "Cargo.toml pins no version of wasm-bindgen"
    mkdir -p $TOOLS/bin
    [ "$($TOOLS/bin/wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ] && return
    if [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ]; then
        ln -sf "$(command -v wasm-bindgen)" $TOOLS/bin/wasm-bindgen
        return
    fi
    say "Installing wasm-bindgen-cli $version (some minutes)"
    CARGO_TARGET_DIR=$TOOLS/target cargo install --quiet --root $TOOLS --force --version "$version" wasm-bindgen-cli
    rm -rf $TOOLS/target
}

# Takes the page's WASM apart (scripts/build-site.mjs); it must understand what the crate wasm_split_helpers, which leptos uses, has left there.
install_wasm_split() {
    [ "$(cat $TOOLS/wasm-split-version 2>/dev/null)" = "$WASM_SPLIT" ] && [ -x $TOOLS/bin/wasm-split-cli ] && return
    say "Installing wasm_split_cli_support $WASM_SPLIT (a minute)"
    CARGO_TARGET_DIR=$TOOLS/target cargo install --quiet --locked --root $TOOLS --force --version "$WASM_SPLIT" --features build-binary wasm_split_cli_support
    echo "$WASM_SPLIT" >$TOOLS/wasm-split-version
    rm -rf $TOOLS/target
}

# npm_packages FOLDER: npm itself keeps a copy of the lock file beside what it installed; ours tells whether it is the same.
npm_packages() {
    cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock" && return
    say "Installing npm packages of $1/package-lock.json"
    (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$1/package-lock.json" "$1/node_modules/.installed-lock"
}

needs_node() {
    [ "$(node -p 'parseInt(process.versions.node)')" -ge "$1" ] ||
        fail "node $(node --version) is too old: install version $1 or newer"
}

setup_build() {
    have cargo || fail "Rust is missing: install it with rustup (https://rustup.rs), then open a new shell"
    want gcc have cc
    want libc6-dev test -e /usr/include/stdlib.h
    want make have make
    want git have git
    want perl have perl
    want pkg-config have pkg-config
    want libssl-dev test -e /usr/include/openssl/ssl.h
    want ca-certificates test -d /etc/ssl/certs
    want nodejs have node
    want npm have npm
    install_apt_packages
    needs_node 18
    install_wasm_target
    install_wasm_bindgen
    install_wasm_split
    npm_packages .
}

has_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb'; }
# An empty PLAYWRIGHT_CHROMIUM or PLAYWRIGHT_FIREFOX means Playwright's own browser, which is its user's business.
has_chromium() { [ "${PLAYWRIGHT_CHROMIUM-unset}" = "" ] || test -x "${PLAYWRIGHT_CHROMIUM:-/usr/bin/chromium}"; }
has_firefox() { [ "${PLAYWRIGHT_FIREFOX-unset}" = "" ] || test -x "${PLAYWRIGHT_FIREFOX:-/usr/bin/firefox-esr}"; }

setup_check() {
    setup_build
    needs_node 20 # Playwright's demand
    npm_packages end2end
}

# The single sign-on provider of the tests, in a Python environment of its own.
install_oidc_provider() {
    [ "$($TOOLS/oidc/bin/python -m pip show oidc-provider-mock 2>/dev/null | sed -n 's/^Version: //p')" = "$OIDC_PROVIDER" ] && return
    say "Installing oidc-provider-mock $OIDC_PROVIDER from PyPI"
    rm -rf $TOOLS/oidc
    python3 -m venv $TOOLS/oidc
    $TOOLS/oidc/bin/pip install --quiet --disable-pip-version-check "oidc-provider-mock==$OIDC_PROVIDER"
}

# What tries the API from outside: made-up requests, and a client made from the OpenAPI document.
install_api_tools() {
    [ "$(cat $TOOLS/api/.installed 2>/dev/null)" = "${API_TOOLS[*]}" ] && return
    say "Installing ${API_TOOLS[*]} from PyPI"
    rm -rf $TOOLS/api
    python3 -m venv $TOOLS/api
    $TOOLS/api/bin/pip install --quiet --disable-pip-version-check "${API_TOOLS[@]}"
    echo "${API_TOOLS[*]}" >$TOOLS/api/.installed
}

setup_test() {
    want python3 have python3
    want python3-venv python3 -c 'import ensurepip, venv'
    want postgresql has_postgres
    want pgbouncer test -x /usr/sbin/pgbouncer
    want openssh-server test -x /usr/sbin/sshd
    want wrk have wrk
    want sqlite3 have sqlite3
    want curl have curl
    want libxml2-utils have xmllint
    want chromium has_chromium
    want firefox-esr has_firefox
    want fonts-dejavu-core test -d /usr/share/fonts
    setup_check
    install_oidc_provider
    install_api_tools
}

case "${1:-}" in
build) setup_build ;;
check) setup_check ;;
test) setup_test ;;
*) fail "usage: setup.sh build|check|test" ;;
esac
