// Regions far from each other, under a load in all of them, and everything that can happen to them: cuts, kills, stops, full
// disks, wrong clocks, changes of primary. Afterwards a checker goes over what the clients were told.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { FarLab } from '../lib/far_lab.mjs';
import { createClient, createPool } from '../lib/pools.mjs';
import { ask, createReplicatedPool, untilEqual } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';
import { check, summary } from '../lib/checker.mjs';
import { History } from '../lib/history.mjs';
import { Load, seededRandom } from '../lib/recorded_load.mjs';

const seed = Number(process.env.SYMBOLON_TEST_SEED ?? Math.floor(Math.random() * 1e6));
const rounds = Number(process.env.SYMBOLON_TEST_ROUNDS ?? 1);
const minutes = 60_000;
const fiveMinutes = 300; // seconds

const names = ['eu-central-1', 'us-east-1', 'ap-south-1'];
const lab = await FarLab.start(names, { path: { delayMs: 40, jitterMs: 10, loss: 0.01, seed } });
after(() => lab.release());
const pool = await createReplicatedPool(lab, { AutoVerifiedAttributes: [] }, { replicas: names.slice(1) });
const client = await createClient(lab.cognito(), pool.Id);
let primary = await untilEqual(lab, pool.Id);
let loads = 0;

const others = (region) => names.filter((name) => name !== region);
const pick = (random, items) => items[Math.floor(random() * items.length)];

// One load with what happens to the Regions under it, and the check of what it was told. `happen` gets the load, the history
// and seeded random numbers; it leaves every Region running and every link whole. With `judged`, writes may be set
// aside. `alive`: the Regions that are there at the end.
async function under(t, happen, { judged = false, alive = names, repeat = rounds } = {}) {
  for (let round = 0; round < repeat; ++round) {
    const history = new History();
    const name = `load-${++loads}`;
    const load = new Load({ lab, pool, client, history, name, seed: seed + loads });
    const kept = join(tmpdir(), `symbolon-faults-${process.pid}-${name}.jsonl`);
    const note = (what, fields) => history.note('fault', { what, ...fields });
    try {
      await load.further(40);
      await happen({ load, history, note, random: seededRandom(seed + loads) });
      await load.further(40);
      await load.end();
      primary = await untilEqual(lab, pool.Id, { regions: alive });
      load.regions = alive;
      if (judged) await load.judge();
      await load.audit();
      assert.deepEqual(check(history.events, alive), []);
      t.diagnostic(`seed ${seed}: ${JSON.stringify(summary(history.events))}`);
      if (process.env.SYMBOLON_TEST_KEEP) await history.save(kept);
    } catch (error) {
      await history.save(kept);
      console.log(`seed ${seed}; the history is in ${kept}`);
      for (const region of names) console.log(`${region}: ${(await lab.log(region)).split('\n').slice(-15).join('\n')}`);
      throw error;
    } finally {
      await load.end().catch(() => {});
    }
  }
}

async function promote(history, to, { at = to, ...options } = {}) {
  const { Epoch, FirstSequence, SilentRegions } = await ask(lab, at, 'PromoteUserPoolReplica', {
    UserPoolId: pool.Id, RegionName: to, ...options,
  });
  history.note('promote', { region: to, forced: Boolean(options.Force), epoch: Epoch, firstSequence: FirstSequence });
  return SilentRegions.map(({ Region }) => Region);
}

test('three Regions far apart, no fault, every promise holds', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load }) => {
    await load.further(200);
    await load.further(5, 'revoke');
    const { carried, lost } = await lab.network.count();
    assert.ok(lost > carried / 1_000, `of ${carried} packets only ${lost} were lost`);
  }));

test('a link is cut in one direction, then the other, then both, the Regions catch up', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    const far = pick(random, others(primary));
    for (const directions of [[[primary, far]], [[far, primary]], [[primary, far], [far, primary]]]) {
      note('cut', { directions });
      for (const [from, to] of directions) await lab.network.cut(from, to);
      await load.further(60);
      await lab.network.heal();
      await load.further(20);
    }
  }));

test('the primary is cut off from all others, and goes on', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note }) => {
    note('cut', { region: primary });
    for (const other of others(primary)) {
      await lab.network.cut(primary, other);
      await lab.network.cut(other, primary);
    }
    await load.further(10, 'setPassword');
    await lab.network.heal();
  }));

test('kill -9 of each Region in turn, nothing acknowledged is lost', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    for (const region of [primary, ...others(primary)].sort(() => random() - 0.5)) {
      note('kill', { region });
      await lab.kill(region);
      await load.further(30);
      await lab.startRegion(region);
      await load.further(30);
    }
  }));

test('SIGSTOP of each Region in turn, nothing acknowledged is lost', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    for (const region of [primary, pick(random, others(primary))]) {
      note('stop', { region });
      lab.signal(region, 'SIGSTOP');
      try {
        await load.further(30);
      } finally {
        lab.signal(region, 'SIGCONT');
      }
      await load.further(30);
    }
  }));

test('the disk of a secondary and then of the primary is full, writes are refused until there is room', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    for (const region of [pick(random, others(primary)), primary]) {
      note('full disk', { region });
      await lab.fillDisk(region);
      await load.further(60);
      await lab.freeDisk(region);
      await load.further(5, 'setPassword');
    }
  }));

test('clocks are five minutes off, ahead and behind, while Regions run and at their start', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    const region = pick(random, names);
    for (const seconds of [fiveMinutes, -fiveMinutes]) {
      note('clock', { region, seconds });
      await lab.setClock(region, seconds);
      await load.further(80);
    }
    await lab.kill(region);
    await lab.startRegion(region);
    await load.further(40);
    await lab.setClock(region, 0);
  }));

test('planned promotions there and back under load, no write is set aside', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, history, random }) => {
    const home = primary;
    const away = pick(random, others(home));
    assert.deepEqual(await promote(history, away), []);
    await load.further(5, 'setPassword');
    await promote(history, home, { at: away });
    await load.further(5, 'setPassword');
  }, { judged: true }));

test('the primary is cut off and another promoted by force, what it took meanwhile is set aside whole, facts stay', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, history, note, random }) => {
    const home = primary;
    const away = pick(random, others(home));
    note('cut', { region: home });
    for (const other of others(home)) {
      await lab.network.cut(home, other);
      await lab.network.cut(other, home);
    }
    await load.further(5, 'setPassword'); // nobody but the primary has these
    assert.deepEqual(await promote(history, away, { Force: true }), [home]);
    load.turnHalfTo(away); // the others go on writing where they did
    await load.further(10, 'setPassword');
    await lab.network.heal();
    await until(`${home} follows and can be promoted`, () => promote(history, home), minutes);
    await load.further(5, 'setPassword');
  }, { judged: true }));

// The last test: the lost Region stays lost.
test('SYNC, the primary and its disk are lost, another promoted by force has every acknowledged write', { timeout: 5 * minutes }, (t) => {
  const home = primary;
  const alive = others(home);
  return under(t, async ({ load, history, note, random }) => {
    await ask(lab, home, 'SetReplicationDurability', { UserPoolId: pool.Id, Mode: 'SYNC' });
    await load.further(20, 'setPassword');
    note('lost', { region: home });
    await lab.kill(home);
    await lab.loseDisk(home);
    assert.deepEqual(await promote(history, pick(random, alive), { Force: true }), [home]);
    await load.further(10, 'setPassword');
    assert.deepEqual(history.events.filter(({ kind, outcome }) => kind === 'verdict' && outcome === 'setAside'), []);
  }, { judged: true, alive, repeat: 1 });
});
