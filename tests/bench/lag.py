"""How long after the answer to a write the second Region shows it."""
import bisect
import itertools
import subprocess

import machine
import peers
from api import Api
from lab import Lab
from programs import BIN, BenchError, Load, Symbolond, floor, folder
from report import Figure

NEAR_UPDATES_PER_SECOND = 2_000
FAR_UPDATES_PER_SECOND = 500
# How often the second Region's position is looked at; so much may be added to every lag.
LOOKS_PER_SECOND = 500
WARM_UP_SECONDS = 2
# After the last update, for what is still on its way.
PATIENCE_SECONDS = 5


def _percentile(sorted_values, share):
    return sorted_values[int(share * (len(sorted_values) - 1))]


def _records(path):
    """Lines "number sent received", in the order of the answers."""
    with open(path) as file:
        return [tuple(map(int, line.split())) for line in file]


def _lags_ms(made, seen):
    """The second Region's positions by time: the first look that shows an update bounds its lag. Sorted."""
    looked = sorted((received, sent, number) for number, sent, received in seen)
    if not looked:
        raise BenchError('the second Region shows no position')
    # Of two looks that were under way at the same time the one that is answered later may have been earlier.
    positions = list(itertools.accumulate((number for _, _, number in looked), max))
    answered_at = [received for received, _, _ in looked]
    for received, sent, number in looked:
        before = bisect.bisect_left(answered_at, sent)
        if before > 0 and number < positions[before - 1]:
            raise BenchError('the second Region shows a position that goes back')
    lags = []
    for number, _, answered in made:
        at = bisect.bisect_left(positions, number)
        if at == len(positions):
            raise BenchError(f'update {number} did not arrive within {PATIENCE_SECONDS} s')
        lags.append(max(0, looked[at][0] - answered) / 1e6)
    return sorted(lags)


def _measure(where, lab, options, updates_per_second):
    """(sorted lags in milliseconds, details)"""
    api = lab.api(lab.first)
    pool = lab.replicated_pool(api)
    names = lab.create_users(where, api, pool, options.lag_users)
    updates = lab.updates(api, pool, names, connections=64)
    looks = Load(lab.operations_port(lab.second), address=lab.address(lab.second), method='GET', path='/metrics', headers={}, body='',
                 connections=2)
    for region in (lab.first, lab.second):
        machine.until_idle(lab.pid(region))
    updates.run(where, seconds=WARM_UP_SECONDS, rate=updates_per_second, core=None)
    lab.positions_equal(pool)
    with machine.Steal() as steal:
        watching = looks.start(where, seconds=options.lag_seconds + PATIENCE_SECONDS, rate=LOOKS_PER_SECOND, core=None, record=where / 'seen',
                               extract=f'symbolon_log_sequence{{pool="{pool}"}} ')
        updating = updates.start(where, seconds=options.lag_seconds, rate=updates_per_second, core=None, record=where / 'made',
                                 extract='x-symbolon-position: ')
        made, seen = Load.finish(updating), Load.finish(watching)
    api.close()
    lags = _lags_ms(_records(where / 'made'), _records(where / 'seen'))
    return lags, {'p50_ms': _percentile(lags, 0.5), 'p99_ms': _percentile(lags, 0.99), 'max_ms': lags[-1], 'updates': len(lags),
                  'updates_per_second': made['good'] / made['seconds'], 'update_latency_us': made['latency_us'], 'looks': seen['good'],
                  'steal': steal.share}


def near(options):
    with folder() as where:
        with Lab(where) as lab:
            _, details = _measure(where, lab, options, NEAR_UPDATES_PER_SECOND)
        with folder() as store:
            commit = floor('commit', options.floor_seconds, store / 'store', 1)['latency_us']
    p50, p99, rate = (details[name] for name in ('p50_ms', 'p99_ms', 'updates_per_second'))
    return [Figure(work=f'replication lag at {rate:,.0f} updates a second, p50 / p99', measured=f'{p50:.1f} / {p99:.1f} ms',
                   floor=f'one commit {commit["p50"] / 1e3:.2f} / {commit["p99"] / 1e3:.2f} ms', ratio=p99 / (commit['p99'] / 1e3),
                   reach='<= 5 / <= 25 ms', met=p50 <= 5 and p99 <= 25, peers=peers.LAG, details=details | {'commit_us': commit})]


class FarLab(Lab):
    """Two Regions in network namespaces of their own with a slow link that loses packets between them; this process is near to both.
    With BBR where the kernel has it. For root. No router."""

    DELAY_MS, JITTER_MS, LOSS = 40, 10, 0.01  # one way
    HERE = '10.77.0.254'

    def __init__(self, where):
        self._servers, self._link = {}, None
        super().__init__(where)
        self.down()
        self._addresses = {self.first: '10.77.0.1', self.second: '10.77.0.2'}
        self._link = subprocess.Popen(
            [BIN / 'symbolon_delay_link', *(f'--end={name}={address}' for name, address in self._addresses.items()), '--here', self.HERE,
             '--delay-ms', str(self.DELAY_MS), '--jitter-ms', str(self.JITTER_MS), '--loss', str(self.LOSS),
             *(['--congestion-control=bbr'] if 'bbr' in machine.congestion_controls() else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            namespaces = self._read_namespaces()
            for region in (self.first, self.second):
                self._servers[region] = Symbolond(self._far_config(region), self.operations_port(region), where / f'{region}.log',
                                                  address=self.address(region), within=('nsenter', f'--net={namespaces[region]}', '--'))
        except BaseException:
            self.down()
            raise

    def _read_namespaces(self):
        namespaces = {}
        for line in self._link.stdout:
            what, *rest = line.split()
            if what == 'ready':
                self.congestion_control = rest[0]
                return namespaces
            name, _, path = rest
            namespaces[name] = path
        raise BenchError('the slow link does not start')

    def _far_config(self, region):
        text = self.config(region).read_text().replace('outbox = true', 'outbox = false')
        for one in self.regions:
            for kind in ('api', 'operations', 'replication'):
                port = one[f'{kind}_port']
                text = text.replace(f'127.0.0.1:{port}"', f'{self._addresses[one["name"]]}:{port}"')
        config = self.config(region).with_name('far.toml')
        config.write_text(text)
        return config

    def address(self, region):
        return self._addresses[region]

    def api(self, region):
        return Api(self._port(region, 'api'), region=region, address=self.address(region))

    def pid(self, member):
        return self._servers[member].pid

    def down(self):
        super().down()
        for server in self._servers.values():
            server.stop()
        if self._link is not None:
            self._link.stdin.close()
            self._link.wait(10)


def far(options):
    with folder() as where, FarLab(where) as lab:
        _, details = _measure(where, lab, options, FAR_UPDATES_PER_SECOND)
        congestion_control = lab.congestion_control
    p50, p99, rate = (details[name] for name in ('p50_ms', 'p99_ms', 'updates_per_second'))
    link = f'{2 * FarLab.DELAY_MS} +- {2 * FarLab.JITTER_MS} ms, {FarLab.LOSS:.0%} loss, {congestion_control}'
    return [Figure(work=f'replication lag at {rate:,.0f} a second over {link}, p99', measured=f'{p99:.0f} ms (p50 {p50:.0f})',
                   floor=f'one way {FarLab.DELAY_MS} ms', ratio=p99 / FarLab.DELAY_MS, reach='<= 500 ms', met=p99 <= 500, peers=peers.LAG,
                   details=details | {'congestion_control': congestion_control})]
