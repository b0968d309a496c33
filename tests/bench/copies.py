"""Figures of copies: a large store, the first copy of it, sign-ins meanwhile; and what a replica that was away has to catch up."""
import statistics
import time

import machine
import peers
from beside import SignIns
from lab import Lab
from programs import BIN, BenchError, Symbolond, folder, run_json, until
from report import Figure, spread

IDLE_SECONDS = 3
COPY_PATIENCE_SECONDS = 1_800
VERIFY_PATIENCE_SECONDS = 900


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
        copies = _copy(options, where, lab, pool, client, users)
    resident = statistics.median(memory['resident'] for memory in idle)
    start = statistics.median(starts)
    return [
        Figure(work=f'start with {users:,} users on disk', measured=f'{start:.2f} s', reach='<= 1 s', met=start <= 1,
               details={'seconds': spread(starts), 'seeding_seconds': seeded['seconds']}),
        Figure(work=f'idle memory with {users:,} users', measured=f'{resident:.0f} MiB', reach='<= 80 MiB', met=resident <= 80,
               details={'memory_mib': idle}),
        *copies,
    ]


def _copy(options, where, lab, pool, client, users):
    lab.up()
    try:
        # As fast as it goes.
        lab.restart_with(lab.first, 'replication', 'copy_mib_per_second = 0')
        api = lab.api(lab.first)
        begin = time.monotonic()
        with machine.Steal() as steal:
            lab.make_replica(api, pool, patience_seconds=COPY_PATIENCE_SECONDS)
        seconds = time.monotonic() - begin
        peaks = {region: machine.memory_mib(lab.pid(region))['peak'] for region in (lab.first, lab.second)}
        lab.activate_replica(api, pool)
        # What was copied serves.
        lab.until_user_can_sign_in(lab.second, client, 'seeded-0')
        api.close()
        verified = _verify(options, where, lab, pool, client, users)
    finally:
        lab.down()
    worst, pace = max(peaks.values()), users / seconds
    details = {'seconds': seconds, 'users_per_second': pace, 'peak_mib': peaks, 'steal': steal.share}
    return [
        Figure(work=f'first copy of {users:,} users, no throttle', measured=f'{pace:,.0f} users/s', reach='>= 60,000', met=pace >= 60_000,
               peers=peers.COPY, details=details),
        Figure(work='most memory of either Region until its end', measured=f'{worst:.0f} MiB', reach='<= 300 MiB', met=worst <= 300,
               details=details),
        *verified,
    ]


def _verify(options, where, lab, pool, client, users):
    """The copies are compared: by themselves, for time and memory, and beside sign-ins."""
    for region in (lab.first, lab.second):
        lab.kill(region)  # so that the most memory is of this work
        lab.start(region)
    lab.positions_equal(pool)
    api = lab.api(lab.first)

    def verification():
        return api.call('DescribeReplicationVerification', {'UserPoolId': pool}, service='symbolon')['Verification']

    def begin():
        api.call('StartReplicationVerification', {'UserPoolId': pool}, service='symbolon')

    def finish():
        until('the copies are compared', lambda: verification()['Status'] == 'DONE', VERIFY_PATIENCE_SECONDS, 0.05)
        outcome = verification()['Outcome']
        if outcome != 'EQUAL':
            raise BenchError(f'the copies are {outcome}')

    with machine.Steal() as steal:
        started = time.monotonic()
        begin()
        finish()
        seconds = time.monotonic() - started
    peaks = {region: machine.memory_mib(lab.pid(region))['peak'] for region in (lab.first, lab.second)}
    sign_ins = SignIns(options, where, lab, api, client)
    quiet = sign_ins.p99_alone_us()
    begin()
    busy = sign_ins.p99_us()
    went_on = verification()['Status'] != 'DONE'
    finish()
    api.close()
    details = {'seconds': seconds, 'peak_mib': peaks, 'steal': steal.share, 'sign_in_p99_us': {'without': quiet, 'beside': busy},
               'verification_outlasted_sign_ins': went_on}
    return [
        Figure(work=f'verification of {users:,} users in two Regions', measured=f'{seconds:.1f} s, {max(peaks.values()):.0f} MiB', details=details),
        Figure(work='sign-in p99 beside it, one round', measured=f'{busy / 1e3:.2f} ms', floor=f'without {quiet / 1e3:.2f} ms', ratio=busy / quiet,
               details=details),
    ]


def catch_up(options):
    """The second Region is gone while entries are written, and comes back."""
    with folder() as where, Lab(where) as lab:
        api = lab.api(lab.first)
        pool = lab.replicated_pool(api)
        names = lab.create_users(where, api, pool, options.lag_users)
        before = lab.positions_equal(pool)
        lab.kill(lab.second)
        lab.updates(api, pool, names, connections=64).run(where, requests=options.missed_entries, core=None)
        target = api.describe_replication(pool)['Sequence']
        starting = lab.begin_start(lab.second)
        with machine.Steal() as steal:
            begin, end = lab.watch_catching_up(lab.second, pool, target)
        starting.wait()
        api.close()
    pace = (target - before) / (end - begin)
    return [Figure(work=f'catch-up of {target - before:,} entries after an outage', measured=f'{pace:,.0f} entries/s', reach='>= 20,000',
                   met=pace >= 20_000, peers=peers.LAG, details={'seconds': end - begin, 'entries': target - before, 'steal': steal.share})]


def copy_sign_in(options):
    """Sign-ins in the first Region, by turns with and without a copy of their pool under way at the default pace."""
    with folder() as where:
        with Lab(where) as lab:
            api = lab.api(lab.first)
            pool = lab.replicable_pool(api)
            client = api.create_client(pool)
            api.close()
        run_json([BIN / 'symbolon_seed', lab.config(lab.first), pool, options.copied_users])
        lab.move_second_into_memory()
        lab.up()
        try:
            api = lab.api(lab.first)
            sign_ins = SignIns(options, where, lab, api, client)

            def begin():
                api.call('CreateUserPoolReplica', {'UserPoolId': pool, 'RegionName': lab.second})
                until('the copy is under way', lambda: lab.metric(lab.second, 'symbolon_replication_copy_records') > 0)

            def finish():
                until('the copy is complete', lambda: lab.replica_status(api, pool) == 'INACTIVE', COPY_PATIENCE_SECONDS, 0.1)
                api.call('DeleteUserPoolReplica', {'UserPoolId': pool, 'RegionName': lab.second})
                until('the replica is gone', lambda: lab.replica_status(api, pool) is None, pause_seconds=0.1)

            figure = sign_ins.beside('a first copy', begin, lambda: lab.replica_status(api, pool) == 'CREATING', finish, peers=peers.COPY)
            api.close()
        finally:
            lab.down()
    return [figure]
