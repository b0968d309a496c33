// Re-encryption of a pool whose primary Region changes in the middle: the new primary goes on where the former one was.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Lab } from '../lib/lab.mjs';
import { createClient, createUser, signIn } from '../lib/pools.mjs';
import { ask, createReplicatedPool, untilCaughtUp, verifyCopies } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions.map(({ name }) => name);
const cognito = { [home]: lab.cognito(home, { maxAttempts: 8 }), [away]: lab.cognito(away, { maxAttempts: 8 }) };

const pool = await createReplicatedPool(lab);
const UserPoolId = pool.Id;
const client = await createClient(cognito[home], UserPoolId);
const people = (await inParallel(4, async () => {
  const made = [];
  for (let i = 0; i < 30; ++i) made.push(await createUser(cognito[home], UserPoolId));
  return made;
})).flat();
await untilCaughtUp(lab, UserPoolId);

const work = async (region) => (await ask(lab, region, 'DescribeReencryption', { UserPoolId })).Reencryption;
const dataKeys = async (region) => (await ask(lab, region, 'DescribeUserPoolKey', { UserPoolId })).DataKeys.length;

test('a planned promotion in the middle of a re-encryption: it goes on at the new primary, and the copies are equal', async () => {
  await ask(lab, home, 'RotateUserPoolKey', { UserPoolId });
  await ask(lab, home, 'ReencryptUserPool', { UserPoolId, RecordsPerSecond: 20 });
  const before = await until('some of it is done', async () => {
    const told = await work(home);
    return told.RecordsReencrypted > 20 && told;
  });
  assert.equal(before.Status, 'RUNNING');

  const promoted = await ask(lab, home, 'PromoteUserPoolReplica', { UserPoolId, RegionName: away });
  assert.equal(promoted.Primary, away);
  const later = await until('it goes on at the new primary', async () => {
    const told = await work(away);
    return told.RecordsReencrypted > before.RecordsReencrypted + 8 && told;
  });
  assert.equal(later.Status, 'RUNNING', 'the pace is that of the request');
  assert.equal(later.StartedAt, before.StartedAt);
  assert.equal(await dataKeys(away), 2);
  for (const region of [home, away]) await signIn(cognito[region], client, people[0]);

  await ask(lab, away, 'ReencryptUserPool', { UserPoolId, RecordsPerSecond: 0 });
  const done = await until('it is done', async () => {
    const told = await work(away);
    return told.Status === 'DONE' && told;
  });
  assert.equal(done.StartedAt, before.StartedAt, 'one work, not two');
  for (const region of [home, away]) {
    await until(`${region} has one data key`, async () => (await dataKeys(region)) === 1);
  }
  await verifyCopies(lab, UserPoolId);
  for (const region of [home, away]) for (const one of people.slice(0, 10)) await signIn(cognito[region], client, one);
});
