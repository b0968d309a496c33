"""Figures of one node of one Region: what its requests cost."""
import base64
import itertools
import json
import statistics
import subprocess

import machine
from api import PASSWORD, Api, form, headers_of, sign_in_request
from programs import BIN, BenchError, Load, Nginx, Symbolond, floor, folder, single_region
from report import Figure, spread

# A round in which the hypervisor took more than this of the server's core says nothing.
STEAL_MAX = 0.05


class Node:
    """A running node on the server's core, with a pool and a client for passwords."""

    def __init__(self, where):
        self.where = where
        config, self.port, operations = single_region(where)
        self.server = Symbolond(config, operations, where / 'symbolond.log', core=machine.SERVER_CORE)
        self.api = Api(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.api.close()
        self.server.stop()


def cost(server, load, where, **options):
    """CPU seconds of `server` per good answer."""
    before = server.cpu_seconds()
    result = load.run(where, **options)
    return (server.cpu_seconds() - before) / result['good'], result


def interleaved(options, *parts):
    """Calls the parts in turn, in several rounds: their values, a tuple per round, and each round's steal. Rounds that were
    disturbed are dropped while two good ones are left."""
    rounds = []
    for _ in range(options.rounds):
        with machine.Steal() as steal:
            values = tuple(part() for part in parts)
        rounds.append((steal.share, values))
    rounds.sort(key=lambda one: one[0])
    good = [one for one in rounds if one[0] <= STEAL_MAX]
    kept = good if len(good) >= 2 else rounds[:2]
    return [values for _, values in kept], [share for share, _ in rounds]


def _against_floor(work, unit, reach, rounds, steals):
    """A figure of costs in seconds: `rounds` are (floor, cost)."""
    ratios = [cost_seconds / floor_seconds for floor_seconds, cost_seconds in rounds]
    ratio = statistics.median(ratios)
    micros = [[value * 1e6 for value in column] for column in zip(*rounds)]
    return Figure(work=work, measured=f'{statistics.median(micros[1]):.0f} us CPU a {unit}', floor=f'{statistics.median(micros[0]):.0f} us',
                  ratio=ratio, reach=f'<= {reach:.2f} x', met=ratio <= reach,
                  details={'ratio': spread(ratios), 'floor_us': spread(micros[0]), 'cost_us': spread(micros[1]), 'steal': steals})


def _floor_cost(name, options):
    def measure():
        result = floor(name, options.floor_seconds)
        return result['cpu_seconds'] / result['operations']
    return measure


def token(options):
    with folder() as where, Node(where) as node:
        pool = node.api.create_pool()
        node.api.call('CreateResourceServer', {'UserPoolId': pool, 'Identifier': 'bench', 'Name': 'bench',
                                               'Scopes': [{'ScopeName': 'read', 'ScopeDescription': 'read'}]})
        client = node.api.create_client(pool, ExplicitAuthFlows=[], GenerateSecret=True, AllowedOAuthFlows=['client_credentials'],
                                        AllowedOAuthScopes=['bench/read'], AllowedOAuthFlowsUserPoolClient=True)
        node.api.call('CreateUserPoolDomain', {'Domain': 'bench', 'UserPoolId': pool})
        credentials = base64.b64encode(f'{client["ClientId"]}:{client["ClientSecret"]}'.encode()).decode()
        load = Load(node.port, path='/_domain/bench/oauth2/token',
                    headers={'Content-Type': 'application/x-www-form-urlencoded', 'Authorization': f'Basic {credentials}'},
                    body=form({'grant_type': 'client_credentials', 'scope': 'bench/read'}))
        machine.until_idle(node.server.pid)
        load.run(where, seconds=1)
        rounds, steals = interleaved(options, _floor_cost('rsa-sign', options),
                                     lambda: cost(node.server, load, where, seconds=options.load_seconds)[0])
    return [_against_floor('client_credentials token, RS256', 'token', 1.15, rounds, steals)]


def sign_in(options):
    with folder() as where, Node(where) as node:
        pool = node.api.create_pool()
        client = node.api.create_client(pool)
        names = [f'user-{number}' for number in range(options.users)]
        for name in names:
            node.api.create_user(pool, name)
        load = Load(node.port, headers=headers_of('InitiateAuth'), body=json.dumps(sign_in_request(client, '{line}')), lines=names)
        machine.until_idle(node.server.pid)
        load.run(where, seconds=1)
        rounds, steals = interleaved(options, _floor_cost('password-sign-in', options),
                                     lambda: cost(node.server, load, where, seconds=options.load_seconds)[0])
    return [_against_floor('sign-in by password, two RS256 tokens', 'sign-in', 1.2, rounds, steals)]


def get_user(options):
    with folder() as where, Node(where) as node:
        pool = node.api.create_pool()
        client = node.api.create_client(pool)
        names = [f'user-{number}' for number in range(options.users)]
        for name in names:
            node.api.create_user(pool, name)
        tokens = [node.api.sign_in(client, name)['AccessToken']
                  for name in itertools.islice(itertools.cycle(names), options.cold_tokens)]
        machine.until_idle(node.server.pid)
        headers, body = headers_of('GetUser'), '{"AccessToken":"{line}"}'
        cold = Load(node.port, headers=headers, body=body, lines=tokens)
        cold_cost, _ = cost(node.server, cold, where, requests=len(tokens))
        _, answer = node.api.post('/', headers, json.dumps({'AccessToken': tokens[0]}))
        warm = Load(node.port, headers=headers, body=body, lines=tokens[:options.users], connections=64)
        with Nginx(where, answer) as nginx:
            plain = Load(nginx.port, headers=headers, body=body, lines=tokens[:options.users], connections=64)
            for load in (warm, plain):
                load.run(where, seconds=1)
            rounds, steals = interleaved(options, lambda: 1 / cost(nginx, plain, where, seconds=options.load_seconds)[0],
                                         lambda: 1 / cost(node.server, warm, where, seconds=options.load_seconds)[0])
    ratios = [ours / theirs for theirs, ours in rounds]
    ratio = statistics.median(ratios)
    theirs, ours = (statistics.median(column) for column in zip(*rounds))
    shared = {'nginx_per_cpu_second': spread([one[0] for one in rounds]), 'steal': steals}
    return [
        Figure(work='GetUser, keep-alive, token verified before', measured=f'{ours:,.0f} a CPU second', floor=f'nginx {theirs:,.0f}',
               ratio=ratio, reach='>= 0.35 x', met=ratio >= 0.35,
               details={'ratio': spread(ratios), 'per_cpu_second': spread([one[1] for one in rounds])} | shared),
        Figure(work='GetUser, keep-alive, token seen first', measured=f'{1 / cold_cost:,.0f} a CPU second', floor=f'nginx {theirs:,.0f}',
               ratio=1 / cold_cost / theirs, details={'per_cpu_second': 1 / cold_cost, 'tokens': len(tokens)} | shared),
    ]


def sign_up(options):
    clients = 64
    with folder() as where, Node(where) as node:
        pool = node.api.create_pool(AutoVerifiedAttributes=['email'])
        client = node.api.create_client(pool)
        body = {'ClientId': client['ClientId'], 'Username': 'someone-{n}', 'Password': PASSWORD,
                'UserAttributes': [{'Name': 'email', 'Value': 'someone-{n}@example.com'}]}
        load = Load(node.port, headers=headers_of('SignUp'), body=json.dumps(body), connections=clients)
        first, latencies, costs = 0, [], []

        def run(seconds):
            nonlocal first
            cpu, result = cost(node.server, load, where, seconds=seconds, first=first)
            first += result['sent']
            latencies.append(result['latency_us']['p99'])
            costs.append(cpu * 1e6)
            return result['good'] / result['seconds']

        def commits():
            with folder() as store:
                result = floor('commit', options.floor_seconds, store / 'store', clients)
            return result['operations'] / result['seconds']

        machine.until_idle(node.server.pid)
        run(1)
        rounds, steals = interleaved(options, commits, lambda: run(options.load_seconds))
    floor_rate, rate = (statistics.median(column) for column in zip(*rounds))
    return [Figure(work=f'durable sign-ups, {clients} clients', measured=f'{rate:,.0f} a second', floor=f'{floor_rate:,.0f} commits',
                   ratio=rate / floor_rate,
                   details={'per_second': spread([one[1] for one in rounds]), 'commits_per_second': spread([one[0] for one in rounds]),
                            'p99_us': spread(latencies), 'cpu_us': spread(costs), 'steal': steals})]


def steps(options):
    """The small steps of a request beside OpenSSL alone (micro.cc)."""
    command = machine.pinned(machine.SERVER_CORE, [BIN / 'symbolon_micro', '--benchmark_format=json', '--benchmark_repetitions=5',
                                                   '--benchmark_enable_random_interleaving=true',
                                                   f'--benchmark_min_time={options.micro_seconds}'])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f'symbolon_micro failed: {done.stderr[-400:]}')
    times = {}
    for run in json.loads(done.stdout)['benchmarks']:
        if run.get('aggregate_name') == 'median':
            times[run['run_name'].split('/')[0]] = run['cpu_time']
    pairs = [('seal a record of 1 KiB', 'SealRecord', 'AesGcm'), ('open a record of 1 KiB', 'OpenRecord', 'AesGcm'),
             ('sign a token, RS256', 'SignTokenRs256', 'RawRsa2048Signature'), ('sign a token, ES256', 'SignTokenEs256', 'RawP256Signature'),
             ('verify a token, RS256', 'VerifyTokenRs256', 'RawRsa2048Verification'),
             ('parse an HTTP request', 'ParseHttp', None), ('parse and check InitiateAuth', 'ParseSignIn', None),
             ('verify a SigV4 signature', 'VerifySigV4', None)]
    # Microseconds beyond the floor.
    reaches = {'SealRecord': 3, 'OpenRecord': 3}
    figures = []
    for work, name, floor_name in pairs:
        floor_nanos = times[floor_name] if floor_name else None
        figure = Figure(work=work, measured=f'{times[name] / 1e3:.2f} us', floor=f'{floor_nanos / 1e3:.2f} us' if floor_nanos else '',
                        ratio=times[name] / floor_nanos if floor_nanos else None, details={'ns': times[name], 'floor_ns': floor_nanos})
        if name in reaches:
            figure.reach, figure.met = f'<= floor + {reaches[name]} us', times[name] - floor_nanos <= reaches[name] * 1e3
        figures.append(figure)
    figures.append(Figure(work='commit step in memory, of 64', measured=f'{times["CommitStepOf64"] / 64e3:.2f} us a commit',
                          details={'ns_per_commit': times['CommitStepOf64'] / 64}))
    return figures
