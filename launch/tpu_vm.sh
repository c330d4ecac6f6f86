#!/bin/bash
# Trains on a TPU pod slice: every VM runs the same program, and they find each other.
#
#   launch/tpu_vm.sh NAME ZONE gs://BUCKET/runs/one --config=configs/student.py
#   launch/tpu_vm.sh --dry-run NAME ZONE ...        # only prints the commands
#
# Creates the slice (spot: it can be preempted at any time), copies this clone to every
# VM, mounts the bucket and trains; after a preemption, creates the slice again. Delete it
# at the end:
#   gcloud compute tpus tpu-vm delete NAME --zone=ZONE
#
# To adapt: TPU_TYPE, TPU_VERSION and TPU_PROJECT below, from the environment. gcloud
# must be logged in and have quota for that type in that zone. Checkpoints are written to
# the bucket by gcsfuse; a Filestore mounted at the same path on all VMs works as well.
#
# Preemption: a preempted VM sends SIGTERM to its program; all hosts agree on a step, save
# a checkpoint there and exit with 143. If there is no time for that, they exit with 3.
# Either way the next slice resumes from the newest checkpoint, also with another number
# of hosts.
set -euo pipefail

type=${TPU_TYPE:-v5litepod-16}
version=${TPU_VERSION:-v2-alpha-tpuv5-lite}
dry=
if [ "${1:-}" = --dry-run ]; then
  dry=yes
  shift
fi
if [ $# -lt 4 ]; then
  echo "usage: launch/tpu_vm.sh [--dry-run] NAME ZONE gs://BUCKET/FOLDER FLAG..." >&2
  exit 2
fi
name=$1 zone=$2 place=${3#gs://}
shift 3
bucket=${place%%/*} folder=/mnt/kdsharp/${place#*/}
if [ "$place" = "$bucket" ]; then
  echo "kdsharp: name a folder in the bucket, as gs://$bucket/runs/one" >&2
  exit 2
fi
where=(--zone="$zone" ${TPU_PROJECT:+--project="$TPU_PROJECT"})

run() {
  printf '%q ' "$@"
  echo
  [ -n "$dry" ] || "$@"
}

tpu() { run gcloud compute tpus tpu-vm "$@" "${where[@]}"; }

everywhere() { tpu ssh "$name" --worker=all --command="$1"; }

printf -v flags ' %q' "$@" --workdir="$folder"
archive=$(mktemp --suffix=.tar.gz)
trap 'rm -f "$archive"' EXIT
run git archive --format=tar.gz --output="$archive" HEAD

status=1
made=
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  echo "# attempt $attempt"
  # The remains of a preempted slice block its name.
  [ -z "$made" ] || tpu delete "$name" --quiet || true
  tpu create "$name" --accelerator-type="$type" --version="$version" --spot || continue
  made=yes
  tpu scp "$archive" "$name:kdsharp.tar.gz" --worker=all || continue
  everywhere "mkdir -p kdsharp && tar -xzf kdsharp.tar.gz -C kdsharp &&
    python3 -m venv env && env/bin/pip install -q -e kdsharp 'jax[tpu]' &&
    sudo mkdir -p /mnt/kdsharp && sudo chown \$USER /mnt/kdsharp &&
    gcsfuse --implicit-dirs $bucket /mnt/kdsharp" || continue
  status=0
  everywhere "cd kdsharp && ../env/bin/python -m kdsharp.main --distributed$flags" ||
    status=$?
  # Retry only after preemption: another failure would happen again.
  case $status in 143 | 3 | 255) ;; *) break ;; esac
done
exit "$status"
