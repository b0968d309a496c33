// What operators do to the authority itself: an etcd cluster that is restored from a backup or replaced by an empty one,
// and a topology that changes from the authority `operator` to `etcd` and back.
import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Etcd } from '../lib/etcd.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, createClient, createUser, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start({ flags: ['--authority', 'etcd'] });
let etcd;
after(() => {
  etcd?.close();
  return lab.release();
});
const [home, away] = lab.regions;
const members = [`etcd-${home.name}`, `etcd-${away.name}`, 'etcd-elsewhere'];
let pool;
let client;
let username;
before(async () => {
  pool = await createReplicatedPool(lab);
  client = await createClient(lab.cognito(), pool.Id);
  username = await createUser(lab.cognito(), pool.Id);
  etcd = await Etcd.open(lab);
});

const describe = (region) => describeReplication(lab, region.name, pool.Id);
const write = (region, GroupName = anyName('group')) =>
  call(region.api, 'CreateGroup', { UserPoolId: pool.Id, GroupName }).then((answer) => ({ ...answer, GroupName }));
const untilWrites = (region) =>
  until(`${region.name} takes a write`, async () => (await write(region)).status === 200, 30_000);
const untilAgreed = (primary) =>
  until(`all Regions take ${primary.name} for the primary, at one position`, async () => {
    const [a, b] = await Promise.all(lab.regions.map(describe));
    return a.PrimaryRegion === primary.name && b.PrimaryRegion === primary.name && a.Sequence === b.Sequence;
  }, 30_000);
// In etcd, and as the primary shows it: that a Region shows it alone may be of before the cluster was set back.
const untilRegistered = (primary) =>
  until(`the register names ${primary.name} and its epoch`, async () => {
    const { Authority, Epoch } = await describe(primary);
    const { epoch, region, released } = await etcd.register(pool.Id);
    assert.deepEqual({ epoch, region, released }, { epoch: Epoch, region: primary.name, released: false });
    return Authority.RegisteredRegion === primary.name && Authority.RegisteredEpoch === Epoch;
  }, 30_000);
const promote = (to) =>
  call(lab.endpoint(to.name), 'PromoteUserPoolReplica', { UserPoolId: pool.Id, RegionName: to.name }, { prefix: prefixes.symbolon });
// Regions that were just started may not have met: an answer that asks to try again.
const untilPromoted = (to) =>
  until(`${to.name} is promoted`, async () => {
    const answer = await promote(to);
    if (answer.status !== 200) throw new Error(`${answer.error}: ${answer.message}`);
    return true;
  }, 60_000);

const etcdFolder = (member) => join(lab.dir, 'etcd', member);
async function stopEtcd() {
  for (const member of members) await lab.stop(member);
}
// All at once: none is ready before a majority is there.
async function startEtcd() {
  await Promise.all(members.map((member) => lab.startRegion(member)));
}

async function backUpEtcd() {
  await stopEtcd();
  for (const member of members) {
    await rm(`${etcdFolder(member)}.backup`, { recursive: true, force: true });
    await cp(etcdFolder(member), `${etcdFolder(member)}.backup`, { recursive: true });
  }
  await startEtcd();
}
async function restoreEtcd() {
  await stopEtcd();
  for (const member of members) {
    await rm(etcdFolder(member), { recursive: true });
    await cp(`${etcdFolder(member)}.backup`, etcdFolder(member), { recursive: true });
  }
}

const file = (region) => join(lab.dir, 'regions', region.name, 'symbolond.toml');
const revisionOf = ({ header }) => Number(header.revision);

test('an etcd cluster restored from a backup of before a promotion: only the primary writes, and the registers follow', async () => {
  await untilWrites(home);
  await untilRegistered(home);
  await backUpEtcd();
  await untilWrites(home);
  await untilPromoted(away);
  await untilWrites(away);
  await untilAgreed(away);
  await restoreEtcd();
  // The former primary, which the backup names, is asked all the time.
  let watching = true;
  const taken = [];
  const watch = (async () => {
    while (watching) await write(home).then((answer) => answer.status === 200 && taken.push(answer.GroupName), () => {});
  })();
  try {
    await startEtcd();
    await untilWrites(away);
    await untilRegistered(away);
  } finally {
    watching = false;
    await watch;
  }
  assert.deepEqual(taken, []);
  await untilAgreed(away);
});

test('one that has come past where it was before a Region asks is found to be older all the same', async () => {
  await untilPromoted(home);
  await untilWrites(home);
  await untilRegistered(home);
  await untilAgreed(home);
  const backedUp = await etcd.register(pool.Id);
  assert.equal(backedUp.region, home.name);
  await backUpEtcd();
  await untilWrites(home);
  await untilPromoted(away);
  await untilWrites(away);
  await untilRegistered(away);
  await untilAgreed(away);
  const before = await etcd.read();
  for (const region of lab.regions) await lab.suspend(region.name);
  try {
    await restoreEtcd();
    await startEtcd();
    const restored = await until('etcd answers', () => etcd.read());
    assert.ok(revisionOf(restored) < revisionOf(before));
    assert.deepEqual(await etcd.register(pool.Id), backedUp);
    for (let revision = 0; revision <= revisionOf(before) + 10; ) revision = revisionOf(await etcd.put('/elsewhere'));
  } finally {
    for (const region of lab.regions) await lab.resume(region.name);
  }
  await untilWrites(away);
  await untilRegistered(away);
  await untilAgreed(away);
  assert.notEqual((await write(home)).status, 200);
});

test('an etcd cluster replaced by an empty one: people sign in, the primary goes on, and promotion is possible', async () => {
  await stopEtcd();
  for (const member of members) await rm(etcdFolder(member), { recursive: true });
  for (const region of lab.regions) {
    assert.ok((await signIn(lab.cognito(region.name), client, username)).AccessToken);
  }
  await startEtcd();
  await untilWrites(away);
  await untilRegistered(away);
  assert.notEqual((await write(home)).status, 200);
  await untilPromoted(home);
  await untilWrites(home);
  await untilRegistered(home);
  await untilAgreed(home);
});

const withoutEtcd = (text) =>
  text
    .split(/\n(?=\[)/)
    .filter((section) => !section.startsWith('[replication.etcd'))
    .join('\n')
    .replace('authority = "etcd"\n', '');

test('from etcd to operator and back, one Region after the other: writes go on, promotions wait for the last one', async () => {
  const configured = new Map();
  for (const region of lab.regions) configured.set(region.name, await readFile(file(region), 'utf8'));
  const change = async (region, text) => {
    await lab.stop(region.name);
    await writeFile(file(region), text);
    await lab.startRegion(region.name);
  };
  const kind = async (region) => (await describe(region)).Authority?.Kind;
  const refusedMeanwhile = async () => {
    const refused = await until('the Regions tell that they are configured differently', async () => {
      const answer = await promote(away);
      assert.notEqual(answer.status, 200);
      return /authorit/i.test(`${answer.message} ${(await describe(home)).Problem}`) && answer;
    });
    assert.equal(refused.error, 'OperationNotEnabledException');
  };

  await change(away, withoutEtcd(configured.get(away.name)));
  await untilWrites(home);
  await refusedMeanwhile();
  await change(home, withoutEtcd(configured.get(home.name)));
  await untilWrites(home);
  assert.equal(await kind(home), 'OPERATOR');
  await stopEtcd();
  await untilPromoted(away);
  await untilWrites(away);
  await untilPromoted(home);
  await untilWrites(home);

  await startEtcd();
  await change(away, configured.get(away.name));
  await untilWrites(home);
  await refusedMeanwhile();
  await change(home, configured.get(home.name));
  await untilWrites(home);
  await untilRegistered(home);
  assert.equal(await kind(home), 'ETCD');
  await untilPromoted(away);
  await untilWrites(away);
  await untilRegistered(away);
  await untilAgreed(away);
});
