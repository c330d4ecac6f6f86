"""Several processes on this machine train as one, as if each were a host.

    python launch/local.py 2 --config=configs/student.py --workdir=runs/two

What follows the number goes to each `python -m kdsharp.main --distributed`. Batch,
batch norm and loss curve are those of one process; what is logged is logged once.

To adapt: nothing. Cores are shared out; processes that should share out GPUs instead
need CUDA_VISIBLE_DEVICES, which `_environment` can set from `index`.

Preemption: SIGTERM and Ctrl-C reach all of them; they agree on a step, save there and
end with 143 or 130. Is one killed, the others stop with a sentence and status 3. The
same command goes on from the newest checkpoint, also with another number.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

# Seconds that the others have to stop by themselves when one has failed.
_GRACE = 90


def main(arguments: list[str]) -> int:
    """Returns the highest status of a process: of one killed, 128 and the signal."""
    if not arguments or not arguments[0].isdecimal() or int(arguments[0]) < 1:
        print("usage: python launch/local.py PROCESSES FLAG...", file=sys.stderr)
        return 2
    count = int(arguments[0])
    command = [sys.executable, "-m", "kdsharp.main", "--distributed", *arguments[1:]]
    cores = sorted(os.sched_getaffinity(0))
    address = f"127.0.0.1:{_free_port()}"
    processes = []
    for index in range(count):
        # A new child has its parent's cores: all of them share the machine's.
        os.sched_setaffinity(0, cores[index::count] or [cores[index % len(cores)]])
        environment = _environment(address, count, index)
        processes.append(subprocess.Popen(command, env=environment))
    # Whoever waits on the core of one child would hold it up when another ends.
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
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait(processes: list[subprocess.Popen]) -> int:
    deadline = None
    while any(process.poll() is None for process in processes):
        if deadline is None and any(process.returncode for process in processes):
            deadline = time.monotonic() + _GRACE
        if deadline is not None and time.monotonic() > deadline:
            _send(processes, signal.SIGKILL)
        time.sleep(0.1)
    statuses = [process.returncode for process in processes]
    return max(128 - status if status < 0 else status for status in statuses)


def _send(processes: list[subprocess.Popen], number: int) -> None:
    for process in processes:
        # Ctrl-C reaches the whole foreground by itself; twice would mean at once.
        if number != signal.SIGINT or not os.isatty(0):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
