"""Runs other programs: an argument list, a timeout, the C locale, captured output; never a shell.

Called by drivers and by whoever drives qemu-img; every failure becomes a DriverError with the program's
own last words.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from celaje.common import errors

TAIL = 2000


class ProgramMissing(errors.DriverError):
    """The program is not installed (or not executable) on this machine."""

    text = "The program {program} is needed for this and was not found on this machine."


class ProcessFailed(errors.DriverError):
    """The program ended with an exit code that the caller does not accept."""

    text = "{command} failed with exit code {exit_code}: {stderr}"


class ProcessTimeout(errors.DriverError):
    """The program was killed, with all it had started, because its time was up."""

    text = "{command} was ended after {timeout} seconds: {stderr}"


@dataclass(frozen=True)
class Limits:
    """Resource limits of the child: processor time in seconds, address space in bytes."""

    cpu_seconds: int
    address_space: int


#: What OpenStack gives `qemu-img info` on a file that came from a user (oslo.concurrency ProcessLimits
#: in Nova, Cinder and Glance): a hostile image may make it compute or allocate without end.
UNTRUSTED_IMAGE = Limits(cpu_seconds=30, address_space=1024**3)


@dataclass(frozen=True)
class Completed:
    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


def find(program: str) -> str | None:
    """The program's absolute path, or None when it is not installed."""
    return shutil.which(program)


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    limits: Limits | None = None,
    stdin: bytes = b"",
    cwd: str | None = None,
    environment: Mapping[str, str] | None = None,
    accept: Sequence[int] = (0,),
    descriptors: Sequence[int] = (),
) -> Completed:
    """Run `argv` to its end and return what it printed.

    timeout: seconds of real time, since the program runs in real time whatever clock is installed.
    environment: variables beside PATH and the C locale; nothing else of ours is passed on, so that no
    secret in our environment leaks into a child.
    descriptors: files of ours that the child has open too, under the same numbers: the way for secrets.
    Raises ProgramMissing, ProcessFailed (exit code not in `accept`), ProcessTimeout.
    """
    command = [*_limiter(limits), *argv]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=_environment(environment),
            # An own session makes an own process group, so that a timeout ends grandchildren too.
            start_new_session=True,
            pass_fds=descriptors,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ProgramMissing(program=argv[0]) from error
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            _kill_group(process)
            _, stderr = process.communicate()
            raise ProcessTimeout(command=_shown(argv), timeout=timeout, stderr=_tail(stderr)) from error
        except BaseException:
            _kill_group(process)
            raise
    if process.returncode not in accept:
        raise ProcessFailed(command=_shown(argv), exit_code=process.returncode, stderr=_tail(stderr))
    return Completed(tuple(argv), process.returncode, stdout, stderr)


def _limiter(limits: Limits | None) -> list[str]:
    """The words before the command that set the limits before it starts.

    Setting them in the forked child (preexec_fn) may deadlock in a process with threads, and setting
    them from outside afterwards leaves a gap; util-linux's prlimit has neither fault.
    """
    if limits is None:
        return []
    program = find("prlimit")
    if program is None:
        raise ProgramMissing(program="prlimit")
    return [program, f"--cpu={limits.cpu_seconds}", f"--as={limits.address_space}", "--core=0", "--"]


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(extra or {})}


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _shown(argv: Sequence[str]) -> str:
    """Program and first word only: later arguments may hold secrets (keys, URLs with passwords)."""
    return " ".join(argv[:2])


def _tail(output: bytes) -> str:
    text = output[-TAIL:].decode("utf-8", "replace").strip()
    return text or "it printed nothing on standard error"
