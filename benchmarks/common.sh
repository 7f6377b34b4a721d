# What the benchmarks share; sourced by them. Sets their parameters and changes to the project's folder.
case ${1:-} in -h | --help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p}' "$0"; exit 0 ;; esac

# absolute PATH: links stay, since a virtual environment's python is one.
absolute() { [ -z "$1" ] || realpath -ms -- "$1"; }
reference=$(absolute "${1:-${LEAF_REFERENCE_DIR:-}}")
python=$(absolute "$(command -v "${LEAF_PEER_PYTHON:-python3}" || true)")
peer_training=$(absolute "${LEAF_PEER_TRAINING:-}")
[ -z "${LEAF_DATA_DIR:-}" ] || export LEAF_DATA_DIR=$(absolute "$LEAF_DATA_DIR")
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/common.sh"

runs=${RUNS:-5} threads=${THREADS:-$(nproc)} bin=build/cpu/bin work=build/benchmarks
export reference python peer_training runs threads bin work

# require_peer PACKAGE...: what both sides need.
require_peer() {
  [ -d "${reference:-/nowhere}/leaf" ] ||
    die "name a checkout of the published implementation: $script_name.sh DIR, or LEAF_REFERENCE_DIR"
  local package
  for package in "$@"; do
    [ -x "$python" ] && "$python" -c "import $package" 2>/dev/null ||
      die "LEAF_PEER_PYTHON (${python:-${LEAF_PEER_PYTHON:-python3}}) has no $package; name a Python that has: $*"
  done
  [ -x "$bin/leaf_infer" ] && [ -x "$bin/leaf_train" ] || die "no programs in $bin; build them first"
  mkdir -p "$work"
}
