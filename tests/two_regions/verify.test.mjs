// The Regions' copies are compared: equal while people sign up, differing after somebody wrote behind a store's back, and
// not comparable while a Region is lost.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, test } from 'node:test';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SignUpCommand } from '@aws-sdk/client-cognito-identity-provider';
import { Lab, program } from '../lib/lab.mjs';
import { anyName, createClient, password } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication, untilCaughtUp } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const run = promisify(execFile);
const userType = '9';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = lab.cognito();
const pool = await createReplicatedPool(lab);
const client = await createClient(sdk, pool.Id);
const signUp = () => sdk.send(new SignUpCommand({ ClientId: client.ClientId, Username: anyName(), Password: password }));

// { status, text }
async function verify(...flags) {
  try {
    return { status: 0, text: await lab.symbolon('replication', 'verify', pool.Id, '--dir', lab.dir, ...flags) };
  } catch (error) {
    return { status: error.code, text: error.stdout + error.stderr };
  }
}
const verifyAsJson = async () => JSON.parse((await verify('--json')).text);

// Writes behind the back of a Region that is stopped for it; the key of the record.
async function tamper(region, index, what) {
  await lab.stop(region.name);
  const store = join(lab.dir, 'regions', region.name, 'data', 'store');
  const { stdout } = await run(program('symbolon_tamper'), [store, pool.Id, userType, String(index), what]);
  await lab.startRegion(region.name);
  await until(`${away.name} follows`, async () => {
    const { Members } = await describeReplication(lab, home.name, pool.Id);
    return Members[0].Connected && Members[0].LagEntries === 0;
  });
  return stdout.trim();
}

test('copies are equal at one position while people sign up, whichever Region compares', async () => {
  await inParallel(4, async () => {
    for (let i = 0; i < 25; ++i) await signUp();
  });
  let signing = true;
  const load = inParallel(4, async () => {
    while (signing) await signUp();
  });
  try {
    for (const region of [home, away, home]) {
      const { status, text } = await verify('--region', region.name);
      assert.equal(status, 0, text);
      assert.match(text, /^eu-central-1_\w+: \S+-1 and \S+-1 are equal at position \d+: \d+ records, /m);
    }
  } finally {
    signing = false;
    await load;
  }
  const { LastVerification } = await describeReplication(lab, home.name, pool.Id);
  assert.equal(LastVerification.Outcome, 'EQUAL');
  assert.match(await lab.metrics(), new RegExp(`symbolon_replication_verified_differences{pool="${pool.Id}"} 0\n`));
});

test('a record that was changed, removed or added behind a store is found and named', async () => {
  const changed = await tamper(away, 3, 'change');
  const { status, text } = await verify();
  assert.equal(status, 1, text);
  assert.match(text, /eu-central-1 and us-east-1 DIFFER in 1 record at position \d+/);
  assert.match(text, new RegExp(`^  user ${changed}: \\S+ has \\w+\\.\\.\\.; \\S+ has \\w+\\.\\.\\.$`, 'm'));

  const removed = await tamper(away, 5, 'remove');
  const added = await tamper(home, 7, 'add');
  const report = await verifyAsJson();
  assert.equal(report.Outcome, 'DIFFERING');
  assert.equal(report.DifferenceCount, 3);
  const found = Object.fromEntries(report.Differences.map((difference) => [difference.Key, difference]));
  assert.deepEqual(Object.keys(found).sort(), [changed, removed, added].sort());
  const missingIn = (key) => found[key].Versions.filter((version) => version.Missing).flatMap((version) => version.Regions);
  assert.deepEqual(missingIn(changed), []);
  assert.deepEqual(missingIn(removed), [away.name]);
  assert.deepEqual(missingIn(added), [away.name]);
  assert.match(await lab.metrics(), new RegExp(`symbolon_replication_verified_differences{pool="${pool.Id}"} 3\n`));
  assert.match(await lab.symbolon('replication', 'status', '--dir', lab.dir), /the copies DIFFER at position \d+: 3 records/);
});

test('a Region that is lost, before or while the copies are compared, is named and nothing is claimed', async () => {
  await untilCaughtUp(lab, pool.Id);
  // Slow enough to be under way when the Region dies.
  const comparing = verify('--region', home.name, '--records-per-second', '10');
  await until('the Regions are read', async () => {
    const { body } = await call(
      lab.endpoint(home.name),
      'DescribeReplicationVerification',
      { UserPoolId: pool.Id },
      { prefix: prefixes.symbolon },
    );
    return body.Verification.Status === 'READING';
  });
  await lab.kill(away.name);
  for (const { status, text } of [await comparing, await verify()]) {
    assert.equal(status, 2, text);
    assert.match(text, /us-east-1 was not compared: Region us-east-1 does not answer/);
  }
  await lab.startRegion(away.name);
});
