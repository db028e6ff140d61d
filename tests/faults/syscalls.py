"""Kill a process at a chosen system call: strace delivers SIGKILL as the call is entered, so it never happens."""

import functools
import shutil
import signal
import subprocess
import time

# Sending to the database, Redis or Graph; reading an answer of theirs; answering Meta (uvloop) and waking a thread.
POINTS = ("sendto", "recvfrom", "write", "sendmsg", "epoll_wait")
ATTACH_SECONDS = 2.0


@functools.cache
def missing() -> str:
    """Why it cannot be done here; "" if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    sleeper = subprocess.Popen(["sleep", "30"])
    try:
        tracer = subprocess.Popen(["strace", "-qq", "-e", "trace=none", "-p", str(sleeper.pid)], stderr=subprocess.PIPE)
        time.sleep(0.3)
        if tracer.poll() is not None:
            return "this machine does not let one process trace another"
        tracer.terminate()
        tracer.wait()
    finally:
        sleeper.kill()
        sleeper.wait()
    return ""


class Trap:
    """One armed kill: `process` dies when one of its threads enters `call` for the `count`-th time from now."""

    def __init__(self, pid: int, call: str, count: int) -> None:
        inject = f"inject={call}:signal=SIGKILL:when={count}"
        self.call = call
        self._tracer = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
             "-e", inject, "-p", str(pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    @property
    def is_over(self) -> bool:
        """Whether the tracer has ended, with its victim."""
        return self._tracer.poll() is not None

    def disarm(self) -> None:
        """Let the process go, if it still lives."""
        if self._tracer.poll() is None:
            self._tracer.send_signal(signal.SIGTERM)
            try:
                self._tracer.wait(5)
            except subprocess.TimeoutExpired:
                self._tracer.kill()
                self._tracer.wait()
