"""The machine under the figures: what it is, its clocks, and how much of it somebody else had."""
import os
import re
import subprocess
import time

TICKS_PER_SECOND = os.sysconf('SC_CLK_TCK')

# The server and every floor run on one core, what loads them on the other.
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORE = CORES[1] if len(CORES) > 1 else CORES[0]


def pinned(core, command):
    return ['taskset', '-c', str(core), *map(str, command)]


def move(pid, core, nice=None):
    """A process that runs, all its threads."""
    for task in os.listdir(f'/proc/{pid}/task'):
        os.sched_setaffinity(int(task), {core})
        if nice is not None:
            os.setpriority(os.PRIO_PROCESS, int(task), nice)


def cpu_seconds(pid):
    """Of all threads that live. Needs no right over the process."""
    nanoseconds = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        try:
            with open(f'/proc/{pid}/task/{task}/schedstat') as file:
                nanoseconds += int(file.read().split()[0])
        except FileNotFoundError:  # it has just ended
            pass
    return nanoseconds / 1e9


def until_idle(pid, patience_seconds=60):
    """A server that has just started makes spare RSA keys, and more after a pool took some: that is nobody's request."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        before = cpu_seconds(pid)
        time.sleep(0.5)
        if cpu_seconds(pid) - before < 0.01:
            return
    raise TimeoutError(f'the server (process {pid}) is not idle after {patience_seconds} s')


def memory_mib(pid):
    """Resident now, the part of it that is no file's, and the most that was ever resident."""
    with open(f'/proc/{pid}/status') as file:
        status = file.read()
    kib = {name: int(value) for name, value in re.findall(r'^(\w+):\s+(\d+) kB$', status, re.M)}
    return {'resident': kib['VmRSS'] / 1024, 'anonymous': kib['RssAnon'] / 1024, 'peak': kib['VmHWM'] / 1024}


class Steal:
    """The share of a core's time that the hypervisor gave to others while this was open."""

    def __init__(self, core=SERVER_CORE):
        self._core = core

    def _read(self):
        with open('/proc/stat') as file:
            fields = re.search(rf'^cpu{self._core} (.*)$', file.read(), re.M).group(1).split()
        times = [int(field) for field in fields[:8]]
        return times[7], sum(times)

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *_):
        stolen, total = (after - before for after, before in zip(self._read(), self._before))
        self.share = stolen / total if total else 0.0


def description():
    with open('/proc/cpuinfo') as file:
        cpuinfo = file.read()
    flags = set(re.search(r'^flags\s*:(.*)$', cpuinfo, re.M).group(1).split())
    return {
        'cpu': re.search(r'^model name\s*:\s*(.*)$', cpuinfo, re.M).group(1),
        'cores': len(CORES),
        'flags': sorted(flags & {'adx', 'avx2', 'avx512f', 'avx512ifma', 'sha_ni', 'vaes', 'vpclmulqdq'}),
        'kernel': os.uname().release,
        'openssl': subprocess.run(['openssl', 'version'], capture_output=True, text=True, check=True).stdout.strip(),
        'OPENSSL_ia32cap': os.environ.get('OPENSSL_ia32cap', ''),
        'load_average': os.getloadavg()[0],
    }


def congestion_controls():
    """Those of TCP that the kernel has."""
    with open('/proc/sys/net/ipv4/tcp_available_congestion_control') as file:
        return file.read().split()


def forget_cached_pages(folder):
    """Files in `folder` are read from the disk next time."""
    os.sync()
    for directory, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(directory, name), os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
