// An etcd cluster decides who is primary: a planned change, the loss and the stop of the primary with automatic
// promotion, and a primary that is cut off from etcd.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider';
import { Lab } from '../lib/lab.mjs';
import { anyName, createClient, createUser, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

// As the lab has them.
const leaseMs = 5_000;
const tenureMs = 15_000;
const lab = await Lab.start({ flags: ['--authority', 'etcd', '--automatic-promotion'] });
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = { [home.name]: lab.cognito(), [away.name]: lab.cognito(away.name) };
const other = (region) => (region === home ? away : home);
let pool;
let client;
let username;
before(async () => {
  pool = await createReplicatedPool(lab);
  client = await createClient(sdk[home.name], pool.Id);
  username = await createUser(sdk[home.name], pool.Id);
});

const describe = (region) => describeReplication(lab, region.name, pool.Id);
const write = (region, GroupName = anyName('group')) =>
  call(region.api, 'CreateGroup', { UserPoolId: pool.Id, GroupName }).then((answer) => ({ ...answer, GroupName }));
const exists = async (region, GroupName) =>
  (await call(region.api, 'GetGroup', { UserPoolId: pool.Id, GroupName })).status === 200;

const untilWrites = (region, deadlineMs = 30_000) =>
  until(
    `${region.name} takes a write`,
    async () => {
      const answer = await write(region);
      return answer.status === 200 && answer.GroupName;
    },
    deadlineMs,
  );
const untilEqual = () =>
  until('both Regions are at the same position', async () => {
    const [a, b] = await Promise.all(lab.regions.map(describe));
    return a.Epoch === b.Epoch && a.Sequence === b.Sequence && a.PrimaryRegion === b.PrimaryRegion;
  });
const signInAt = (region) => signIn(sdk[region.name], client, username);

async function promote(to) {
  const answer = await call(
    lab.endpoint(to.name),
    'PromoteUserPoolReplica',
    { UserPoolId: pool.Id, RegionName: to.name },
    { prefix: prefixes.symbolon },
  );
  assert.equal(answer.status, 200, answer.message);
}

async function leader() {
  const said = await Promise.all(lab.regions.map(describe));
  assert.equal(said[0].PrimaryRegion, said[1].PrimaryRegion);
  return lab.region(said[0].PrimaryRegion);
}

test('a pool is in the register from its first write on, and the register follows a planned promotion', async () => {
  await untilEqual();
  const { Authority } = await describe(home);
  assert.equal(Authority.Kind, 'ETCD');
  assert.equal(Authority.RegisteredRegion, home.name);
  assert.ok(Authority.AutomaticPromotion);
  assert.ok(Authority.LeaseRemainingSeconds > 0 && Authority.LeaseRemainingSeconds <= leaseMs / 1000);
  await promote(away);
  await untilWrites(away, 2_000);
  await until('the register names the new primary', async () => {
    const said = (await describe(home)).Authority;
    return said.RegisteredRegion === away.name && said.RegisteredEpoch === Authority.RegisteredEpoch + 1;
  });
  assert.notEqual((await write(home)).status, 200);
  await promote(home);
  await untilWrites(home, 2_000);
  await untilEqual();
  assert.match(await lab.symbolon('replication', 'status', '--dir', lab.dir), /lease \d\.\d s, automatic/);
});

// The primary still has its lease, and hands over; the next one cannot register its epoch.
test('etcd is lost as a pool is handed over: whoever asks is told so, and the next primary begins when it is back', async () => {
  const lost = ['etcd-elsewhere', `etcd-${away.name}`];
  const ask = () =>
    call(home.api, 'PromoteUserPoolReplica', { UserPoolId: pool.Id, RegionName: away.name }, { prefix: prefixes.symbolon });
  let kept;
  let told;
  for (let attempt = 0; attempt < 5 && told?.error !== 'PromotionPendingException'; ++attempt) {
    // On a machine that is busy the lease may have run out before: then nothing has changed.
    kept = await untilWrites(home);
    await untilEqual();
    await Promise.all(lost.map((member) => lab.kill(member)));
    told = await ask();
    if (told.error !== 'PromotionPendingException') {
      assert.equal(told.error, 'OperationNotEnabledException', told.message);
      assert.match(told.message, /^The primary Region has not changed: /);
      for (const member of lost) await lab.startRegion(member);
    }
  }
  assert.equal(told.error, 'PromotionPendingException');
  assert.equal(told.status, 400, 'no SDK asks again by itself');
  assert.match(told.message, new RegExp(`handed over to Region ${away.name}, which leads it from epoch \\d+ on; this cannot be taken back`));
  for (const region of lab.regions) {
    await until(`${region.name} says that the pool is handed over`, async () => (await describe(region)).HandedOverTo === away.name);
    assert.notEqual((await write(region)).status, 200);
    assert.match(await lab.metrics(region.name), new RegExp(`^symbolon_replication_handed_over\\{pool="${pool.Id}"\\} 1$`, 'm'));
    assert.ok((await signInAt(region)).AccessToken);
  }
  assert.equal((await ask()).error, 'PromotionPendingException');
  // The command waits for it, and tells.
  const command = lab.symbolon('replication', 'promote', pool.Id, '--to', away.name, '--dir', lab.dir);
  command.catch(() => {});
  for (const member of lost) await lab.startRegion(member);
  assert.match(await command, new RegExp(`${away.name} is primary, in epoch`));
  await untilWrites(away);
  assert.ok(await exists(away, kept));
  await untilEqual();
  assert.equal((await describe(home)).HandedOverTo, undefined);
  await promote(home);
  await untilWrites(home);
  await untilEqual();
});

test('etcd without a majority: the primary stops writing when its lease has run out, and signs people in still', async () => {
  const lost = ['etcd-elsewhere', `etcd-${away.name}`];
  for (const member of lost) await lab.kill(member);
  const cut = performance.now();
  let accepted = cut;
  const refused = await until('a write is refused', async () => {
    const answer = await write(home);
    if (answer.status === 200) accepted = performance.now();
    // One that was under way when the lease ran out has an unknown outcome.
    return answer.error === 'ServiceUnavailableException' && answer;
  });
  assert.ok(accepted - cut < leaseMs, `a write was accepted ${accepted - cut} ms after the cut`);
  assert.equal(refused.status, 503);
  for (const region of lab.regions) {
    assert.ok((await signInAt(region)).AccessToken);
    await until(`${region.name} has no lease`, async () => /no lease/.test((await describe(region)).Problem));
  }
  assert.match(await lab.metrics(), /^symbolon_authority_lease_remaining_seconds 0$/m);
  assert.notEqual((await write(home)).status, 200);
  assert.notEqual((await write(away)).status, 200);
  for (const member of lost) await lab.startRegion(member);
  await untilWrites(home);
  assert.equal(await leader(), home);
});

test('the primary is killed: the other Region takes over by itself, and the old one follows when it is back', async () => {
  await untilEqual();
  const kept = await untilWrites(home);
  await untilEqual();
  await lab.symbolon('lab', 'kill', home.name, '--with-etcd', '--dir', lab.dir);
  const before = performance.now();
  assert.ok((await signInAt(away)).AccessToken);
  const first = await untilWrites(away);
  console.log(`from the loss of the primary to the first write elsewhere: ${((performance.now() - before) / 1000).toFixed(1)} s`);
  assert.ok(await exists(away, kept));
  const { AutomaticPromotionWaitSeconds, LastAutomaticPromotionSecondsAgo } = (await describe(away)).Authority;
  assert.ok(AutomaticPromotionWaitSeconds > 0 && AutomaticPromotionWaitSeconds <= tenureMs / 1000);
  assert.ok(LastAutomaticPromotionSecondsAgo > 0);
  assert.match(await lab.metrics(away.name), new RegExp(`^symbolon_authority_automatic_promotion_wait_seconds\\{pool="${pool.Id}"\\} [1-9]`, 'm'));
  assert.match(await lab.symbolon('replication', 'status', '--dir', lab.dir), /automatic promotion waits \d+ s: last one was \d+ s ago/);
  let back = false;
  const taken = [];
  const watch = (async () => {
    while (!back) await write(home).then((answer) => answer.status === 200 && taken.push(answer.GroupName), () => {});
  })();
  await lab.symbolon('lab', 'start', home.name, '--with-etcd', '--dir', lab.dir);
  await untilEqual();
  back = true;
  await watch;
  assert.deepEqual(taken, []);
  assert.equal(await leader(), away);
  assert.ok(await exists(home, first));
  assert.match(await lab.metrics(away.name), /^symbolon_authority_automatic_promotions_total [1-9]/m);
});

test('the primary is stopped and goes on after another took over: it answers no write as accepted', async () => {
  const old = await leader();
  const next = other(old);
  await untilWrites(old);
  await untilEqual();
  await lab.suspend(old.name);
  let late;
  try {
    // They wait in its sockets.
    late = Array.from({ length: 20 }, () => write(old).catch((error) => ({ status: 0, error: error.name })));
    await untilWrites(next);
  } finally {
    await lab.resume(old.name);
  }
  const answers = await Promise.all(late);
  assert.deepEqual(answers.filter(({ status }) => status === 200), []);
  await untilEqual();
  assert.equal(await leader(), next);
  for (const { GroupName } of answers) if (GroupName) assert.ok(!(await exists(next, GroupName)));
  await sdk[old.name].send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username: username }));
  assert.ok((await signInAt(old)).AccessToken);
});

test('it never goes back by itself, and does when it is asked to', async () => {
  const now = await leader();
  await promote(other(now));
  await untilWrites(other(now), 2_000);
  await untilEqual();
  assert.equal(await leader(), other(now));
});
