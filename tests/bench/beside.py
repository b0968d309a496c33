"""What other work of a Region costs those who sign in meanwhile."""
import json
import os
import statistics

import machine
from api import headers_of, sign_in_request
from one_region import interleaved
from programs import BenchError, Load
from report import Figure, spread

SIGN_INS_PER_SECOND = 200


class SignIns:
    """Password sign-ins of seeded users at a steady rate in the first Region of a lab that is up. The second Region stands for another
    machine: it has the load's core, behind the load (and a disk of its own by Lab.move_second_into_memory)."""

    def __init__(self, options, where, lab, api, client):
        self._options, self._where, self._lab = options, where, lab
        machine.move(lab.pid(lab.first), machine.SERVER_CORE)
        machine.move(lab.pid(lab.second), machine.LOAD_CORE, nice=19)
        names = [f'seeded-{number}' for number in range(options.users)]
        self._load = Load(api.port, headers=headers_of('InitiateAuth'), body=json.dumps(sign_in_request(client, '{line}')), lines=names)
        self._load.run(where, seconds=1, rate=SIGN_INS_PER_SECOND)

    def p99_us(self):
        """Of so many sign-ins that a few slow ones do not make it."""
        return self._load.run(self._where, seconds=self._options.steady_seconds, rate=SIGN_INS_PER_SECOND)['latency_us']['p99']

    def _settle(self):
        """What was written before is not the next round's to pay for."""
        os.sync()
        machine.until_idle(self._lab.pid(self._lab.first))

    def p99_alone_us(self):
        self._settle()
        return self.p99_us()

    def beside(self, what, begin, is_under_way, finish, peers=''):
        """By turns without and with the work: its figure."""
        def busy():
            self._settle()
            begin()
            p99 = self.p99_us()
            if not is_under_way():
                raise BenchError(f'{what} ended before the sign-ins: more users are needed')
            finish()
            return p99

        rounds, steals = interleaved(self._options, self.p99_alone_us, busy)
        ratios = [slow / quiet for quiet, slow in rounds]
        ratio = statistics.median(ratios)
        quiet, slow = (statistics.median(column) / 1e3 for column in zip(*rounds))
        return Figure(work=f'sign-in p99 during {what}, {SIGN_INS_PER_SECOND} a second', measured=f'{slow:.2f} ms', floor=f'without {quiet:.2f} ms',
                      ratio=ratio, reach='<= 1.3 x', met=ratio <= 1.3, peers=peers,
                      details={'ratio': spread(ratios), 'rounds_us': rounds, 'steal': steals})
