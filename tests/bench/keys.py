"""Figures of keys: a pool's data moves to another data key, in both Regions, and people sign in meanwhile."""
import time

import machine
from beside import SignIns
from lab import Lab
from programs import BIN, folder, run_json, until
from report import Figure

PATIENCE_SECONDS = 600


def _seeded(where, options):
    """A stopped lab with a pool in its first Region."""
    with Lab(where) as lab:
        api = lab.api(lab.first)
        pool = lab.replicable_pool(api)
        client = api.create_client(pool)
        api.close()
    run_json([BIN / 'symbolon_seed', lab.config(lab.first), pool, options.reencrypted_users])
    return lab, pool, client


def _replicate(lab, api, pool):
    lab.restart_with(lab.first, 'replication', 'copy_mib_per_second = 0')
    lab.make_replica(api, pool, patience_seconds=PATIENCE_SECONDS)
    lab.activate_replica(api, pool)


def _work(api, pool):
    return api.call('DescribeReencryption', {'UserPoolId': pool}, service='symbolon')['Reencryption']


def _begin(api, pool, pace=None):
    api.call('RotateUserPoolKey', {'UserPoolId': pool}, service='symbolon')
    request = {'UserPoolId': pool} | ({} if pace is None else {'RecordsPerSecond': pace})
    api.call('ReencryptUserPool', request, service='symbolon')


def reencrypt(options):
    """As fast as it goes, until the second Region has every record too."""
    with folder() as where:
        lab, pool, _ = _seeded(where, options)
        lab.up()
        try:
            _replicate(lab, lab.api(lab.first), pool)
            api = lab.api(lab.first)
            with machine.Steal() as steal:
                begin = time.monotonic()
                _begin(api, pool, 0)
                until('the records have moved', lambda: _work(api, pool)['Status'] != 'RUNNING', PATIENCE_SECONDS, 0.02)
                lab.positions_equal(pool)
                moved = time.monotonic() - begin
                until('the former data key is gone', lambda: _work(api, pool)['Status'] == 'DONE', PATIENCE_SECONDS, 0.05)
                seconds = time.monotonic() - begin
            work = _work(api, pool)
            api.close()
        finally:
            lab.down()
    records = work['RecordsReencrypted']
    pace = records / moved
    return [Figure(work=f're-encryption of {records:,} records in both Regions', measured=f'{pace:,.0f} records/s', reach='>= 15,000', met=pace >= 15_000,
                   details={'moved_seconds': moved, 'until_done_seconds': seconds, 'steal': steal.share})]


def reencrypt_sign_in(options):
    """Sign-ins in the first Region, by turns with and without a re-encryption under way at the default pace."""
    with folder() as where:
        lab, pool, client = _seeded(where, options)
        lab.move_second_into_memory()
        lab.up()
        try:
            _replicate(lab, lab.api(lab.first), pool)
            api = lab.api(lab.first)
            sign_ins = SignIns(options, where, lab, api, client)

            def begin():
                _begin(api, pool)
                until('it runs', lambda: _work(api, pool)['RecordsReencrypted'] > 0)

            def finish():
                api.call('ReencryptUserPool', {'UserPoolId': pool, 'RecordsPerSecond': 0}, service='symbolon')
                until('it is done', lambda: _work(api, pool)['Status'] == 'DONE', PATIENCE_SECONDS, 0.1)

            figure = sign_ins.beside('a re-encryption', begin, lambda: _work(api, pool)['Status'] == 'RUNNING', finish)
            api.close()
        finally:
            lab.down()
    return [figure]
