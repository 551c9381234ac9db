#!/bin/sh
# run.sh - runs a module of this tree with the first python3 that has pytest.
#
# usage: harness/run.sh [--install|--quiet] MODULE [ARGUMENT]...
#
# --install  what is missing is installed from the distribution's packages
# --quiet    say nothing and do nothing where python3 or pytest is missing
set -u
cd "$(dirname "$0")/.." || exit 3

mode=ask
case ${1-} in
--install | --quiet)
	mode=${1#--}
	shift
	;;
esac

if [ "$(uname -s)" != Linux ]; then
	echo "socklab runs on Linux: open this folder in its dev container, or on Windows in WSL2." >&2
	exit 2
fi

part=$1
[ "$1" = pytest ] && part=harness/tests
if [ ! -d "$part" ]; then
	echo "This copy of socklab has no $part: it is part of the whole repository." >&2
	exit 2
fi

modules=pytest
packages="python3 python3-pytest"
if [ "${1-}" = pytest ]; then
	# the project's own tests validate the result document
	modules="pytest, jsonschema"
	packages="$packages python3-jsonschema"
fi
base=$packages
compiler=${CC:-cc}
compiler=${compiler%% *} # options may follow
case $compiler in
cc | gcc) command -v "$compiler" >/dev/null 2>&1 || packages="$packages gcc libc6-dev" ;;
esac

find_python() {
	IFS=:
	for folder in $PATH /usr/bin; do
		for name in "$folder"/python3; do
			[ -x "$name" ] || continue
			if "$name" -c "import sys, $modules; sys.exit(sys.version_info < (3, 10))" 2>/dev/null; then
				echo "$name"
				return 0
			fi
		done
	done
	return 1
}

# install_packages PACKAGE...
install_packages() {
	command -v apt-get >/dev/null 2>&1 || return 1
	as_root=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null 2>&1 || return 1
		as_root=sudo
	fi
	echo "Installing what is missing: $*" >&2
	$as_root apt-get update -qq >&2 &&
		DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq \
			--no-install-recommends "$@" >&2
}

# Strangers' programs are confined by bubblewrap, where it can be had.
install_bubblewrap() {
	PATH=$PATH:/usr/bin:/usr/local/bin command -v bwrap >/dev/null 2>&1 && return
	install_packages bubblewrap ||
		echo "bubblewrap can't be installed here; going on without. On Debian and Ubuntu: sudo apt-get install bubblewrap" >&2
}

python=$(find_python) || python=
# shellcheck disable=SC2086 # a list of packages
if [ -z "$python" ] && [ "$mode" = install ] && install_packages $packages; then
	python=$(find_python) || python=
elif [ "$mode" = install ] && [ "$packages" != "$base" ]; then
	install_packages $packages
fi
if [ -z "$python" ]; then
	[ "$mode" = quiet ] && exit 0
	echo "socklab needs python3 (3.10 or newer) with $modules. On Debian and Ubuntu: sudo apt-get install $packages" >&2
	exit 2
fi

if [ "$mode" = install ] && { [ "$1" = grading ] || [ "$1" = pytest ]; }; then
	install_bubblewrap
fi

# Byte code goes where it is in nobody's way.
export PYTHONPYCACHEPREFIX="${SOCKLAB_BUILD:-$PWD/.build}/pycache"
unset PYTEST_ADDOPTS PYTHONPATH PYTHONDONTWRITEBYTECODE
module=$1
shift
exec "$python" -m "$module" "$@"
