"""Figures of two Regions that run: synchronous writes, loss of the primary."""
import statistics
import time

import machine
import peers
from attempts import SignIns
from lab import Lab
from one_region import interleaved
from programs import floor, folder, slow_disk
from report import Figure, spread

# After the first sign-in behind a loss.
SETTLE_SECONDS = 2
# Of volumes behind a network, and of disks that do not call durable what is in a memory.
SLOW_FLUSH_MICROSECONDS = 1_000


def sync(options):
    """A write that a second Region has on its disk too, beside what that takes: a durable commit, a frame to another process, a durable commit
    there, and a frame back."""
    return [_sync(options, "this machine's disk", None),
            _sync(options, f'a flush takes {SLOW_FLUSH_MICROSECONDS / 1_000:g} ms more', slow_disk(SLOW_FLUSH_MICROSECONDS))]


def _sync(options, disk, environment):
    with folder() as where:
        with Lab(where, environment) as lab:
            api = lab.api(lab.first)
            pool = lab.replicated_pool(api)
            names = lab.create_users(where, api, pool, options.users)
            for region in (lab.first, lab.second):
                machine.until_idle(lab.pid(region))
            # One at a time, by a client that sleeps, because everything shares the cores.
            updates = lab.updates(api, pool, names, connections=1)

            def commit():
                with folder() as store:
                    return floor('commit', options.floor_seconds, store / 'store', 1, core=None, environment=environment)['latency_us']['p50']

            def round_trip():
                return floor('round-trip', options.floor_seconds, *map(lab.config, (lab.first, lab.second)), core=None)['latency_us']['p50']

            def commit_twice():
                with folder() as stores:
                    return floor('commit-twice', options.floor_seconds, *map(lab.config, (lab.first, lab.second)), stores / 'first', stores / 'second',
                                 core=None, environment=environment)['latency_us']['p50']

            def write():
                return updates.run(where, seconds=options.load_seconds, core=None)['latency_us']['p50']

            updates.run(where, seconds=1, core=None)
            local = write()
            api.call('SetReplicationDurability', {'UserPoolId': pool, 'Mode': 'SYNC'}, service='symbolon')
            rounds, steals = interleaved(options, commit, round_trip, commit_twice, write)
            api.close()
    ratios = [written / twice for *_, twice, written in rounds]
    ratio = statistics.median(ratios)
    committed, there_and_back, twice, written = (statistics.median(column) / 1e3 for column in zip(*rounds))
    # Over and over in one process each, so that nothing sleeps and caches are warm: what no way through two processes reaches.
    apart = 2 * committed + there_and_back
    return Figure(work=f'`sync` write, one at a time, p50 ({disk})', measured=f'{written:.2f} ms',
                  floor=f'{twice:.2f} ms; its parts apart {apart:.2f} ms', ratio=ratio, reach='<= 1.3 x', met=ratio <= 1.3, peers=peers.SYNC,
                  details={'ratio': spread(ratios), 'rounds_us': rounds, 'async_write_us': local, 'steal': steals})


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
            with SignIns(lab.router_port, client, 'someone') as sign_ins:
                sign_ins.first_begun_after(time.monotonic())
                killed = time.monotonic()
                lab.kill(lab.first)
                firsts.append(sign_ins.first_begun_after(time.monotonic()) - killed)
                # What was under way at the kill, and what the router sends to the dead Region still, counts as well.
                time.sleep(SETTLE_SECONDS)
            gaps.append(sign_ins.longest_gap())
            failures.append(sign_ins.failures())
            lab.start(lab.first)
    worst, longest = max(firsts), max(gaps)
    return [
        Figure(work=f'first sign-in through the router after kill -9, worst of {len(firsts)}', measured=f'{worst:.2f} s', reach='<= 2 s',
               met=worst <= 2, peers=peers.LOSS, details={'seconds': spread(firsts)}),
        Figure(work='longest time without a sign-in around it', measured=f'{longest:.2f} s', reach='<= 1 s', met=longest <= 1,
               peers=peers.LOSS, details={'seconds': spread(gaps), 'failed_sign_ins': failures}),
    ]
