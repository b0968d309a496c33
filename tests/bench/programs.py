"""The programs that ./bench builds, as functions, and nginx."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / 'build' / 'release' / 'bin'

ACCESS_KEY = 'SYMBOLONLAB'
SECRET_KEY = 'symbolon-lab-secret'
ACCOUNT = '000000000000'
REGION = 'eu-central-1'


class BenchError(Exception):
    """What cannot be measured, and why."""


def until(what, condition, patience_seconds=60, pause_seconds=0.02):
    deadline = time.monotonic() + patience_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise BenchError(f'waited {patience_seconds} s in vain until {what}')
        time.sleep(pause_seconds)


@contextlib.contextmanager
def folder():
    """On the disk of the build, because /tmp may be in memory."""
    parent = ROOT / 'build' / 'bench'
    parent.mkdir(parents=True, exist_ok=True)
    path = pathlib.Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_ports(count):
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def slow_disk(flush_microseconds):
    """The environment of programs whose files take so much longer to be flushed (slow_flush.cc)."""
    return os.environ | {'LD_PRELOAD': str(BIN / 'symbolon_slow_flush.so'), 'SYMBOLON_BENCH_FLUSH_MICROSECONDS': str(flush_microseconds)}


def run_json(command, environment=None):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise BenchError(f'{pathlib.Path(command[0]).name} failed: {done.stderr.strip()[-400:]}')
    return json.loads(done.stdout)


def floor(*arguments, core=machine.SERVER_CORE, environment=None):
    command = [BIN / 'symbolon_floor', *arguments]
    return run_json(command if core is None else machine.pinned(core, command), environment)


class Load:
    """One kind of request, over and over (load/main.cc)."""

    def __init__(self, port, *, headers, body, path='/', method='POST', sign_as=None, lines=None, connections=32, address='127.0.0.1'):
        self._port, self._headers, self._body, self._path, self._method = port, headers, body, path, method
        self._sign_as, self._lines, self._connections, self._address = sign_as, lines, connections, address

    def start(self, where, *, seconds=None, requests=None, rate=None, first=0, record=None, extract=None, core=machine.LOAD_CORE):
        body_file = where / f'body-{id(self)}'
        body_file.write_text(self._body)
        command = [BIN / 'symbolon_load', '--address', self._address, '--port', self._port, '--path', self._path, '--method', self._method]
        command += ['--connections', self._connections, '--body-file', body_file, '--first-number', first]
        for name, value in self._headers.items():
            command += ['--header', f'{name}: {value}']
        for flag, value in (('--seconds', seconds), ('--requests', requests), ('--rate', rate), ('--sign-as', self._sign_as),
                            ('--record', record), ('--extract', extract)):
            if value is not None:
                command += [flag, value]
        if core is not None and rate is None:
            # Otherwise the server would pay for waking the generator, which no server does for clients on other machines.
            command.append('--busy-poll')
        if self._lines:
            lines_file = where / f'lines-{id(self)}'
            lines_file.write_text(''.join(f'{line}\n' for line in self._lines))
            command += ['--lines-file', lines_file]
        if core is not None:
            command = machine.pinned(core, command)
        return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process, may_fail=False):
        output, complaint = process.communicate()
        if process.returncode != 0:
            raise BenchError(complaint.strip())
        result = json.loads(output)
        good = sum(count for status, count in result['statuses'].items() if status.startswith('2'))
        result['good'] = good
        if not may_fail and (good != result['sent'] or good == 0):
            raise BenchError(f'{result["sent"] - good} of {result["sent"]} requests failed: {result["first_failure"] or result}')
        return result

    def run(self, where, **options):
        return self.finish(self.start(where, **options))


def _end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _serves(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


class Symbolond:
    """One node with a configuration file that is there."""

    def __init__(self, config, operations_port, log, core=None, address='127.0.0.1', within=()):
        """`within`: a command that starts another."""
        command = [*within, str(BIN / 'symbolond'), '--config', str(config)]
        if core is not None:
            command = machine.pinned(core, command)
        self._log = open(log, 'a')
        self._ready_url = f'http://{address}:{operations_port}/health/ready'
        started = time.monotonic()
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.pid = self._process.pid
        try:
            until('symbolond is ready', self._ready, pause_seconds=0.002)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - started

    def _ready(self):
        if self._process.poll() is not None:
            raise BenchError(f'symbolond ended with status {self._process.returncode}; see {self._log.name}')
        return _serves(self._ready_url)

    def cpu_seconds(self):
        return machine.cpu_seconds(self.pid)

    def stop(self):
        _end(self._process)
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def single_region(where, threads=1):
    """A node of a topology of one Region: (configuration file, API port, operations port)."""
    api, operations = free_ports(2)
    config = where / 'symbolond.toml'
    config.write_text(f'''region = "{REGION}"
account = "{ACCOUNT}"
data_dir = "{where}/data"
neutral_url = "http://127.0.0.1:{api}"
[api]
listen = "127.0.0.1:{api}"
public_url = "http://127.0.0.1:{api}"
[operations]
listen = "127.0.0.1:{operations}"
[keys]
provider = "local"
root_key_file = "{where}/root.key"
[delivery]
outbox = true
[http]
threads = {threads}
[log]
level = "warning"
[[access_keys]]
id = "{ACCESS_KEY}"
secret = "{SECRET_KEY}"
[[regions]]
name = "{REGION}"
public_url = "http://127.0.0.1:{api}"
''')
    return config, api, operations


class Nginx:
    """One worker that answers 200 with `body` to everything."""

    def __init__(self, where, body, core=machine.SERVER_CORE):
        (self.port,) = free_ports(1)
        config = where / 'nginx.conf'
        config.write_text(f'''worker_processes 1;
daemon off;
pid {where}/nginx.pid;
error_log {where}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {where}/nginx-body;
  proxy_temp_path {where}/nginx-proxy;
  fastcgi_temp_path {where}/nginx-fastcgi;
  uwsgi_temp_path {where}/nginx-uwsgi;
  scgi_temp_path {where}/nginx-scgi;
  server {{
    listen 127.0.0.1:{self.port};
    default_type application/x-amz-json-1.1;
    location / {{ return 200 '{body}'; }}
  }}
}}
''')
        program = shutil.which('nginx', path=os.environ.get('PATH', '') + ':/usr/sbin')
        self._process = subprocess.Popen(machine.pinned(core, [program, '-p', where, '-c', config]), stderr=subprocess.DEVNULL)
        until('nginx answers', lambda: _serves(f'http://127.0.0.1:{self.port}/'), patience_seconds=10)
        with open(f'/proc/{self._process.pid}/task/{self._process.pid}/children') as file:
            (self.pid,) = map(int, file.read().split())

    def cpu_seconds(self):
        return machine.cpu_seconds(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _end(self._process)
