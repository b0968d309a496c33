// What a pool's durability promises, and what a stopped and a killed Region make of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider';
import { Lab } from '../lib/lab.mjs';
import { anyName } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication, untilCaughtUp } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;
const there = lab.cognito(secondary.name);
let pool;
before(async () => {
  pool = await createReplicatedPool(lab);
});

// What the CLI says is what the operation takes.
const setDurability = (...words) => lab.symbolon('replication', 'durability', pool.Id, ...words, '--dir', lab.dir);
const durability = async () => (await describeReplication(lab, primary.name, pool.Id)).Durability;
const untilInReach = () => until('a replica is in reach', async () => !(await durability()).OutOfReach);

// Does `work` while the secondary does not run, though its connections stand.
async function whileStopped(work) {
  await lab.suspend(secondary.name);
  try {
    return await work();
  } finally {
    await lab.resume(secondary.name);
  }
}
async function whileKilled(work) {
  await lab.kill(secondary.name);
  try {
    return await work();
  } finally {
    await lab.startRegion(secondary.name);
  }
}

const write = (GroupName = anyName('group')) =>
  call(primary.api, 'CreateGroup', { UserPoolId: pool.Id, GroupName }).then((answer) => ({ ...answer, GroupName }));
const read = (region, position) =>
  call(region.api, 'DescribeUserPool', { UserPoolId: pool.Id }, { headers: { 'x-symbolon-position': position } });

function refused(answer) {
  assert.equal(answer.error, 'DurabilityUnavailableException', answer.message);
  assert.equal(answer.status, 503);
  assert.match(answer.message, /^Nothing was changed: /);
  assert.equal(answer.headers.get('retry-after'), '1');
}

test('async: a lost replica delays no write', async () => {
  await whileKilled(async () => assert.equal((await write()).status, 200));
});

test('sync: an acknowledged write is in the replica at once', async () => {
  assert.match(await setDurability('sync', '--refuse'), /"SYNC"/);
  await untilInReach();
  for (let i = 0; i < 20; ++i) {
    const written = await write();
    assert.equal(written.status, 200, written.message);
    assert.equal(written.headers.get('x-symbolon-durability'), null);
    // No waiting: what was acknowledged is there already.
    const { Sequence } = await describeReplication(lab, secondary.name, pool.Id);
    assert.ok(Sequence >= Number(written.headers.get('x-symbolon-position').split('@')[0]));
  }
});

test('sync, the replica stops: one outcome is unknown and can be found out, then writes are refused until it goes on', async () => {
  await untilInReach();
  const unknown = await whileStopped(async () => {
    const first = await write();
    assert.equal(first.error, 'WriteUnconfirmedException', first.message);
    assert.equal(first.status, 409);
    refused(await write());
    assert.equal((await durability()).OutOfReach, true);
    assert.match(await lab.metrics(), new RegExp(`symbolon_durability_out_of_reach{pool="${pool.Id}"} 1\n`));
    return first;
  });
  await untilInReach();
  assert.equal((await write()).status, 200);
  // The position that came with it tells: the replica has it.
  assert.equal((await read(secondary, unknown.headers.get('x-symbolon-position'))).status, 200);
});

test('sync, the replica is killed: writes are refused until it is back', async () => {
  await untilInReach();
  await whileKilled(async () => {
    await until('the primary has noticed', async () => (await durability()).OutOfReach);
    const answer = await write();
    refused(answer);
    const again = await write(answer.GroupName);
    refused(again);
  });
  await untilInReach();
  assert.equal((await write()).status, 200);
});

test('sync that falls back: writes go on, and say that no replica has them', async () => {
  await setDurability('sync', '--fallback');
  await untilInReach();
  for (const meanwhile of [whileStopped, whileKilled]) {
    await meanwhile(async () => {
      for (let i = 0; i < 3; ++i) {
        const written = await write();
        assert.equal(written.status, 200, written.message);
        assert.equal(written.headers.get('x-symbolon-durability'), 'fell-back');
      }
      assert.equal((await durability()).OutOfReach, true);
    });
    await untilInReach();
    await until('writes are confirmed again', async () => (await write()).headers.get('x-symbolon-durability') === null);
  }
  assert.match(await lab.metrics(), /symbolon_durability_writes_total{outcome="fell_back"} [1-9]/);
});

test('bounded: writes go on within the bound, are refused past it with the lag, and go on when it has shrunk', async () => {
  await setDurability('bounded', '--seconds', '1');
  await untilInReach();
  for (const meanwhile of [whileStopped, whileKilled]) {
    await meanwhile(async () => {
      assert.equal((await write()).status, 200);
      await until('the lag is past the bound', async () => (await durability()).OutOfReach);
      const answer = await write();
      refused(answer);
      assert.match(answer.message, / \d+\.\d s behind/);
    });
    await untilInReach();
    assert.equal((await write()).status, 200);
  }
});

test('bounded: the only replica that can confirm is not taken out of service', async () => {
  const idle = { UserPoolId: pool.Id, RegionName: secondary.name, Status: 'INACTIVE' };
  const answer = await call(primary.api, 'UpdateUserPoolReplica', idle);
  assert.equal(answer.error, 'InvalidParameterException', answer.message);
  assert.match(answer.message, /^Only the replica in Region [^ ]+ can confirm writes/);
});

test('the way out does not wait: an operator turns to async while nobody is in reach', async () => {
  await setDurability('sync');
  await whileKilled(async () => {
    await until('the primary has noticed', async () => (await durability()).OutOfReach);
    refused(await write());
    await setDurability('async');
    assert.equal((await write()).status, 200);
  });
  await untilCaughtUp(lab, pool.Id);
});

test('sync: whatever was acknowledged survives the loss of the primary', async () => {
  await setDurability('sync');
  await untilInReach();
  const acknowledged = [];
  let lost = false;
  const writing = inParallel(8, async (worker) => {
    for (let i = 0; !lost; ++i) {
      const Username = `user-${worker}-${i}`;
      const answer = await call(primary.api, 'AdminCreateUser', { UserPoolId: pool.Id, Username, MessageAction: 'SUPPRESS' }).catch(() => undefined);
      if (!answer) return;
      if (answer.status === 200) acknowledged.push(Username);
    }
  });
  await until('some are acknowledged', () => acknowledged.length > 100);
  await lab.kill(primary.name);
  lost = true;
  await writing;
  for (const Username of acknowledged) {
    assert.equal((await there.send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username }))).Username, Username);
  }
  // Nobody is left to confirm writes: the promotion says so, and names what helps.
  const said = await lab.symbolon('replication', 'promote', pool.Id, '--to', secondary.name, '--force', '--dir', lab.dir);
  assert.match(said, /no write goes on: its durability is sync \(refuse\)/);
  const writeThere = () => call(secondary.api, 'CreateGroup', { UserPoolId: pool.Id, GroupName: anyName('group') });
  assert.notEqual((await writeThere()).status, 200);
  const [, command] = said.match(/^ {4}symbolon (.*)$/m);
  await lab.symbolon(...command.split(' '), '--dir', lab.dir);
  assert.equal((await writeThere()).status, 200);
  await lab.startRegion(primary.name);
});
