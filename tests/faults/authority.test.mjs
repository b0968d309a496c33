// Regions that ask an etcd cluster who is primary, under a load in all of them: the primary is killed, or only its way to etcd
// is cut, and another Region takes over by itself.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Etcd } from '../lib/etcd.mjs';
import { etcdMembers } from '../lib/far_etcd.mjs';
import { createUser, signIn } from '../lib/pools.mjs';
import { pick } from '../lib/recorded_load.mjs';
import { ask, createReplicatedPool, describeReplication } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';
import { Stage } from './stage.mjs';

const minutes = 60_000;
const leaseSeconds = 4;
const workers = 3;

const stage = await Stage.set({
  path: { delayMs: 10, jitterMs: 2, loss: 0.001 },
  settings: ['position_wait_ms = 300'],
  etcd: { lease_seconds: leaseSeconds, automatic_promotion: true, automatic_promotion_tenure_seconds: 0 },
});
after(() => stage.strike());
const { lab, names, pool } = stage;
const { network } = lab;
const etcd = await Etcd.open(lab);
after(() => etcd.close());
const username = await createUser(lab.cognito(), pool.Id);
const others = (region) => names.filter((name) => name !== region);

const describe = (region, { Id } = pool) => describeReplication(lab, region, Id);
const setDurability = (Mode) => ask(lab, stage.primary, 'SetReplicationDurability', { UserPoolId: pool.Id, Mode });
const untilInSync = (regions) =>
  until(`the in-sync set is ${regions}`, async () => {
    const { inSync } = await etcd.register(pool.Id);
    assert.deepEqual(inSync, [...regions].sort());
    return true;
  }, minutes);
// The one of `regions` that is primary.
const untilLed = (regions, of = pool) =>
  until(`one of ${regions} is primary`, async () => {
    const told = await Promise.all(regions.map((region) => describe(region, of)));
    return told.find(({ Role }) => Role === 'PRIMARY')?.Region;
  }, minutes);

// From one end to others, and back.
async function cut(from, to) {
  for (const end of to) {
    await network.cut(from, end);
    await network.cut(end, from);
  }
}
async function heal(from, to) {
  for (const end of to) {
    await network.heal(from, end);
    await network.heal(end, from);
  }
}

// What may be set aside, as a Region that took over by itself has it in its log.
async function noteTakeover(history, region) {
  const line = new RegExp(`pool ${pool.Id}: this Region is primary, in epoch (\\d+) from (\\d+) on`, 'g');
  const [, epoch, firstSequence] = [...(await lab.log(region)).matchAll(line)].at(-1);
  history.note('promote', { region, forced: true, epoch: Number(epoch), firstSequence: Number(firstSequence) });
}

test('SYNC, a Region is cut off before it is in sync, the primary is killed: only the Region that is in sync takes over', { timeout: 5 * minutes }, async (t) => {
  // It has the same Regions, and ASYNC: any of them may take it over.
  const another = await createReplicatedPool(lab, { AutoVerifiedAttributes: [] }, { replicas: names.slice(1) });
  let inSync;
  await stage.under(t, async ({ load, note, random }) => {
    const home = stage.primary;
    const behind = pick(random, others(home));
    [inSync] = others(home).filter((region) => region !== behind);
    note('cut', { region: home, from: behind });
    await cut(home, [behind]);
    await setDurability('SYNC');
    await untilInSync([inSync]);
    await load.further(20, 'setPassword');
    // The Region that is behind hears this one, and is the only one that reaches etcd.
    note('cut', { region: inSync, from: etcdMembers });
    await cut(inSync, etcdMembers);
    note('kill', { region: home });
    await lab.kill(home);
    load.regions = others(home);
    assert.equal(await untilLed(others(home), another), behind);
    assert.equal((await etcd.register(pool.Id)).region, home);
    await heal(inSync, etcdMembers);
    assert.equal(await untilLed(others(home)), inSync);
    await load.further(10, 'setPassword');
    await network.heal();
    await lab.startRegion(home);
    load.regions = names;
    await load.further(10, 'setPassword');
    await untilInSync(others(inSync));
  }, { judged: true, workers, repeat: 1 }); // the other pool is led from elsewhere now
  assert.equal(stage.primary, inSync);
});

const bothWays = (region, ends) => ends.flatMap((end) => [[region, end], [end, region]]);
for (const { from, durability, directions, alone } of [
  { from: 'etcd alone', durability: 'SYNC', directions: (region) => bothWays(region, etcdMembers) },
  {
    from: "etcd alone, one way: its requests arrive, and etcd's answers do not",
    durability: 'ASYNC',
    directions: (region) => etcdMembers.map((member) => [member, region]),
  },
  {
    from: 'etcd and the other Regions',
    durability: 'ASYNC',
    directions: (region) => bothWays(region, [...etcdMembers, ...others(region)]),
    alone: true,
  },
]) {
  test(`${durability}, the primary is cut off from ${from}; it stops writing within its lease, another takes over, it follows`, { timeout: 5 * minutes }, async (t) => {
    let next;
    await setDurability(durability);
    await stage.under(t, async ({ load, history, note }) => {
      const home = stage.primary;
      assert.ok((await lab.etcd.connectionsFrom(home)) > 0);
      note('cut', { region: home, from });
      for (const [one, other] of directions(home)) await network.cut(one, other);
      const since = performance.now();
      next = await untilLed(others(home));
      if (alone) await noteTakeover(history, next); // nobody else has what it answered last
      load.turnHalfTo(next); // the others go on writing where they did
      // TCP alone would keep them for a quarter of an hour, and look at ever longer intervals whether the network is back.
      await until(`${home} has given its connections to etcd up`, async () => (await lab.etcd.connectionsFrom(home)) === 0);
      await load.further(10, 'setPassword');
      const answered = history.events.filter(({ region, outcome, position }) => region === home && outcome === 'ok' && position);
      const lastWriteMs = Math.max(...answered.map(({ end }) => end)) - since;
      t.diagnostic(`the last write was answered there ${lastWriteMs.toFixed(0)} ms after the cut`);
      assert.ok(lastWriteMs < leaseSeconds * 1_000);
      assert.ok((await signIn(lab.cognito(home), stage.client, username)).AccessToken);
      await network.heal();
      await until(`${home} has a lease again`, async () => (await describe(home)).Authority.LeaseRemainingSeconds > 0);
      await load.further(10, 'setPassword');
      if (durability === 'SYNC') await untilInSync(others(next));
    }, { judged: true, workers });
    assert.equal(stage.primary, next);
  });
}
