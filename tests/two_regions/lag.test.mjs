// The figures of lag tell the truth: while a Region keeps up, stands still, is gone, and when the primary has forgotten it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { AdminUpdateUserAttributesCommand } from '@aws-sdk/client-cognito-identity-provider';
import { Lab } from '../lib/lab.mjs';
import { createUser } from '../lib/pools.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;
const cognito = lab.cognito();
const pool = await createReplicatedPool(lab);
const Username = await createUser(cognito, pool.Id);

const seconds = () => performance.now() / 1_000;
// A wall clock sets an entry's time; it may be set while a test runs, and counts in microseconds.
const toleranceSeconds = 0.005;

async function update(given_name) {
  const UserAttributes = [{ Name: 'given_name', Value: given_name }];
  await cognito.send(new AdminUpdateUserAttributesCommand({ UserPoolId: pool.Id, Username, UserAttributes }));
}

// As the metrics have it, with the moments before and after they were read.
async function lag() {
  const before = seconds();
  const text = await lab.metrics();
  const read = (name) => Number(text.match(new RegExp(`^${name}{pool="${pool.Id}",region="${secondary.name}"} (.*)$`, 'm'))[1]);
  return { entries: read('symbolon_replication_lag_entries'), seconds: read('symbolon_replication_lag_seconds'), before, after: seconds() };
}

const untilNoLag = () =>
  until('no lag is left', async () => {
    const now = await lag();
    return now.entries === 0 && now.seconds === 0;
  });

test('a Region that keeps up has no lag', async () => {
  await update('before');
  await untilCaughtUp(lab, pool.Id);
  await untilNoLag();
});

test('what a Region that stands still lacks is counted, and its age grows from the first of it', async () => {
  await lab.suspend(secondary.name);
  try {
    const sent = seconds();
    await update('while it stands still 1');
    const answered = seconds();
    for (let i = 2; i <= 20; ++i) await update(`while it stands still ${i}`);
    for (let look = 0; look < 5; ++look) {
      const now = await lag();
      assert.equal(now.entries, 20);
      assert.ok(now.seconds >= now.before - answered - toleranceSeconds, `${now.seconds} s are too few`);
      assert.ok(now.seconds <= now.after - sent + toleranceSeconds, `${now.seconds} s are too many`);
    }
    assert.match(await lab.symbolon('replication', 'status', '--dir', lab.dir), new RegExp(`${secondary.name} .* 20 entries, [0-9.]+ s`));
  } finally {
    await lab.resume(secondary.name);
  }
  await untilCaughtUp(lab, pool.Id);
  await untilNoLag();
});

test('a Region that the primary has not heard since it started counts as lacking everything, for longer and longer', async () => {
  await lab.kill(secondary.name);
  await update('while it is gone');
  assert.equal((await lag()).entries, 1);
  await lab.kill(primary.name);
  await lab.startRegion(primary.name);
  const first = await lag();
  assert.ok(first.entries > 1);
  await until('its age grows', async () => (await lag()).seconds > first.seconds);
  await lab.startRegion(secondary.name);
  await untilCaughtUp(lab, pool.Id);
  await untilNoLag();
});
