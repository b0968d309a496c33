// A checker that cannot fail proves nothing: each bad history is found, and for its reason.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, checkOneWriter, parsePosition, summary } from '../lib/checker.mjs';
import { outcomeOf } from '../lib/history.mjs';

const [home, away] = ['eu-central-1', 'us-east-1'];
const regions = [home, away];
const epoch = (counter, region = home) => `${counter}.${region}.${'0'.repeat(32)}`;
const at = (sequence, counter = 1, region = home) => `${sequence}@${epoch(counter, region)}/${home}_AbC123xyz`;

// Events a millisecond each, one after the other, in the first Region unless they say otherwise.
function historyOf(...events) {
  return events.map((event, index) => ({ region: home, outcome: 'ok', start: index, end: index + 0.5, ...event }));
}

const user = 'ann';
const token = 'ann session 0';
const born = [
  { kind: 'signUp', user, position: at(1) },
  { kind: 'confirm', user, password: 0, position: at(2) },
];
const changed = { kind: 'setPassword', user, password: 1, position: at(3) };
const signIn = (password, fields) => ({ kind: 'signIn', user, password, ...fields });
const refused = { outcome: 'refused', error: 'NotAuthorizedException: Incorrect username or password.' };
const everywhere = (event) => regions.map((region) => ({ ...event, region }));
const listed = (users = [user]) => everywhere({ kind: 'list', users });
// What a good history ends with.
const ending = (password) => [...everywhere(signIn(password, { final: true })), ...listed()];
const refresh = (fields) => ({ kind: 'refresh', token, ...fields });
const revoke = (fields) => ({ kind: 'revoke', token, ...fields });
const revokedEverywhere = everywhere(refresh({ outcome: 'refused', final: true }));
const verdicts = (position, outcome) => everywhere({ kind: 'verdict', asked: position, outcome });

function finds(history, ...expected) {
  const told = check(history, regions);
  assert.equal(told.length, expected.length, told.join('\n'));
  expected.forEach((pattern, index) => assert.match(told[index], pattern));
}

test('a good history has nothing against it', () => {
  finds(
    historyOf(
      ...born,
      signIn(0, { asked: at(2), region: away }),
      changed,
      signIn(0, { region: away }), // does not know yet, and was not asked to
      signIn(0, { asked: at(3), region: away, ...refused }),
      signIn(1, { asked: at(3), region: away }),
      revoke({ region: away }),
      refresh({ region: home }), // not there yet
      refresh({ region: away, outcome: 'refused' }),
      ...revokedEverywhere,
      ...ending(1),
    ),
  );
});

test('an acknowledged sign-up that is in no list is found', () => {
  finds(historyOf(...born, ...everywhere(signIn(0, { final: true })), ...everywhere({ kind: 'list', users: [] })), /is not in eu-central-1/, /is not in us-east-1/);
});

test('Regions whose users nobody listed are found', () => {
  finds(historyOf({ kind: 'list', users: [] }), /nobody listed the users of us-east-1/);
});

test('a user who cannot sign in at the end, in one Region, is found', () => {
  finds(historyOf(...born, signIn(0, { final: true }), signIn(0, { final: true, region: away, ...refused }), ...listed()), /nobody signs in at the end in us-east-1/);
  finds(historyOf(...born, signIn(0, { final: true }), ...listed()), /nobody signs in at the end in us-east-1/);
});

test('an old password that is accepted where its end was asked for is found', () => {
  finds(historyOf(...born, changed, signIn(0, { asked: at(3), region: away }), ...ending(1)), /us-east-1 accepted password 0 of ann at or after 3@/);
});

test('an old password that is accepted by a Region that had proved to know of its end is found', () => {
  const proof = { kind: 'verdict', asked: at(7), region: away };
  finds(historyOf(...born, changed, proof, signIn(0, { region: away }), ...ending(1)), /us-east-1 accepted password 0/);
  // Not the other Region, and not before.
  finds(historyOf(...born, changed, proof, signIn(0), ...ending(1)));
  finds(historyOf(...born, changed, signIn(0, { region: away }), proof, ...ending(1)));
  // A refusal for want of the position proves nothing.
  finds(historyOf(...born, changed, { ...proof, outcome: 'undone' }, signIn(0, { region: away }), ...ending(1)));
  // Nor does a position of another epoch.
  finds(historyOf(...born, changed, { ...proof, asked: at(7, 2) }, signIn(0, { region: away }), ...ending(1)));
});

test('an old password that is accepted at the end is found', () => {
  finds(historyOf(...born, changed, signIn(0, { region: away, final: true }), ...ending(1)), /us-east-1 accepts password 0 of ann at the end, who has 1/);
});

test('a right password that is refused where its position was asked for is found', () => {
  finds(historyOf(...born, changed, signIn(1, { asked: at(3), region: away, ...refused }), ...ending(1)), /us-east-1 refused password 1/);
  // Not while the next change is under way.
  const next = { ...changed, password: 2, position: at(4), start: 3, end: 9 };
  finds(historyOf(...born, changed, { ...signIn(1, { asked: at(3), ...refused }), start: 4 }, next, ...ending(2)));
});

test('a change whose outcome is open may have been made or not, and nothing else', () => {
  const open = { kind: 'setPassword', user, password: 1, outcome: 'unknown' };
  finds(historyOf(...born, open, ...ending(0)));
  finds(historyOf(...born, open, ...ending(1)));
  finds(historyOf(...born, open, signIn(2, { final: true }), ...ending(1)), /accepts password 2/);
});

test('a confirmation whose outcome is open may have been made or not', () => {
  const open = [born[0], { kind: 'confirm', user, password: 0, outcome: 'unknown' }];
  finds(historyOf(...open, ...ending(0)));
  finds(historyOf(...open, ...everywhere(signIn(0, { final: true, ...refused })), ...listed()));
  finds(historyOf(born[0], ...ending(0)), /eu-central-1 accepts password 0 of ann at the end, who has none/, /us-east-1 accepts/);
});

test('a token that is honoured after its revocation had been acknowledged there is found', () => {
  finds(historyOf(revoke({ region: away }), refresh({ region: away }), ...revokedEverywhere, ...listed()), /us-east-1 honoured ann session 0 after its revocation had arrived/);
});

test('a token that is honoured again after its refusal is found', () => {
  finds(
    historyOf(revoke({ region: away }), refresh({ outcome: 'refused' }), refresh({}), ...revokedEverywhere, ...listed()),
    /eu-central-1 honoured ann session 0 after its revocation had arrived/,
  );
  // A revocation whose outcome is open may arrive, and stays then.
  finds(historyOf(revoke({ outcome: 'unknown' }), refresh({ region: away, outcome: 'refused' }), refresh({ region: away }), ...listed()), /us-east-1 honoured/);
  finds(historyOf(revoke({ outcome: 'unknown' }), refresh({}), refresh({ region: away }), ...listed()));
});

test('a revoked token that some Region honours at the end, or that nobody tried there, is found', () => {
  finds(
    historyOf(revoke({ region: away }), ...everywhere(refresh({ final: true })), ...listed()),
    /eu-central-1 honours ann session 0 at the end/,
    /us-east-1 honoured/,
    /us-east-1 honours/,
    /nobody saw eu-central-1 refuse/,
    /nobody saw us-east-1 refuse/,
  );
  finds(historyOf(revoke({ region: away }), refresh({ region: away, outcome: 'refused', final: true }), ...listed()), /nobody saw eu-central-1 refuse/);
});

test('a revocation that only a lost Region had accepted may be lost with it', () => {
  finds(historyOf(revoke({ region: 'ap-south-1' }), ...everywhere(refresh({ final: true })), ...listed()));
});

const disable = (fields) => ({ kind: 'disable', user, ...fields });
const saysDisabled = { outcome: 'refused', error: 'NotAuthorizedException: User is disabled.' };

test('a disabled user is refused for good, where it is known', () => {
  const end = [...everywhere(signIn(0, { final: true, ...saysDisabled })), ...listed()];
  finds(historyOf(...born, disable({ region: away }), signIn(0), signIn(0, { region: away, ...saysDisabled }), ...end));
  finds(historyOf(...born, disable({ region: away }), signIn(0, { region: away }), ...end), /us-east-1 let ann in, whom it knew/);
  finds(historyOf(...born, disable({ region: away }), signIn(0, saysDisabled), signIn(0), ...end), /eu-central-1 let ann in, whom it knew/);
  finds(historyOf(...born, disable({ region: away }), ...everywhere(signIn(0, { final: true })), ...listed()), /us-east-1 let ann in/, /nobody saw eu-central-1 refuse ann/, /nobody saw us-east-1 refuse ann/);
  // Whether it was done may be open.
  finds(historyOf(...born, disable({ outcome: 'unknown' }), signIn(0), signIn(0, saysDisabled), signIn(0, { region: away }), ...listed()));
  finds(historyOf(...born, disable({ outcome: 'unknown' }), signIn(0, saysDisabled), signIn(0), ...listed()), /eu-central-1 let ann in/);
});

test('a disabled user whose sign-up is set aside is nobody at the end, one whose sign-up stays is disabled', () => {
  const promote = { kind: 'promote', forced: true, epoch: 2, firstSequence: 1, region: away };
  const nobody = everywhere(signIn(0, { final: true, outcome: 'refused', error: 'UserNotFoundException: User does not exist.' }));
  const setAside = [...verdicts(at(1), 'setAside'), ...verdicts(at(2), 'setAside')];
  finds(historyOf(...born, disable(), promote, ...setAside, ...nobody, ...listed([])));
  finds(historyOf(...born, disable(), promote, ...setAside, signIn(0, { final: true }), ...listed([])), /let ann in/, /accepts password 0/);
  finds(historyOf(...born, disable(), ...nobody, ...listed()), /nobody saw eu-central-1 refuse ann/, /nobody saw us-east-1 refuse ann/);
});

test('what is set aside without a forced promotion that said so is found', () => {
  const promote = { kind: 'promote', forced: true, epoch: 2, firstSequence: 3, region: away };
  const lostChange = [...born, changed];
  finds(historyOf(...lostChange, promote, ...verdicts(at(3), 'setAside'), ...ending(0)));
  // Two took the same number while they were apart.
  finds(historyOf(...lostChange, { ...promote, epoch: 1 }, ...verdicts(at(3), 'setAside'), ...ending(0)));
  finds(historyOf(...lostChange, ...verdicts(at(3), 'setAside'), ...ending(0)), /was set aside, and no forced promotion/, /was set aside/);
  finds(historyOf(...lostChange, { ...promote, forced: false }, ...verdicts(at(3), 'setAside'), ...ending(0)), /no forced/, /no forced/);
  finds(historyOf(...lostChange, { ...promote, firstSequence: 4 }, ...verdicts(at(3), 'setAside'), ...ending(0)), /no forced/, /no forced/);
  finds(historyOf(...lostChange, { ...promote, epoch: 1, region: home }, ...verdicts(at(3), 'setAside'), ...ending(0)), /no forced/, /no forced/);
});

test('a cut-off Region may refuse a password that it changed, though the change is set aside later', () => {
  const promote = { kind: 'promote', forced: true, epoch: 2, firstSequence: 3, region: away };
  finds(historyOf(...born, changed, signIn(0, { asked: at(3), ...refused }), promote, ...verdicts(at(3), 'setAside'), ...ending(0)));
  finds(historyOf(...born, signIn(0, { asked: at(2), ...refused }), changed, promote, ...verdicts(at(3), 'setAside'), ...ending(0)), /refused password 0/);
});

test('what was set aside and is there all the same is found', () => {
  const promote = { kind: 'promote', forced: true, epoch: 2, firstSequence: 3, region: away };
  finds(historyOf(...born, changed, promote, ...verdicts(at(3), 'setAside'), ...ending(1)), /accepts password 1 of ann at the end, who has 0/, /accepts password 1/);
});

test('Regions that disagree about what was set aside are found', () => {
  const promote = { kind: 'promote', forced: true, epoch: 2, firstSequence: 3, region: away };
  const [one] = verdicts(at(3), 'setAside');
  const [, other] = verdicts(at(3), 'ok');
  finds(historyOf(...born, changed, promote, one, other, ...ending(0)), /do not agree whether 3@/);
});

test('a write that is answered after another Region answered one in a later epoch is found', () => {
  const told = (...events) => checkOneWriter(historyOf(...born, ...events));
  const later = { ...changed, region: away, position: at(4, 2, away) };
  assert.deepEqual(told(changed, later, later), []);
  const [both, ...more] = told(later, changed);
  assert.match(both, /eu-central-1 answered a write at 3@1\.eu-central-1\..* after us-east-1 had answered one at 4@2\.us-east-1/);
  assert.deepEqual(more, []);
  // Sent before, answered after: it may have been answered there before.
  assert.deepEqual(told(later, { ...changed, start: 1 }), []);
  assert.deepEqual(told(later, { ...changed, outcome: 'undone' }, { ...changed, outcome: 'unknown' }), []);
});

test('an epoch of two Regions is found', () => {
  const [two, ...more] = checkOneWriter(historyOf(...born, { ...changed, region: away, position: at(3, 1, away) }));
  assert.match(two, /two epochs 1: 1\.eu-central-1\.0+ and 1\.us-east-1\.0+/);
  assert.deepEqual(more, []);
});

test('positions are read, and outcomes are counted', () => {
  assert.deepEqual(parsePosition(at(42, 7)), { sequence: 42, epoch: epoch(7), counter: 7, leader: home });
  assert.deepEqual(summary(historyOf(signIn(0, {}), signIn(0, {}), signIn(1, refused))), { 'signIn ok': 2, 'signIn refused': 1 });
});

test('errors of the SDK are outcomes: only an answer that decides is a refusal', () => {
  const error = (name, httpStatusCode, message = '') => ({ name, message, $metadata: { httpStatusCode } });
  assert.equal(outcomeOf(error('NotAuthorizedException', 400, 'Incorrect username or password.')), 'refused');
  assert.equal(outcomeOf(error('NotAuthorizedException', 400, 'Password attempts exceeded')), 'undone');
  assert.equal(outcomeOf(error('OperationNotEnabledException', 400)), 'undone');
  assert.equal(outcomeOf(error('DurabilityUnavailableException', 503)), 'undone');
  assert.equal(outcomeOf(error('ServiceUnavailableException', 503)), 'unknown');
  assert.equal(outcomeOf(error('WriteUnconfirmedException', 409)), 'unknown');
  assert.equal(outcomeOf(error('WriteSetAsideException', 409)), 'setAside');
  assert.equal(outcomeOf(error('SyntaxError', 200, 'cut off')), 'unknown');
  assert.equal(outcomeOf({ name: 'TimeoutError', message: '' }), 'unknown');
});
