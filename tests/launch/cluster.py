"""A Slurm cluster of one node on loopback, from Debian's packages."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests import waiting

# Programs of Debian's slurmctld, slurmd, slurm-client and munge.
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
_NODE = "localhost"

_CONFIG = """
ClusterName=test
SlurmctldHost={node}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={control_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
FirstJobId={first_job}
NodeName={node} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1 GraceTime=120
PartitionName=high Nodes=ALL State=UP PriorityTier=9
"""


def missing() -> list[str]:
    """Lists the programs that are not installed."""
    path = os.environ["PATH"] + ":/usr/sbin"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)]


class Slurm:
    """Context manager that runs the cluster; `run` calls one of its programs."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.environ["PATH"] + ":/usr/sbin",
        }

    def __enter__(self) -> "Slurm":
        folder = self._folder
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(mode=0o700)
        key = folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        control_port, node_port = _free_ports(2)
        (folder / "slurm.conf").write_text(
            _CONFIG.format(
                folder=folder,
                user=getpass.getuser(),
                node=_NODE,
                control_port=control_port,
                node_port=node_port,
                # JAX derives the coordinator's port from the job number.
                first_job=os.getpid() % 4000 + 1,
            )
        )
        kept = {"key-file": "key", "pid-file": "pid", "log-file": "log"}
        options = [f"--{k}={folder}/munge/{v}" for k, v in kept.items()]
        options += [f"--seed-file={folder}/munge/seed"]
        self.run("munged", "--force", f"--socket={folder}/munge.socket", *options)
        self.run("slurmctld")
        self.run("slurmd", "-N", _NODE)
        waiting.until(
            lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"), "an idle node"
        )
        return self

    def __exit__(self, *_) -> None:
        # Jobs are cancelled first, since they would outlive the daemons.
        self.run("scancel", f"--user={getpass.getuser()}")
        waiting.until(lambda: not self.run("squeue", "-h"), "an empty queue")
        for name in ("slurmctld.pid", "slurmd.pid", "munge/pid"):
            file = self._folder / name
            if file.exists():
                _end(int(file.read_text()))

    def run(self, *command: str, **environment: str) -> str:
        """Runs a program and returns its output."""
        done = subprocess.run(
            command,
            env=self._environment | environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=waiting.PATIENCE,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout)
        return done.stdout.strip()


def _end(process: int) -> None:
    """Ends a process and waits for it."""
    os.kill(process, signal.SIGTERM)
    waiting.until(lambda: not Path(f"/proc/{process}").exists(), f"{process} to end")


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
