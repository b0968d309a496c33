"""How long a pool takes no writes while its primary changes."""
import time

import peers
from attempts import Writes
from lab import Lab
from programs import folder
from report import Figure, spread


def _promote(lab, pool, to, **how):
    """The moments at which it was asked for and answered."""
    api = lab.api(to)
    asked = time.monotonic()
    api.call('PromoteUserPoolReplica', {'UserPoolId': pool, 'RegionName': to} | how, service='symbolon')
    answered = time.monotonic()
    api.close()
    return asked, answered


def _pool_with_a_user(lab):
    api = lab.api(lab.first)
    pool = lab.replicated_pool(api)
    api.create_user(pool, 'someone')
    api.close()
    lab.positions_equal(pool)
    return pool


def planned(options):
    gaps, calls = [], []
    with folder() as where, Lab(where) as lab:
        pool = _pool_with_a_user(lab)
        source, target = lab.first, lab.second
        for _ in range(options.promotions):
            with Writes(lab, (source, target), pool, 'someone') as writes:
                writes.first_begun_after(time.monotonic())
                asked, answered = _promote(lab, pool, target)
                writes.first_begun_after(answered)
            gaps.append(writes.longest_gap())
            calls.append(answered - asked)
            lab.positions_equal(pool)
            source, target = target, source
    worst = max(gaps)
    return [Figure(work=f'planned promotion, longest time without a write, worst of {len(gaps)}', measured=f'{worst * 1e3:.0f} ms',
                   reach='<= 500 ms', met=worst <= 0.5, peers=peers.PROMOTION, details={'seconds': spread(gaps), 'call_seconds': spread(calls)})]


def forced(options):
    firsts, calls = [], []
    with folder() as where, Lab(where) as lab:
        pool = _pool_with_a_user(lab)
        source, target = lab.first, lab.second
        for _ in range(options.promotions):
            lab.kill(source)
            with Writes(lab, (target,), pool, 'someone') as writes:
                asked, answered = _promote(lab, pool, target, Force=True)
                firsts.append(writes.first_begun_after(asked) - asked)
                calls.append(answered - asked)
            lab.start(source)
            # The former primary takes a copy and follows.
            lab.positions_equal(pool)
            source, target = target, source
    worst = max(firsts)
    return [Figure(work=f'forced promotion, command to first write, worst of {len(firsts)}', measured=f'{worst:.2f} s', reach='<= 1 s',
                   met=worst <= 1, peers=peers.PROMOTION, details={'seconds': spread(firsts), 'call_seconds': spread(calls)})]


def promotion(options):
    return planned(options) + forced(options)
