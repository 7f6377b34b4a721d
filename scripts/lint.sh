#!/usr/bin/env bash
# Checks the format of every C++ file (clang-format) and the code itself (clang-tidy), both version 14.
#   ./scripts/lint.sh              clang-tidy on the files that differ from the branch main
#   ./scripts/lint.sh --base REF   ... that differ from REF
#   ./scripts/lint.sh --all        ... on all files (a long time: 5 to 20 s each)
#   ./scripts/lint.sh FILE...      ... on these
#   ./scripts/lint.sh --format     no clang-tidy
set -euo pipefail
source "$(dirname "$0")/common.sh"

mode=changed base=main files=()
while [ $# -gt 0 ]; do
  case $1 in
    --all) mode=all ;;
    --format) mode=format ;;
    --base) [ $# -ge 2 ] || die "--base needs a commit or branch"; base=$2; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' scripts/lint.sh; exit 0 ;;
    -*) die "unknown option '$1'; see scripts/lint.sh --help" ;;
    *) mode=named; files+=("$1") ;;
  esac
  shift
done

check_format() {
  require_packages clang-format-14
  local wrong
  wrong=$(git ls-files -z '*.h' '*.cpp' | xargs -0 clang-format-14 --dry-run -Werror 2>&1 |
    sed -n 's/:[0-9:]* error: code should be clang-formatted.*//p' | sort -u || true)
  [ -z "$wrong" ] || die $'wrongly formatted; run clang-format-14 -i on these:\n'"$wrong"
}

# A changed header is checked through the sources that include it: those beside it and its own.
files_to_check() {
  case $mode in
    all) git ls-files '*.cpp' ':!tests/fuzz/libfuzzer_main.cpp' ;;  # that has its own compiler and macro
    named) printf '%s\n' "${files[@]}" ;;
    changed)
      git rev-parse --quiet --verify "$base^{commit}" >/dev/null ||
        die "there is no '$base' to compare with; name a commit with --base, or use --all"
      git diff --name-only --diff-filter=d "$(git merge-base "$base" HEAD)" -- '*.cpp' '*.h' |
        sed 's#^include/leaf/\(.*\)\.h$#src/\1.cpp#' | grep '\.cpp$' | sort -u |
        while read -r file; do [ ! -e "$file" ] || echo "$file"; done ;;
  esac
}

# One command for each source, in build/lint; clang reads neither GCC's precompiled headers nor all of its
# warning options.
write_compile_commands() {
  cmake -S . -B build/lint -G Ninja -DCMAKE_BUILD_TYPE=Release -DLEAF_BUILD_TESTS=ON -DCMAKE_UNITY_BUILD=OFF \
    ${LEAF_LIBTORCH:+"-DLEAF_LIBTORCH=$LEAF_LIBTORCH"} >build/configure-lint.log 2>&1 ||
    { cat build/configure-lint.log >&2; die "could not configure build/lint; see above"; }
  sed -i -E 's/ -Winvalid-pch -include [^ ]*cmake_pch\.hxx//; s/ -Wno-(stringop-overflow|restrict)//g; s/ -Werror//' \
    build/lint/compile_commands.json
}

check_code() {
  require_packages clang-tidy-14
  local sources
  mapfile -t sources < <(files_to_check)
  [ ${#sources[@]} -gt 0 ] || { say "no changed source files"; return; }
  scripts/setup.sh
  write_compile_commands
  say "clang-tidy on ${#sources[@]} files"
  printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P 2 clang-tidy-14 -p build/lint --quiet ||
    die "clang-tidy has found something; see above"
}

check_format
[ "$mode" = format ] || check_code
say "clean"
