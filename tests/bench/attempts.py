"""Something that is tried again and again, a few at a time, so that the time without a success can be seen."""
import http.client
import threading
import time

from api import Api, ApiError
from programs import BenchError

PATIENCE_SECONDS = 30
PAUSE_AFTER_FAILURE_SECONDS = 0.01


class Attempts:
    """A subclass says what is tried: `_try(state)`, on threads of this object's own, raises what an API raises. `state` is the
    thread's own dictionary."""

    AT_ONCE = 4

    def __init__(self):
        self._ending = threading.Event()
        self._changed = threading.Condition()
        # (begin, end, the failure or None)
        self.tried = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.AT_ONCE)]

    def _try(self, state):
        raise NotImplementedError

    def _run(self):
        state = {}
        while not self._ending.is_set():
            begin, failure = time.monotonic(), None
            try:
                self._try(state)
            except (ApiError, OSError, http.client.HTTPException) as error:
                failure = error
            with self._changed:
                self.tried.append((begin, time.monotonic(), failure))
                self._changed.notify_all()
            if failure:
                time.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    def first_begun_after(self, moment):
        """The end of the first that was begun after `moment` and succeeded."""
        def found():
            return min((end for begin, end, failure in self.tried if begin >= moment and failure is None), default=None)
        with self._changed:
            if not self._changed.wait_for(found, PATIENCE_SECONDS):
                raise BenchError(f'nothing succeeded within {PATIENCE_SECONDS} s: {self.tried[-1][2]!r}')
            return found()

    def longest_gap(self):
        """The longest time between two successes."""
        ends = sorted(end for _, end, failure in self.tried if failure is None)
        return max(later - earlier for earlier, later in zip(ends, ends[1:]))

    def failures(self):
        return sum(failure is not None for _, _, failure in self.tried)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join()


class SignIns(Attempts):
    """Somebody signs in through the router, each time over a new connection."""

    def __init__(self, port, client, username):
        super().__init__()
        self._port, self._client, self._username = port, client, username

    def _try(self, state):
        router = Api(self._port, timeout=2)
        try:
            router.sign_in(self._client, self._username)
        finally:
            router.close()


class Writes(Attempts):
    """An attribute of a user is changed, in whichever Region takes it: at first in `regions[0]`, and in the other one when a Region
    says that it is not primary or does not answer."""

    def __init__(self, lab, regions, pool, username):
        super().__init__()
        self._lab, self._regions, self._pool, self._username = lab, regions, pool, username

    def _try(self, state):
        if 'api' not in state:
            state['region'] = state.get('region', 0)
            state['api'] = self._lab.api(self._regions[state['region']])
        state['count'] = state.get('count', 0) + 1
        try:
            state['api'].call('AdminUpdateUserAttributes', {
                'UserPoolId': self._pool, 'Username': self._username,
                'UserAttributes': [{'Name': 'given_name', 'Value': f'Name {state["count"]}'}]})
        except (ApiError, OSError, http.client.HTTPException) as error:
            if not isinstance(error, ApiError) or error.type == 'OperationNotEnabledException':
                state.pop('api').close()
                state['region'] = (state['region'] + 1) % len(self._regions)
            raise
