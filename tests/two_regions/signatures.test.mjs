// Regions sign what they write: a primary whose store was set back or altered behind its back is noticed by the others and
// by itself, named and counted, and nothing of it is taken.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider';
import { Lab, program } from '../lib/lab.mjs';
import { createUser } from '../lib/pools.mjs';
import { createReplicatedPool, describeReplication, untilEqual, verifyCopies } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = lab.cognito(home.name, { maxAttempts: 8 });
const pool = await createReplicatedPool(lab);
const store = join(lab.dir, 'regions', home.name, 'data', 'store');

async function metric(region, name, labels = '') {
  const text = await lab.metrics(region.name);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}${labels} `));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}
const rollbacks = (region) => metric(region, 'symbolon_replication_rollbacks_found_total');

// The secondary has everything, and the primary's signature for it.
async function untilSigned() {
  const { Sequence } = await describeReplication(lab, home.name, pool.Id);
  await until('all is signed', async () =>
    (await metric(away, 'symbolon_replication_signed_sequence', `{pool="${pool.Id}"}`)) === Sequence);
}

// Both Regions say what is wrong, count it, and the primary writes nothing.
async function untilNoticed() {
  await until('the primary notices', async () => {
    const { Problem } = await describeReplication(lab, home.name, pool.Id);
    return /other Regions hold entries that this store signed and does not have/.test(Problem);
  });
  await until('the secondary notices', async () => {
    const { Problem } = await describeReplication(lab, away.name, pool.Id);
    return /the primary lacks entries that it wrote|no(t a)? connection|not the primary/.test(Problem);
  });
  assert.equal(await rollbacks(home), 1);
  assert.equal(await metric(home, 'symbolon_replication_admits_writes', `{pool="${pool.Id}"}`), 0);
  assert.match(await lab.symbolon('replication', 'status', '--dir', lab.dir), /it was set back or altered, and writes nothing/);
  await assert.rejects(createUser(lab.cognito(home.name, { maxAttempts: 1 }), pool.Id), { name: 'ServiceUnavailableException' });
}

const has = async (region, Username) => {
  const cognito = lab.cognito(region.name);
  await cognito.send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username }));
};

// The way out: the store is marked as another one, and the Region that has everything goes on.
async function recover() {
  await lab.stop(home.name);
  await run(program('symbolond'), ['--config', join(lab.dir, 'regions', home.name, 'symbolond.toml'), '--restored']);
  await lab.startRegion(home.name);
  await until('the other Region goes on', async () => {
    await lab.symbolon('replication', 'promote', pool.Id, '--to', away.name, '--force', '--dir', lab.dir);
    return true;
  });
  assert.equal(await untilEqual(lab, pool.Id), away.name);
  await verifyCopies(lab, pool.Id);
  await lab.symbolon('replication', 'promote', pool.Id, '--to', home.name, '--dir', lab.dir);
  assert.equal(await untilEqual(lab, pool.Id), home.name);
}

test('what a secondary has is signed by the primary', async () => {
  await createUser(sdk, pool.Id);
  await untilSigned();
  assert.equal(await metric(away, 'symbolon_replication_signatures_refused_total'), 0);
});

test('a primary that starts on an older backup, without being told so, writes nothing, and nothing is taken back', async () => {
  await lab.stop(home.name);
  await cp(store, `${store}.backup`, { recursive: true });
  await lab.startRegion(home.name);
  const username = await createUser(sdk, pool.Id);
  await untilSigned();

  await lab.stop(home.name);
  await rm(store, { recursive: true });
  await rename(`${store}.backup`, store);
  await lab.startRegion(home.name);
  await untilNoticed();
  await has(away, username);

  await recover();
  await has(home, username);
});

test('a primary whose newest entry was rewritten behind its back is noticed, and the others keep what it signed', async () => {
  const username = await createUser(sdk, pool.Id);
  await untilSigned();
  const before = await describeReplication(lab, away.name, pool.Id);
  await lab.stop(home.name);
  await run(program('symbolon_tamper'), [store, pool.Id, 'rewrite']);
  await lab.startRegion(home.name);
  await untilNoticed();
  assert.equal((await describeReplication(lab, away.name, pool.Id)).Position, before.Position);
  await has(away, username);
  await recover();
});
