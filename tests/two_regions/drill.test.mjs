// The loss of a primary is rehearsed with `symbolon replication drill`: what it reports, what it leaves, and when it refuses.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  ListGroupsCommand,
  ListUserPoolClientsCommand,
  ListUsersCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Lab, program } from '../lib/lab.mjs';
import { createReplicatedPool, describeReplication, untilReplica } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = lab.cognito();
// A pool that asks more of its users than a name.
const pool = await createReplicatedPool(lab, {
  UsernameAttributes: ['email'],
  Schema: [{ Name: 'given_name', AttributeDataType: 'String', Required: true }],
  Policies: { PasswordPolicy: { MinimumLength: 40, RequireSymbols: true, RequireUppercase: true } },
});

function drill(...flags) {
  const child = spawn(program('symbolon'), ['replication', 'drill', pool.Id, '--dir', lab.dir, ...flags]);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  const ended = new Promise((resolve) => child.once('exit', (status) => resolve({ status, text })));
  return { child, ended };
}

// Everything of the pool that a drill could have left.
async function remains() {
  const ask = { UserPoolId: pool.Id };
  const [{ Groups }, { Users }, { UserPoolClients }] = await Promise.all([
    sdk.send(new ListGroupsCommand(ask)),
    sdk.send(new ListUsersCommand(ask)),
    sdk.send(new ListUserPoolClientsCommand({ ...ask, MaxResults: 60 })),
  ]);
  return [...Groups, ...Users, ...UserPoolClients];
}

const untilLedByHome = () =>
  until(`${home.name} is primary`, async () => (await describeReplication(lab, home.name, pool.Id)).Role === 'PRIMARY');

test('a drill goes there and back, loses nothing, says what people noticed, and leaves nothing', async () => {
  const file = join(lab.dir, 'drill.json');
  const { status, text } = await drill('--report', file, '--settle', '1').ended;
  console.log(text);
  assert.equal(status, 0, text);
  assert.match(text, /eu-central-1 -> us-east-1: done in [\d.]+ s; epoch \d+ from position \d+ on/);
  assert.match(text, /us-east-1 -> eu-central-1: done in/);
  assert.match(text, /writes lost: 0\nPASSED\n$/);
  const report = JSON.parse(await readFile(file, 'utf8'));
  assert.equal(report.Passed, true);
  assert.equal(report.Promotions.length, 2);
  assert.equal(report.Writes.Lost, 0);
  assert.ok(report.Writes.Acknowledged > 20, JSON.stringify(report.Writes));
  assert.equal(report.SignIns.Failed, 0);
  for (const { Found } of report.ReadBack) assert.equal(Found, report.Writes.Acknowledged);
  for (const { SecondsWithoutWrites } of report.Promotions) assert.ok(SecondsWithoutWrites > 0);
  assert.deepEqual(await remains(), []);
  await untilLedByHome();
});

test('a drill that is interrupted goes back and cleans up', async () => {
  const { child, ended } = drill('--settle', '30');
  await until('the drill writes', async () => (await remains()).length > 5);
  child.kill('SIGINT');
  const { status, text } = await ended;
  assert.equal(status, 1, text);
  assert.match(text, /ended early: interrupted\nFAILED\n$/);
  await untilLedByHome();
  assert.deepEqual(await remains(), []);
});

test('a pool that is not fit is refused with the reason, and nothing is done', async () => {
  const before = await describeReplication(lab, home.name, pool.Id);
  const refused = async (reason, ...flags) => {
    const { status, text } = await drill(...flags).ended;
    assert.equal(status, 2, text);
    assert.match(text, reason);
  };
  await refused(/ap-south-1 has no replica/, '--to', 'ap-south-1');
  await refused(/eu-central-1 is the primary already/, '--to', home.name);
  assert.equal((await describeReplication(lab, home.name, pool.Id)).Sequence, before.Sequence);
  const RegionName = away.name;
  await sdk.send(new UpdateUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName, Status: 'INACTIVE' }));
  await untilReplica(sdk, pool.Id, RegionName, 'INACTIVE');
  await refused(/us-east-1 is not ACTIVE/);
  await lab.kill(away.name);
  await refused(/us-east-1 does not answer/);
  assert.deepEqual(await remains(), []);
});
