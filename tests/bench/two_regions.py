"""Figures of two Regions: lag, first copy, loss; and of a large store."""
import bisect
import http.client
import json
import statistics
import threading
import time

import machine
from api import Api, ApiError, headers_of, sign_as
from lab import Lab
from programs import BIN, BenchError, Load, Symbolond, floor, folder, run_json
from report import Figure, spread

UPDATES_PER_SECOND = 1_000
# How often the second Region's position is looked at; so much may be added to every lag.
LOOKS_PER_SECOND = 250
IDLE_SECONDS = 3
FIRST_SIGN_IN_PATIENCE_SECONDS = 30
# After the first sign-in behind a loss.
SETTLE_SECONDS = 2


def _percentile(sorted_values, share):
    return sorted_values[int(share * (len(sorted_values) - 1))]


def _records(path):
    """Lines "number sent received", in the order of the answers."""
    with open(path) as file:
        return [tuple(map(int, line.split())) for line in file]


def lag(options):
    with folder() as where:
        with Lab(where) as lab:
            api = lab.api(lab.first)
            pool = lab.replicated_pool(api)
            names = [f'user-{number}' for number in range(options.lag_users)]
            create = {'UserPoolId': pool, 'Username': '{line}', 'MessageAction': 'SUPPRESS'}
            Load(api.port, headers=headers_of('AdminCreateUser'), body=json.dumps(create), lines=names,
                 sign_as=sign_as(lab.first)).run(where, requests=len(names))
            update = {'UserPoolId': pool, 'Username': '{line}', 'UserAttributes': [{'Name': 'given_name', 'Value': 'Name {n}'}]}
            updates = Load(api.port, headers=headers_of('AdminUpdateUserAttributes'), body=json.dumps(update), lines=names,
                           sign_as=sign_as(lab.first), connections=64)
            looks = Load(lab.operations_port(lab.second), method='GET', path='/metrics', headers={}, body='', connections=2)
            for region in (lab.first, lab.second):
                machine.until_idle(lab.pid(region))
            updates.run(where, seconds=2, rate=UPDATES_PER_SECOND, core=None)
            with machine.Steal() as steal:
                watching = looks.start(where, seconds=options.lag_seconds + 3, rate=LOOKS_PER_SECOND, core=None, record=where / 'seen',
                                       extract=f'symbolon_log_sequence{{pool="{pool}"}} ')
                updating = updates.start(where, seconds=options.lag_seconds, rate=UPDATES_PER_SECOND, core=None, record=where / 'made',
                                         extract='x-symbolon-position: ')
                made, seen = Load.finish(updating), Load.finish(watching)
            api.close()
        # The second Region's positions by time: the first look that shows an update bounds its lag.
        looked = sorted((received, number) for number, _, received in _records(where / 'seen'))
        positions = [number for _, number in looked]
        if not looked or any(later < earlier for earlier, later in zip(positions, positions[1:])):
            raise BenchError('the second Region shows no position, or one that goes back')
        lags = []
        for number, _, answered in _records(where / 'made'):
            at = bisect.bisect_left(positions, number)
            if at == len(positions):
                raise BenchError(f'update {number} did not arrive within 3 s')
            lags.append(max(0, looked[at][0] - answered) / 1e6)
        with folder() as store:
            commit = floor('commit', options.floor_seconds, store / 'store', 1)['latency_us']
    lags.sort()
    p50, p99 = _percentile(lags, 0.5), _percentile(lags, 0.99)
    rate = made['good'] / made['seconds']
    return [Figure(work=f'replication lag at {rate:,.0f} updates a second, p50 / p99', measured=f'{p50:.1f} / {p99:.1f} ms',
                   floor=f'one commit {commit["p50"] / 1e3:.2f} / {commit["p99"] / 1e3:.2f} ms', ratio=p99 / (commit['p99'] / 1e3),
                   reach='p99 <= 100 ms', met=p99 <= 100,
                   details={'p50_ms': p50, 'p99_ms': p99, 'max_ms': lags[-1], 'updates': len(lags), 'updates_per_second': rate,
                            'update_latency_us': made['latency_us'], 'looks': seen['good'], 'commit_us': commit, 'steal': steal.share})]


class SignIns:
    """Somebody signs in through the router, again and again, each time over a new connection: a few at a time, so that there is always
    one under way, and 10 ms after each failure."""

    AT_ONCE = 4

    def __init__(self, port, client):
        self._port, self._client = port, client
        self._ending = threading.Event()
        self._changed = threading.Condition()
        # (begin, end, the failure or None)
        self.tried = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.AT_ONCE)]

    def _run(self):
        while not self._ending.is_set():
            begin, failure = time.monotonic(), None
            router = Api(self._port, timeout=2)
            try:
                router.sign_in(self._client, 'someone')
            except (ApiError, OSError, http.client.HTTPException) as error:
                failure = error
            finally:
                router.close()
            with self._changed:
                self.tried.append((begin, time.monotonic(), failure))
                self._changed.notify_all()
            if failure:
                time.sleep(0.01)

    def first_begun_after(self, moment):
        """The end of the first that was begun after `moment` and succeeded."""
        def found():
            return min((end for begin, end, failure in self.tried if begin >= moment and failure is None), default=None)
        with self._changed:
            if not self._changed.wait_for(found, FIRST_SIGN_IN_PATIENCE_SECONDS):
                raise BenchError(f'nobody could sign in within {FIRST_SIGN_IN_PATIENCE_SECONDS} s: {self.tried[-1][2]!r}')
            return found()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join()


def failover(options):
    firsts, gaps, failures = [], [], []
    with folder() as where, Lab(where) as lab:
        api = lab.api(lab.first)
        pool = lab.replicated_pool(api)
        client = api.create_client(pool)
        api.create_user(pool, 'someone')
        api.close()
        lab.until_user_can_sign_in(lab.second, client, 'someone')
        for _ in range(options.losses):
            lab.until_user_can_sign_in(lab.first, client, 'someone')
            with SignIns(lab.router_port, client) as sign_ins:
                sign_ins.first_begun_after(time.monotonic())
                killed = time.monotonic()
                lab.kill(lab.first)
                firsts.append(sign_ins.first_begun_after(time.monotonic()) - killed)
                # What was under way at the kill, and what the router sends to the dead Region still, counts as well.
                time.sleep(SETTLE_SECONDS)
            ends = sorted(end for _, end, failure in sign_ins.tried if failure is None)
            gaps.append(max(later - earlier for earlier, later in zip(ends, ends[1:])))
            failures.append(sum(failure is not None for _, _, failure in sign_ins.tried))
            lab.start(lab.first)
    worst, longest = max(firsts), max(gaps)
    return [
        Figure(work=f'first sign-in through the router after kill -9, worst of {len(firsts)}', measured=f'{worst:.2f} s', reach='<= 2 s',
               met=worst <= 2, details={'seconds': spread(firsts)}),
        Figure(work='longest time without a sign-in around it', measured=f'{longest:.2f} s',
               details={'seconds': spread(gaps), 'failed_sign_ins': failures}),
    ]


def million(options):
    """Start and idle memory with a large pool on disk, and the first copy of it."""
    users = options.seeded_users
    with folder() as where:
        with Lab(where) as lab:
            api = lab.api(lab.first)
            pool = lab.replicable_pool(api)
            client = api.create_client(pool)
            api.close()
        seeded = run_json([BIN / 'symbolon_seed', lab.config(lab.first), pool, users])
        starts, idle = [], []
        for _ in range(options.starts):
            machine.forget_cached_pages(lab.config(lab.first).parent)
            with Symbolond(lab.config(lab.first), lab.operations_port(lab.first), where / 'start.log') as server:
                starts.append(server.start_seconds)
                time.sleep(IDLE_SECONDS)
                idle.append(machine.memory_mib(server.pid))
        copy = _copy(lab, pool, client, users)
    resident = statistics.median(memory['resident'] for memory in idle)
    start = statistics.median(starts)
    return [
        Figure(work=f'start with {users:,} users on disk', measured=f'{start:.2f} s', reach='<= 1 s', met=start <= 1,
               details={'seconds': spread(starts), 'seeding_seconds': seeded['seconds']}),
        Figure(work=f'idle memory with {users:,} users', measured=f'{resident:.0f} MiB', reach='<= 80 MiB', met=resident <= 80,
               details={'memory_mib': idle}),
        copy,
    ]


def _copy(lab, pool, client, users):
    lab.up()
    try:
        # As fast as it goes.
        lab.restart_with(lab.first, 'replication', 'copy_mib_per_second = 0')
        api = lab.api(lab.first)
        begin = time.monotonic()
        with machine.Steal() as steal:
            lab.make_replica(api, pool, patience_seconds=1_800)
        seconds = time.monotonic() - begin
        peaks = {region: machine.memory_mib(lab.pid(region))['peak'] for region in (lab.first, lab.second)}
        lab.activate_replica(api, pool)
        # What was copied serves.
        lab.until_user_can_sign_in(lab.second, client, 'seeded-0')
        api.close()
    finally:
        lab.down()
    worst = max(peaks.values())
    return Figure(work=f'first copy of {users:,} users, no throttle', measured=f'{seconds:.1f} s, {worst:.0f} MiB at most', reach='<= 300 MiB', met=worst <= 300,
                  details={'seconds': seconds, 'users_per_second': users / seconds, 'peak_mib': peaks, 'steal': steal.share})
