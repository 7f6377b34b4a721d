#!/usr/bin/env bash
# Checks the format of every C++ file (clang-format) and the code itself (clang-tidy), both version 14.
#   ./scripts/lint.sh              clang-tidy on the files that differ from the branch main
#   ./scripts/lint.sh --base REF   ... that differ from REF
#   ./scripts/lint.sh --all        ... on all files (a long time: 5 to 20 s each)
#   ./scripts/lint.sh FILE...      ... on these
#   ./scripts/lint.sh --format     no clang-tidy
#   ./scripts/lint.sh --no-pch ... compiles the files without the precompiled header, which hides what they do not
#                                  include themselves, in place of clang-tidy
set -euo pipefail
source "$(dirname "$0")/common.sh"

mode=changed base=main files=() check=check_code
while [ $# -gt 0 ]; do
  case $1 in
    --all) mode=all ;;
    --format) mode=format ;;
    --no-pch) check=check_compile ;;
    --base) [ $# -ge 2 ] || die "--base needs a commit or branch"; base=$2; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' scripts/lint.sh; exit 0 ;;
    -*) die "unknown option '$1'; see scripts/lint.sh --help" ;;
    *) mode=named; files+=("$1") ;;
  esac
  shift
done

elsewhere=(src/core/cuda_graph.cpp src/core/gpu_cards.cpp src/ops/cuda/group_norm_cuda.cpp
  src/train/process_backend_nccl.cpp tests/fuzz/libfuzzer_main.cpp tests/fuzz/silent_log.cpp
  tests/install/consumer/main.cpp tests/install/consumer/training.cpp)

check_format() {
  require_packages clang-format-14
  git rev-parse --quiet --verify HEAD >/dev/null || die "git lists no files here; see git status"
  local found wrong
  found=$(git ls-files -z '*.h' '*.cpp' | while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    xargs -0 clang-format-14 --dry-run -Werror 2>&1) || {
    wrong=$(sed -n 's/:[0-9:]* error: code should be clang-formatted.*//p' <<<"$found" | sort -u)
    [ -n "$wrong" ] || die $'clang-format failed:\n'"$found"
    die $'wrongly formatted; run clang-format-14 -i on these:\n'"$wrong"
  }
}

# A changed header is checked through the sources that name it, by its path or beside it. Sources with a compiler or
# commands of their own, of a GPU's build, of libFuzzer and of the installed package, are left out.
files_to_check() {
  case $mode in
    all) git ls-files '*.cpp' | grep -vxF -f <(printf '%s\n' "${elsewhere[@]}") ;;
    named) printf '%s\n' "${files[@]}" ;;
    changed)
      git rev-parse --quiet --verify "$base^{commit}" >/dev/null ||
        die "there is no '$base' to compare with; name a commit with --base, or use --all"
      git diff --name-only --diff-filter=d "$(git merge-base "$base" HEAD)" -- '*.cpp' '*.h' |
        while read -r file; do
          [[ $file == *.h ]] && git grep -lE "[\"/]${file##*/}\"" -- '*.cpp' || echo "$file"
        done | { grep '\.cpp$' || true; } | sort -u | { grep -vxF -f <(printf '%s\n' "${elsewhere[@]}") || true; } ;;
  esac
}

# build/lint/compile_commands.json: one command for each source, without the precompiled header.
write_compile_commands() {
  scripts/setup.sh
  mkdir -p build
  cmake -S . -B build/lint -G Ninja -DCMAKE_BUILD_TYPE=Release -DLEAF_BUILD_TESTS=ON \
    ${LEAF_LIBTORCH:+"-DLEAF_LIBTORCH=$LEAF_LIBTORCH"} >build/configure-lint.log 2>&1 ||
    { cat build/configure-lint.log >&2; die "could not configure build/lint; see above"; }
  sed -i -E 's/ -Winvalid-pch -include [^ ]*cmake_pch\.hxx//' build/lint/compile_commands.json
}

# check_compile FILE...
check_compile() {
  say "compiling ${#} files without the precompiled header"
  local commands
  commands=$(sed -nE 's/^ *"command": "(.*)",$/\1/p' build/lint/compile_commands.json |
    sed -E 's/\\(["\\])/\1/g; s/ -o [^ ]* -c / -fsyntax-only /' |
    { grep -F -f <(printf -- "-fsyntax-only $PWD/%s\n" "$@") || true; })
  [ "$(grep -c . <<<"$commands")" -ge $# ] || die "not every one of the files has a command in build/lint"
  xargs -d '\n' -I{} -P 2 bash -c '{}' <<<"$commands" || die "some do not compile by themselves; see above"
}

# check_code FILE...
check_code() {
  require_packages clang-tidy-14
  say "clang-tidy on ${#} files"
  printf '%s\0' "$@" |  # clang does not know all of GCC's warnings
    xargs -0 -n 1 -P 2 clang-tidy-14 -p build/lint --quiet --extra-arg=-Wno-unknown-warning-option ||
    die "clang-tidy has found something; see above"
}

check_format
if [ "$mode" != format ]; then
  list=$(files_to_check)  # not by a substitution of processes, whose failure nobody hears of
  mapfile -t sources <<<"$list"
  if [ -n "$list" ]; then
    write_compile_commands
    "$check" "${sources[@]}"
  else
    say "no changed source files"
  fi
fi
say "clean"
