"""A lab of two Regions and a router (symbolon lab up), on free ports."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib

from api import Api, ApiError, headers_of, sign_as
from programs import BIN, BenchError, Load, until

# Between looks at a Region that catches up: so much may be missing from, or added to, the time that it takes.
LOOK_SECONDS = 0.01


def _has_ended(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] == 'Z'
    except FileNotFoundError:
        return True


class Lab:
    def __init__(self, where, environment=None):
        self.dir = where / 'lab'
        self._environment = environment
        self._log = where / 'lab.log'
        self._process = None
        self._in_memory = None
        try:
            self.up()
        except BaseException:
            self.down()
            raise

    def up(self):
        with open(self._log, 'w') as log:
            self._process = subprocess.Popen([BIN / 'symbolon', 'lab', 'up', '--dir', self.dir, '--free-ports'], stdout=log, stderr=log,
                                             env=self._environment)
        until('the lab runs', self._runs, patience_seconds=90)
        with open(self.dir / 'lab.toml', 'rb') as file:
            settings = tomllib.load(file)
        self.router_port = settings['router_port']
        self.regions = settings['regions']
        self.first, self.second = (region['name'] for region in self.regions)

    def _runs(self):
        text = self._log.read_text()
        if self._process.poll() is not None:
            raise BenchError(f'the lab ended: {text[-400:]}')
        return 'Ctrl-C ends the lab' in text

    def down(self):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def move_second_into_memory(self):
        """Between `down` and `up`. The second Region's files: where it stands for another machine it has a disk of its own."""
        self._in_memory = tempfile.TemporaryDirectory(dir='/dev/shm')
        data = self.config(self.second).parent / 'data'
        shutil.move(data, self._in_memory.name)
        data.symlink_to(f'{self._in_memory.name}/data')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    def _port(self, region, kind):
        return next(one[f'{kind}_port'] for one in self.regions if one['name'] == region)

    def operations_port(self, region):
        return self._port(region, 'operations')

    def address(self, region):
        return '127.0.0.1'

    def api(self, region):
        return Api(self._port(region, 'api'), region=region)

    def config(self, region):
        return self.dir / 'regions' / region / 'symbolond.toml'

    def pid(self, member):
        return int((self.dir / 'run' / f'{member}.pid').read_text())

    def kill(self, region):
        """As a crash: nobody but the kernel is told. Comes back when the process has ended."""
        pid = self.pid(region)
        os.kill(pid, signal.SIGKILL)
        until(f'{region} has ended', lambda: _has_ended(pid), pause_seconds=0.0005)

    def begin_start(self, region):
        """The program that starts it; it ends when the Region serves."""
        return subprocess.Popen([BIN / 'symbolon', 'lab', 'start', region, '--dir', self.dir], stdout=subprocess.DEVNULL, env=self._environment)

    def start(self, region):
        if self.begin_start(region).wait() != 0:
            raise BenchError(f'{region} does not start')

    def restart_with(self, region, table, setting):
        """Starts the Region again with one more setting, until the next `up`."""
        config = self.config(region)
        text = config.read_text()
        assert f'\n[{table}]\n' in text
        config.write_text(text.replace(f'\n[{table}]\n', f'\n[{table}]\n{setting}\n', 1))
        self.kill(region)
        self.start(region)

    # ---- what a Region tells ----

    def metrics(self, region):
        connection = http.client.HTTPConnection(self.address(region), self.operations_port(region), timeout=5)
        try:
            connection.request('GET', '/metrics')
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def metric(self, region, name, **labels):
        """Of the first series with these labels; 0 when there is none."""
        for found, values, number in re.findall(r'^(\w+)(?:{([^}]*)})? (\S+)$', self.metrics(region), re.M):
            if found == name and all(f'{label}="{value}"' in values for label, value in labels.items()):
                return float(number)
        return 0.0

    def watch_catching_up(self, region, pool, sequence, patience_seconds=120):
        """When `region`, which starts, was connected with the first or second Region, and when it had this entry."""
        other = self.second if region == self.first else self.first
        connected = None
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            # Looking takes the processor from those who are looked at.
            time.sleep(LOOK_SECONDS)
            try:
                text = self.metrics(region)
            except (OSError, http.client.HTTPException):
                continue
            now = time.monotonic()
            if connected is None and f'symbolon_replication_connected{{region="{other}"}} 1' in text:
                connected = now
            at = re.search(rf'^symbolon_log_sequence{{pool="{pool}"}} (\d+)$', text, re.M)
            if connected is not None and at and int(at.group(1)) >= sequence:
                return connected, now
        raise BenchError(f'{region} has not caught up within {patience_seconds} s')

    def positions_equal(self, pool):
        """Waits until both Regions have the pool at one position, and answers its sequence."""
        apis = [self.api(region) for region in (self.first, self.second)]

        def equal():
            try:
                first, second = (api.describe_replication(pool) for api in apis)
            except (ApiError, OSError, http.client.HTTPException):
                return None
            same = all(first[name] == second[name] for name in ('Epoch', 'Sequence', 'PrimaryRegion'))
            return first['Sequence'] if same and first['Role'] != second['Role'] else None
        try:
            return until('both Regions are at one position', equal)
        finally:
            for api in apis:
                api.close()

    # ---- pools in both Regions ----

    def replicable_pool(self, api, **settings):
        arn = api.multi_region_key(self.second)
        return api.create_pool(KeyConfiguration={'KeyType': 'CUSTOMER_MANAGED_KEY', 'KmsKeyArn': arn}, **settings)

    def replica_status(self, api, pool):
        replicas = api.call('ListUserPoolReplicas', {'UserPoolId': pool})['UserPoolReplicas']
        return next((replica['Status'] for replica in replicas if replica['RegionName'] == self.second), None)

    def make_replica(self, api, pool, patience_seconds=60):
        api.call('CreateUserPoolReplica', {'UserPoolId': pool, 'RegionName': self.second})
        until('the replica is copied', lambda: self.replica_status(api, pool) == 'INACTIVE', patience_seconds, pause_seconds=0.05)

    def activate_replica(self, api, pool):
        api.call('UpdateUserPoolReplica', {'UserPoolId': pool, 'RegionName': self.second, 'Status': 'ACTIVE'})
        until('the replica is active', lambda: self.replica_status(api, pool) == 'ACTIVE')

    def replicated_pool(self, api, **settings):
        pool = self.replicable_pool(api, **settings)
        self.make_replica(api, pool)
        self.activate_replica(api, pool)
        return pool

    def create_users(self, where, api, pool, count):
        """Their names; they have no passwords."""
        names = [f'user-{number}' for number in range(count)]
        create = {'UserPoolId': pool, 'Username': '{line}', 'MessageAction': 'SUPPRESS'}
        Load(api.port, address=api.address, headers=headers_of('AdminCreateUser'), body=json.dumps(create), lines=names,
             sign_as=sign_as(self.first)).run(where, requests=count)
        return names

    def updates(self, api, pool, names, connections):
        """Changes of an attribute of these users, in turn: one log entry each."""
        update = {'UserPoolId': pool, 'Username': '{line}', 'UserAttributes': [{'Name': 'given_name', 'Value': 'Name {n}'}]}
        return Load(api.port, address=api.address, headers=headers_of('AdminUpdateUserAttributes'), body=json.dumps(update), lines=names,
                    sign_as=sign_as(self.first), connections=connections)

    def until_user_can_sign_in(self, region, client, username):
        api = self.api(region)

        def signed_in():
            try:
                return api.sign_in(client, username)
            except (ApiError, OSError):
                return None
        until(f'{username} can sign in in {region}', signed_in)
        api.close()
