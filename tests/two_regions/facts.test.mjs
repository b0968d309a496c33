// What a Region may say without the primary, and what all Regions keep through any loss, promotion and return: users
// disabled and enabled, tokens revoked, failed attempts.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminDisableUserCommand,
  AdminEnableUserCommand,
  AdminGetUserCommand,
  AdminUserGlobalSignOutCommand,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  ListUsersCommand,
  RevokeTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { createClient, createUser, refresh, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = { [home.name]: lab.cognito(), [away.name]: lab.cognito(away.name) };
const pool = await createReplicatedPool(lab);
const client = await createClient(sdk[home.name], pool.Id);

const ask = (region, Command, parameters) => sdk[region.name].send(new Command({ UserPoolId: pool.Id, ...parameters }));
const disable = (region, Username) => ask(region, AdminDisableUserCommand, { Username });
const enable = (region, Username) => ask(region, AdminEnableUserCommand, { Username });
const isEnabled = async (region, Username) => (await ask(region, AdminGetUserCommand, { Username })).Enabled;
const enters = (region, username, options) => signIn(sdk[region.name], client, username, options);

async function disabledIn(region) {
  const { Users } = await ask(region, ListUsersCommand, { Filter: 'status = "Disabled"' });
  assert.ok(Users.every((user) => user.Enabled === false));
  return Users.map((user) => user.Username);
}

const serves = (region) => until(`${region.name} serves`, () => ask(region, ListUsersCommand, { Limit: 1 }));

async function restart(region) {
  await lab.startRegion(region.name);
  await serves(region);
}

// Facts of a Region arrive in order: when the last one is there, so are all before it.
const marker = await createUser(sdk[home.name], pool.Id);
async function untilTold(from, to) {
  await enable(from, marker);
  await disable(from, marker);
  const { UserLastModifiedDate } = await ask(from, AdminGetUserCommand, { Username: marker });
  await until(`${to.name} has heard what ${from.name} said`, async () => {
    const seen = await ask(to, AdminGetUserCommand, { Username: marker });
    return !seen.Enabled && seen.UserLastModifiedDate >= UserLastModifiedDate;
  });
}

// Entries of facts that `from` has and `to` has not acknowledged.
async function unacknowledged(from, to) {
  const { UnacknowledgedFacts } = await describeReplication(lab, from.name, pool.Id);
  return UnacknowledgedFacts.find(({ Region }) => Region === to.name).Entries;
}

async function promote(to, options = {}) {
  const request = { UserPoolId: pool.Id, RegionName: to.name, ...options };
  const answer = await call(lab.endpoint(to.name), 'PromoteUserPoolReplica', request, { prefix: prefixes.symbolon });
  assert.equal(answer.status, 200, answer.message);
  const other = to === home ? away : home;
  if (options.Force) return;
  await until('both Regions are at one position', async () => {
    const [a, b] = await Promise.all([to, other].map((region) => describeReplication(lab, region.name, pool.Id)));
    return a.Epoch === b.Epoch && a.Sequence === b.Sequence;
  });
}

async function isOut(region, username, tokens) {
  await fails(enters(region, username), 'NotAuthorizedException', 'User is disabled.');
  await fails(refresh(sdk[region.name], client, tokens.RefreshToken), 'NotAuthorizedException');
  await fails(sdk[region.name].send(new GetUserCommand({ AccessToken: tokens.AccessToken })), 'NotAuthorizedException');
  assert.equal(await isEnabled(region, username), false);
  assert.ok((await disabledIn(region)).includes(username));
}

test('a user disabled while the primary is dead stays so through its return, a forced promotion and the way back', async () => {
  const [first, second, signedOut] = await Promise.all([1, 2, 3].map(() => createUser(sdk[home.name], pool.Id)));
  const tokens = await enters(home, first);
  const others = await enters(home, second);
  const revoked = await enters(home, signedOut);
  const leaving = await enters(home, signedOut);
  await untilCaughtUp(lab, pool.Id);
  await until('each has the facts of the other', async () => !(await unacknowledged(home, away)) && !(await unacknowledged(away, home)));

  await lab.kill(home.name);
  await disable(away, first);
  await isOut(away, first, tokens);
  await sdk[away.name].send(new RevokeTokenCommand({ Token: revoked.RefreshToken, ClientId: client.ClientId }));
  assert.ok((await unacknowledged(away, home)) >= 2);
  assert.match(await lab.symbolon('replication', 'status', '--dir', lab.dir), new RegExp(`\\n    ${home.name} has not acknowledged [0-9]+ entries of facts\\n`));
  // The Region that said it is lost as well, before it could tell.
  await lab.kill(away.name);
  await restart(away);
  await isOut(away, first, tokens);
  await restart(home);
  await until('the primary knows', async () => !(await isEnabled(home, first)));
  await until('it has all that was said while it was dead', async () => (await unacknowledged(away, home)) === 0);
  await isOut(home, first, tokens);

  await lab.kill(home.name);
  await disable(away, second);
  await promote(away, { Force: true });
  await ask(away, AdminUserGlobalSignOutCommand, { Username: signedOut });
  await isOut(away, first, tokens);
  await restart(home);
  await until('the former primary knows', async () => !(await isEnabled(home, second)));
  await isOut(home, first, tokens);
  await isOut(home, second, others);

  // The former primary, a secondary now, enables again.
  await enable(home, first);
  await until('the primary knows', () => isEnabled(away, first));
  assert.ok((await enters(away, first)).AccessToken);
  await fails(refresh(sdk[away.name], client, tokens.RefreshToken), 'NotAuthorizedException');

  await promote(home);
  await untilTold(away, home);
  for (const region of lab.regions) {
    assert.equal(await isEnabled(region, first), true);
    await isOut(region, second, others);
    for (const token of [revoked.RefreshToken, leaving.RefreshToken]) {
      await fails(refresh(sdk[region.name], client, token), 'NotAuthorizedException');
    }
  }
});

test('users disabled in a Region that knew nothing of the enabling elsewhere stay disabled when the Regions meet', async () => {
  const [again, once] = await Promise.all([1, 2].map(() => createUser(sdk[home.name], pool.Id)));
  for (const username of [again, once]) await disable(home, username);
  await untilCaughtUp(lab, pool.Id);
  await untilTold(home, away);

  await lab.kill(away.name);
  for (const username of [again, once]) {
    await enable(home, username);
    assert.ok((await enters(home, username)).AccessToken);
  }
  await lab.kill(home.name);
  await restart(away);
  await disable(away, again);
  await restart(home);

  await until('both are of one mind', async () => {
    const told = await Promise.all(lab.regions.map((region) => disabledIn(region)));
    return told.every((names) => names.includes(again) && !names.includes(once));
  });
  for (const region of lab.regions) assert.ok((await enters(region, once)).AccessToken);
});

test('a refresh token rotated in two cut-off Regions is worth nothing once they have met', async () => {
  const rotating = await createClient(sdk[home.name], pool.Id, {
    ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'],
    RefreshTokenRotation: { Feature: 'ENABLED', RetryGracePeriodSeconds: 0 },
  });
  const username = await createUser(sdk[home.name], pool.Id);
  const { RefreshToken } = await signIn(sdk[home.name], rotating, username);
  const rotate = (region, token) =>
    sdk[region.name]
      .send(new GetTokensFromRefreshTokenCommand({ ClientId: rotating.ClientId, RefreshToken: token }))
      .then((answer) => answer.AuthenticationResult);
  await untilCaughtUp(lab, pool.Id);

  await lab.kill(away.name);
  const mine = await rotate(home, RefreshToken);
  await lab.kill(home.name);
  await restart(away);
  const theirs = await rotate(away, RefreshToken); // honoured: this Region cannot know
  await rotate(away, theirs.RefreshToken);
  await restart(home);
  await untilTold(away, home);
  await untilTold(home, away);

  // What the other holder has is used up; that it is used again ends the family, in both Regions.
  await assert.rejects(rotate(home, mine.RefreshToken), { name: /RefreshTokenReuse|NotAuthorized/ });
  await untilTold(home, away);
  for (const region of lab.regions) {
    for (const token of [RefreshToken, mine.RefreshToken, theirs.RefreshToken]) {
      await assert.rejects(rotate(region, token), { name: /RefreshTokenReuse|NotAuthorized/ });
    }
    await fails(sdk[region.name].send(new GetUserCommand({ AccessToken: mine.AccessToken })), 'NotAuthorizedException');
  }
});

async function activity(region, Username) {
  const request = { UserPoolId: pool.Id, Username };
  const answer = await call(lab.endpoint(region.name), 'DescribeUserActivity', request, { prefix: prefixes.symbolon });
  assert.equal(answer.status, 200, answer.message);
  return answer.body;
}
const failedAttempts = async (region, username) => (await activity(region, username)).FailedAttempts;

// Guesses until `count` passwords were judged; answers how long it took, in seconds. A lock of n seconds may end up to
// one early: its beginning is kept to the second.
async function guess(region, username, count) {
  const started = performance.now();
  await until(`${count} guesses in ${region.name}`, async () => {
    await assert.rejects(enters(region, username, { pass: 'Wrong-horse-7' }), (error) => {
      assert.equal(error.name, 'NotAuthorizedException');
      if (error.message === 'Incorrect username or password.') --count;
      else assert.equal(error.message, 'Password attempts exceeded');
      return true;
    });
    return count === 0;
  }, 60_000);
  return (performance.now() - started) / 1000;
}

test('guesses in two Regions share one budget, also while the primary is away, and a success begins anew in both', async () => {
  const username = await createUser(sdk[home.name], pool.Id);
  await untilCaughtUp(lab, pool.Id);

  await guess(home, username, 4);
  await untilTold(home, away);
  assert.equal(await failedAttempts(away, username), 4);
  // The fifth to the eighth of all. Before the last three there are locks of one, two and four seconds; where each Region
  // counts for itself there is none.
  assert.ok((await guess(away, username, 4)) >= 4, 'four guesses are free in every Region');
  await untilTold(away, home);
  for (const region of lab.regions) assert.equal(await failedAttempts(region, username), 8);
  await until('the lock of both passes', () => enters(home, username));
  await untilTold(home, away);
  for (const region of lab.regions) assert.equal(await failedAttempts(region, username), 0);

  await guess(away, username, 4);
  await lab.kill(home.name);
  await guess(away, username, 1);
  await restart(home);
  await untilTold(away, home);
  assert.equal(await failedAttempts(home, username), 5);
  // The sixth and seventh of all, with two seconds between them.
  assert.ok((await guess(home, username, 2)) >= 1, 'what was guessed while the primary was dead does not count');
});

test('the last sign-in is told in every Region, wherever it was', async () => {
  const [one, two] = await Promise.all([1, 2].map(() => createUser(sdk[home.name], pool.Id)));
  await untilCaughtUp(lab, pool.Id);
  assert.equal((await activity(away, one)).LastSignIn, undefined);
  const before = Date.now() / 1000;
  await enters(home, one);
  await enters(away, two);
  for (const region of lab.regions) {
    for (const username of [one, two]) {
      const { LastSignIn } = await until(`${region.name} knows`, async () => {
        const told = await activity(region, username);
        return told.LastSignIn && told;
      });
      assert.ok(LastSignIn > before - 1 && LastSignIn < Date.now() / 1000 + 1, `${LastSignIn}`);
    }
  }
});
