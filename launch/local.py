"""Runs distributed training on this machine, with a process for each simulated host.

    python launch/local.py 2 --config=configs/student.py --workdir=runs/two

The arguments after the number go to each `python -m kdsharp.main --distributed`. Batch,
batch norm and loss curve are those of one process, and only one process logs.

To adapt: nothing. The cores are divided among the processes. To divide GPUs instead,
set CUDA_VISIBLE_DEVICES from `index` in `_environment`.

Preemption: SIGTERM and Ctrl-C are sent to all processes; they agree on a step, save a
checkpoint there and exit with 143 or 130. If one is killed, the others stop with a
message and status 3. The same command resumes from the newest checkpoint, also with
another number of processes.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

# Seconds that the other processes have to stop by themselves when one has failed.
_GRACE_SECONDS = 90


def main(arguments: list[str]) -> int:
    """Runs the processes; returns their highest exit status.

    That of a killed process is 128 plus the signal's number.
    """
    if not arguments or not arguments[0].isdecimal() or int(arguments[0]) < 1:
        print("usage: python launch/local.py PROCESSES FLAG...", file=sys.stderr)
        return 2
    count = int(arguments[0])
    command = [sys.executable, "-m", "kdsharp.main", "--distributed", *arguments[1:]]
    cores = sorted(os.sched_getaffinity(0))
    address = f"127.0.0.1:{_free_port()}"
    processes = []
    for index in range(count):
        # A child process inherits the cores that its parent may use.
        os.sched_setaffinity(0, cores[index::count] or [cores[index % len(cores)]])
        environment = _environment(address, count, index)
        processes.append(subprocess.Popen(command, env=environment))
    # Waiting on the core of one child would slow it down.
    os.sched_setaffinity(0, cores)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: _send(processes, number))
    return _wait(processes)


def _environment(address: str, count: int, index: int) -> dict[str, str]:
    return os.environ | {
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_COORDINATOR_BIND_ADDRESS": address,
        "JAX_NUM_PROCESSES": str(count),
        "JAX_PROCESS_ID": str(index),
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait(processes: list[subprocess.Popen]) -> int:
    deadline = None
    while any(process.poll() is None for process in processes):
        if deadline is None and any(process.returncode for process in processes):
            deadline = time.monotonic() + _GRACE_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            _send(processes, signal.SIGKILL)
        time.sleep(0.1)
    statuses = [process.returncode for process in processes]
    return max(128 - status if status < 0 else status for status in statuses)


def _send(processes: list[subprocess.Popen], number: int) -> None:
    for process in processes:
        # In a terminal, Ctrl-C reaches all of them by itself; a second one would make
        # them stop without saving.
        if number != signal.SIGINT or not os.isatty(0):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
