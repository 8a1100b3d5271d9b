"""A Slurm cluster of one node, this machine, while a test runs; needs root, Slurm and munge.

Debian: apt-get install --no-install-recommends munge slurmctld slurmd slurm-client
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo")
FOUND_BY_ITSELF = Path("/etc/slurm/slurm.conf")  # jobs are started without SLURM_CONF
SETTINGS = """\
ClusterName=alone
SlurmctldHost={host}(127.0.0.1)
SlurmUser=slurm
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
KillWait=5
SlurmdTimeout=30
MinJobAge=300
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
JobRequeue=1
AccountingStorageType=accounting_storage/none
SlurmctldPidFile={folder}/control/pid
SlurmctldLogFile={folder}/control/log
StateSaveLocation={folder}/control
SlurmdPidFile={folder}/node/pid
SlurmdLogFile={folder}/node/log
SlurmdSpoolDir={folder}/node
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=16000 State=UNKNOWN
PartitionName={partition} Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str | None:
    """Why there can be none here."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if missing:
        return f"no {', '.join(missing)}"
    if os.geteuid() != 0:
        return "only root can start one"
    if subprocess.run(["sinfo"], capture_output=True).returncode == 0:
        return "a Slurm runs here already"
    return None


PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Cluster:
    """Started in `with`; `partition` is the name of its only one."""

    def __init__(self, folder: Path, partition: str = "whole") -> None:
        self.folder, self.host = folder, socket.gethostname().split(".")[0]
        self.settings = SETTINGS.format(folder=folder, host=self.host, partition=partition)
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.replaced: str | None = None

    def __enter__(self) -> "Cluster":
        self.folder.chmod(0o755)  # slurmctld is another user
        for part in ("control", "node"):
            (self.folder / part).mkdir()
        shutil.chown(self.folder / "control", "slurm", "slurm")
        (self.folder / "slurm.conf").write_text(self.settings)
        Path("/run/munge").mkdir(exist_ok=True)
        shutil.chown("/run/munge", "munge", "munge")
        self.replaced = os.readlink(FOUND_BY_ITSELF) if FOUND_BY_ITSELF.is_symlink() else None
        FOUND_BY_ITSELF.unlink(missing_ok=True)
        FOUND_BY_ITSELF.symlink_to(self.folder / "slurm.conf")
        self.start("munged", "runuser", "-u", "munge", "--", "munged", "--foreground", "--force")
        wait_until(["munge", "-n"], "")
        self.start("slurmctld", "runuser", "-u", "slurm", "--", "slurmctld", "-D")
        self.start_node()
        return self

    def start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("a") as log:
            self.daemons[name] = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env={**os.environ, "PATH": PATH}
            )

    def start_node(self) -> None:
        self.start("slurmd", "slurmd", "-D", "-N", self.host)
        wait_until(["sinfo", "-h", "-o", "%T"], "idle")

    def stop_node(self) -> None:
        """The node is lost, with all that runs on it."""
        steps = subprocess.run(
            ["pgrep", "-f", "^slurmstepd: "], capture_output=True, text=True
        ).stdout.split()
        self.stop("slurmd", signal=9)
        for step in steps:
            kill_tree(int(step))

    def stop(self, name: str, signal: int = 15) -> None:
        daemon = self.daemons.pop(name)
        kill_tree(daemon.pid, signal)
        daemon.wait()

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self.daemons)):
            self.stop(name)
        FOUND_BY_ITSELF.unlink(missing_ok=True)
        if self.replaced:
            FOUND_BY_ITSELF.symlink_to(self.replaced)


def children(pid: int) -> list[int]:
    said = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in said.split()]


def kill_tree(pid: int, signal: int = 9) -> None:
    for child in children(pid):
        kill_tree(child, signal)
    try:
        os.kill(pid, signal)
    except ProcessLookupError:
        return


def wait_until(command: list[str], said: str, seconds: int = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0 and said in done.stdout:
            return
        time.sleep(0.3)
    raise AssertionError(f"{' '.join(command)} never said '{said}'")
