"""How soon a pool is locked whose key is withdrawn while everybody signs in."""
import json
import time

import machine
from api import Api, headers_of, sign_in_request
from one_region import Node
from programs import Load, folder
from report import Figure, spread

# keys.recheck_interval_ms, and the time-out of one question.
BOUND_SECONDS = 4
BEFORE_SECONDS = 1.5


def _good_answers(path):
    """When the answers with tokens came, in seconds of the monotonic clock. A locked pool's have none, and no line."""
    return [int(line.split()[2]) / 1e9 for line in path.read_text().splitlines()]


def lock(options):
    lasts, refused = [], []
    with folder() as where, Node(where) as node:
        key = node.api.call('CreateKey', {}, service='kms')['KeyMetadata']
        pool = node.api.create_pool(KeyConfiguration={'KeyType': 'CUSTOMER_MANAGED_KEY', 'KmsKeyArn': key['Arn']})
        client = node.api.create_client(pool)
        names = [f'user-{number}' for number in range(options.users)]
        for name in names:
            node.api.create_user(pool, name)
        load = Load(node.port, headers=headers_of('InitiateAuth'), body=json.dumps(sign_in_request(client, '{line}')), lines=names)
        machine.until_idle(node.server.pid)
        for _ in range(options.locks):
            running = load.start(where, seconds=BEFORE_SECONDS + BOUND_SECONDS + 1, record=where / 'answers', extract='"ExpiresIn":')
            time.sleep(BEFORE_SECONDS)
            by_hand = Api(node.port)
            asked = time.monotonic()
            by_hand.call('DisableKey', {'KeyId': key['KeyId']}, service='kms')
            by_hand.close()
            result = Load.finish(running, may_fail=True)
            answers = _good_answers(where / 'answers')
            if not any(at < asked for at in answers):
                raise RuntimeError('nobody signed in before the key was disabled')
            lasts.append(max(0, max(answers) - asked))
            refused.append(result['sent'] - result['good'])
            node.api.call('EnableKey', {'KeyId': key['KeyId']}, service='kms')
            node.api.sign_in(client, names[0])
    worst = max(lasts)
    return [Figure(work=f'last sign-in after DisableKey was sent, under full load, worst of {len(lasts)}', measured=f'{worst * 1e3:.0f} ms',
                   reach=f'<= {BOUND_SECONDS} s', met=worst <= BOUND_SECONDS, details={'seconds': spread(lasts), 'refused': refused})]
