#!/usr/bin/env bash
# Whether leaf_train works in several processes: under --nproc, torchrun, Open MPI's mpirun, SLURM's srun, and on two
# hosts, which are two network namespaces here. Two processes must make the updates of one process that accumulates two
# micro-batches; when one of them is killed, the job must end, and another run must go on from what it saved.
#   ./scripts/processes.sh [WAY...]   ways: nproc torchrun mpirun slurm hosts (default: those that are possible here)
#   ./scripts/processes.sh --install  first installs mpirun, SLURM and ip by apt, torchrun by pip into build/torchrun
#   LEAF_TORCHRUN                     a torchrun outside PATH
# Needs the programs in build/cpu/bin; slurm and hosts want root.
set -euo pipefail
source "$(dirname "$0")/common.sh"
bin=$PWD/build/cpu/bin
command -v pgrep >/dev/null || require_packages procps
[ -x "$bin/leaf_train" ] || die "no leaf_train in $bin; build it first"
if [ "${1:-}" = --install ]; then
  require_packages openmpi-bin slurm-wlm munge iproute2 python3-venv
  [ -x build/torchrun/bin/torchrun ] || { python3 -m venv build/torchrun && build/torchrun/bin/pip -q install torch==2.11.0 numpy; }
  shift
fi
ways=(nproc torchrun mpirun slurm hosts)
for way in "$@"; do
  [[ " ${ways[*]} " = *" $way "* ]] || die "no way is called '$way'; there are ${ways[*]}"
done
torchrun=$(command -v "${LEAF_TORCHRUN:-torchrun}" || ls build/torchrun/bin/torchrun 2>/dev/null || true)
work=$(mktemp -d "${TMPDIR:-/tmp}/processes.XXXXXX")
end() {
  [ -z "${job:-}" ] || { pkill -P "$job"; kill "$job"; } 2>/dev/null || true
  [ -z "${slurm_pids:-}" ] || kill $slurm_pids 2>/dev/null || true
  ip netns del leaf-a 2>/dev/null || true
  ip netns del leaf-b 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT

"$bin/leaf_demo_data" --output "$work/data" --count 24 --size 64 >/dev/null 2>&1
cat >"$work/config.yaml" <<'YAML'
model:
  init: random
  autoencoder: {type: kl, ch: 32, ch_mult: [1, 1, 1, 1], num_res_blocks: 1}
  unet: {model_channels: 32, channel_mult: [1, 2], num_res_blocks: 1, attention_resolutions: [2], num_heads: 2, dropout: 0}
  latent_encoder: {dropout: 0}
alignment: {teacher: none}
data: {root: data, resolution: 64, split: {strategy: tail, validation: 4, test: 0}}
train: {learning_rate: 1e-4, num_warmup_steps: 0, train_batch_size: 2, max_train_steps: 10, log_steps: 1, checkpoint_steps: 2}
validation: {start_steps: 10, steps: 1000, batch_size: 1}
YAML
options=(--config "$work/config.yaml" --device cpu --threads 1)
long=(--set train.max_train_steps=60 --set validation.start_steps=60)
alone() {
  "$bin/leaf_train" "${options[@]}" --quiet --set train.gradient_accumulation_steps=2 "$@" >"$work/alone.log" 2>&1 ||
    { cat "$work/alone.log" >&2; die "leaf_train failed"; }
}

# Each way starts two processes of leaf_train with the given options.
by_nproc() { "$bin/leaf_train" --nproc 2 "$@"; }
by_torchrun() { "$torchrun" --standalone --no-python --nproc-per-node 2 "$bin/leaf_train" "$@"; }
by_mpirun() { mpirun --allow-run-as-root --oversubscribe -n 2 "$bin/leaf_train" "$@"; }
by_slurm() { SLURM_CONF=$work/slurm.conf srun --overcommit -n 2 "$bin/leaf_train" "$@"; }
by_hosts() {
  host() {  # host NAMESPACE INTERFACE RANK OPTION...
    local space=$1 interface=$2 rank=$3
    shift 3
    ip netns exec "$space" env GLOO_SOCKET_IFNAME="$interface" RANK="$rank" LOCAL_RANK=0 WORLD_SIZE=2 LOCAL_WORLD_SIZE=1 \
      MASTER_ADDR=10.99.7.1 MASTER_PORT=29555 "$bin/leaf_train" "$@"
  }
  host leaf-b leaf-vb 1 "$@" &
  host leaf-a leaf-va 0 "$@"
}

# Whether a way is possible here; slurm and hosts are set up.
can_nproc() { true; }
can_torchrun() { [ -n "$torchrun" ]; }
can_mpirun() { command -v mpirun >/dev/null; }
can_slurm() {
  command -v slurmctld munged srun >/dev/null && [ "$(id -u)" = 0 ] || return 1
  local host
  host=$(hostname -s)
  cat >"$work/slurm.conf" <<END
ClusterName=leaf
SlurmctldHost=$host
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MailProg=/bin/true
ReturnToService=2
StateSaveLocation=$work/slurm-state
SlurmdSpoolDir=$work/slurm-spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
NodeName=$host CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
END
  mkdir -p -m 755 "$work/munge"
  chmod 711 "$work"
  head -c 1024 /dev/urandom >"$work/munge/key"
  chmod 600 "$work/munge/key"
  munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --seed-file="$work/munge/seed" --log-file="$work/munge/log" >/dev/null 2>&1 &
  slurm_pids=$!
  SLURM_CONF=$work/slurm.conf slurmctld -D >/dev/null 2>&1 &
  slurm_pids+=" $!"
  SLURM_CONF=$work/slurm.conf slurmd -D >/dev/null 2>&1 &
  slurm_pids+=" $!"
  local try
  for try in $(seq 60); do
    ! SLURM_CONF=$work/slurm.conf timeout 10 srun -n 1 true 2>/dev/null || return 0
    sleep 1
  done
  tail -n 3 "$work"/slurm*.log >&2
  return 1
}
can_hosts() {
  command -v ip >/dev/null && [ "$(id -u)" = 0 ] && ip netns add leaf-a 2>/dev/null && ip netns add leaf-b || return 1
  ip link add leaf-va netns leaf-a type veth peer name leaf-vb netns leaf-b
  ip -n leaf-a addr add 10.99.7.1/24 dev leaf-va
  ip -n leaf-b addr add 10.99.7.2/24 dev leaf-vb
  local end
  for end in "a leaf-va" "b leaf-vb" "a lo" "b lo"; do ip -n "leaf-${end% *}" link set "${end#* }" up; done
}

# The process of leaf_train that has rank 1 in a run; the launcher's own process has no rank.
second_process() {
  local process
  for process in $(pgrep -f "output.dir=$1\$" || true); do
    [ "$(readlink "/proc/$process/exe")" = "$bin/leaf_train" ] || continue
    ! tr '\0' '\n' <"/proc/$process/environ" | grep -qxE '(RANK|SLURM_PROCID|OMPI_COMM_WORLD_RANK)=1' || echo "$process"
  done
}
lines() { [ ! -f "$1" ] && echo 0 || wc -l <"$1"; }

compare() {  # compare WHAT ONE OTHER TOLERANCE
  local result
  result=$(/usr/bin/python3 scripts/compare_runs.py "$work/start" "$2" "$3" --tolerance "$4") || die "$1 differs: $result"
  say "$1: $result"
}

check_updates() {  # check_updates WAY
  "by_$1" "${options[@]}" --quiet --set "output.dir=$work/$1" >"$work/$1.log" 2>&1 || { cat "$work/$1.log" >&2; die "$1 failed"; }
  compare "$1" "$work/one" "$work/$1" 1e-6
}

check_loss_of_a_process() {  # check_loss_of_a_process WAY
  local run=$work/$1-killed start code=0 second
  "by_$1" "${options[@]}" "${long[@]}" --set "output.dir=$run" >"$work/$1.log" 2>&1 &
  job=$!
  until [ "$(lines "$run/metrics.jsonl")" -ge 5 ]; do sleep 0.05; kill -0 $job || die "$1 ended by itself"; done
  start=$SECONDS
  second=$(second_process "$run")
  [ -n "$second" ] || die "$1: no process of rank 1 is there"
  kill -9 $second
  wait $job || code=$?
  job=
  [ $code -ne 0 ] || die "$1: the job ended with exit code 0"
  say "$1, process 1 killed: exit code $code after $((SECONDS - start)) s: $(grep -aoE 'process 1 of 2 (was ended|is lost)[^;]*|task 1: .*|exited on signal 9.*|Signal 9.*' "$work/$1.log" | head -n 1)"
  alone "${long[@]}" --set "output.dir=$run" --resume --allow-changes
  compare "$1, gone on by one process" "$work/one-long" "$run" 1e-3
}

"$bin/leaf_convert" random --config "$work/config.yaml" --to "$work/start" --quiet >/dev/null
alone --set "output.dir=$work/one"
alone "${long[@]}" --set "output.dir=$work/one-long"
named=$#
[ $named -gt 0 ] || set -- "${ways[@]}"
for way in "$@"; do
  if "can_$way"; then
    check_updates "$way"
    check_loss_of_a_process "$way"
  else
    [ $named -eq 0 ] || die "$way is not possible here"
    say "$way: not possible here, left out"
  fi
done
