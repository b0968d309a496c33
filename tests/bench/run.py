"""./bench: what Symbolon's work costs, beside what nobody can do without (docs/performance.md)."""
import argparse
import signal
import sys
import time

import copies
import keys
import lag
import locks
import machine
import one_region
import promotions
import report
import two_regions
from programs import ROOT

FIGURES = {
    'token': (one_region.token, 'client_credentials token, against one RSA-2048 signature'),
    'sign-in': (one_region.sign_in, 'sign-in by password, against its powers and two signatures'),
    'get-user': (one_region.get_user, 'GetUser, against nginx'),
    'sign-up': (one_region.sign_up, 'durable sign-ups, against the store alone'),
    'lag': (lag.near, 'replication lag under attribute updates'),
    'far-lag': (lag.far, 'the same over a slow link that loses packets; for root'),
    'sync': (two_regions.sync, '`sync` writes, against a commit, a frame, a commit and a frame back'),
    'million': (copies.million, 'start, idle memory, first copy and verification with 1,000,000 users'),
    'copy-sign-in': (copies.copy_sign_in, 'sign-ins during a first copy, against sign-ins without'),
    'catch-up': (copies.catch_up, 'a secondary that was away catches up'),
    'reencrypt': (keys.reencrypt, 're-encryption of a pool in both Regions'),
    'reencrypt-sign-in': (keys.reencrypt_sign_in, 'sign-ins during a re-encryption at the default pace'),
    'promotion': (promotions.promotion, 'time without writes when the primary changes'),
    'failover': (two_regions.failover, 'first sign-in after the loss of the primary'),
    'lock': (locks.lock, 'a key is withdrawn under full sign-in load'),
    'steps': (one_region.steps, 'small steps of a request, against OpenSSL'),
}

FULL = dict(rounds=7, floor_seconds=1, load_seconds=3, steady_seconds=10, users=64, cold_tokens=4_000, lag_users=1_000, lag_seconds=30,
            losses=5, locks=5, promotions=6, seeded_users=1_000_000, copied_users=600_000, missed_entries=100_000, reencrypted_users=100_000, starts=3, micro_seconds=0.3)
QUICK = dict(rounds=3, floor_seconds=0.5, load_seconds=1, steady_seconds=2, users=16, cold_tokens=500, lag_users=200, lag_seconds=5,
             losses=2, locks=2, promotions=2, seeded_users=20_000, copied_users=100_000, missed_entries=10_000, reencrypted_users=20_000, starts=1, micro_seconds=0.05)


def parse_arguments():
    names = '\n'.join(f'  {name:12} {what}' for name, (_, what) in FIGURES.items())
    parser = argparse.ArgumentParser(prog='./bench', description=__doc__, epilog=f'figures:\n{names}',
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', metavar='NAME', nargs='*', choices=[[], *FIGURES], help='these only (all)')
    parser.add_argument('--quick', action='store_true', help='short runs and 20,000 users, to see that it works')
    parser.add_argument('--output', default=ROOT / 'bench-results.json', help='the file for the results (bench-results.json)')
    return parser.parse_args()


def measure(name, options):
    function, what = FIGURES[name]
    print(f'bench: {what} ...', file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        figures = function(options)
    except Exception as error:  # the other figures can still be measured
        figures = [report.failed(what, f'{type(error).__name__}: {error}')]
    print(f'bench: {name} took {time.monotonic() - started:.0f} s', file=sys.stderr, flush=True)
    return figures


def main():
    arguments = parse_arguments()
    # Servers and folders go with this program, however it is asked to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = QUICK if arguments.quick else FULL
    before = machine.description()
    with machine.Steal() as steal:
        figures = [figure for name in arguments.names or FIGURES for figure in measure(name, argparse.Namespace(**settings))]
    report.write(arguments.output, before | {'steal': steal.share}, settings | {'quick': arguments.quick}, figures)
    print(report.table(figures))
    print(f'\n{before["cpu"]}, {before["cores"]} cores, {before["openssl"]}; steal {steal.share:.1%}, load average {before["load_average"]:.1f} '
          f'at the start. Written to {arguments.output}.')
    return 1 if any('error' in figure.details for figure in figures) else 0


if __name__ == '__main__':
    sys.exit(main())
