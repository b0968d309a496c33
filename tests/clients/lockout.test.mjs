import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { createClient, createPool, createUser, signIn } from '../lib/pools.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito);
const client = await createClient(cognito, pool.Id);

const guess = (username) => signIn(cognito, client, username, { pass: 'Wrong-horse-7' });

test('the fifth wrong password locks, also for the right one, and the lock passes', async () => {
  const username = await createUser(cognito, pool.Id);
  for (let i = 0; i < 5; ++i) await fails(guess(username), 'NotAuthorizedException', 'Incorrect username or password.');
  await fails(signIn(cognito, client, username), 'NotAuthorizedException', 'Password attempts exceeded');
  assert.ok(await until('the lock passes', () => signIn(cognito, client, username)));
});

test('success forgets earlier failures', async () => {
  const username = await createUser(cognito, pool.Id);
  for (let round = 0; round < 3; ++round) {
    for (let i = 0; i < 4; ++i) await fails(guess(username), 'NotAuthorizedException', 'Incorrect username or password.');
    assert.ok((await signIn(cognito, client, username)).AccessToken);
  }
});

test('guesses side by side get no more attempts than one after the other', async () => {
  const username = await createUser(cognito, pool.Id);
  const answers = await Promise.allSettled(Array.from({ length: 30 }, () => guess(username)));
  const judged = answers.filter((each) => each.reason?.message === 'Incorrect username or password.');
  const locked = answers.filter((each) => each.reason?.message === 'Password attempts exceeded');
  assert.equal(judged.length + locked.length, 30);
  assert.ok(judged.length <= 8, `${judged.length} passwords were judged`);
});
