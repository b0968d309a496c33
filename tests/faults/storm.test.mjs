// Faults of all kinds in a random order, two of them at a time, and changes of primary in between.
import { after, test } from 'node:test';
import { pick, seededRandom } from '../lib/recorded_load.mjs';
import { untilEqual } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';
import { Stage } from './stage.mjs';

const minutes = 60_000;
const stepsOfAStorm = 6;

const stage = await Stage.set();
after(() => stage.strike());
const { lab, names } = stage;
const serves = (region) => lab.isUp(region) && !lab.isSuspended(region);
const others = (region) => names.filter((name) => name !== region);

// Each begins a fault and answers what ends it; undefined when there is nothing to do now.
const faults = {
  async cut(random) {
    const from = pick(random, names);
    const to = pick(random, others(from));
    await lab.network.cut(from, to);
    if (random() < 0.5) await lab.network.cut(to, from);
    return () => lab.network.heal();
  },
  async isolation(random) {
    const region = pick(random, names);
    for (const other of others(region)) {
      await lab.network.cut(region, other);
      await lab.network.cut(other, region);
    }
    return () => lab.network.heal();
  },
  async loss(random) {
    await lab.network.setPath({ delayMs: 40, jitterMs: 40, loss: 0.05 + random() / 10 });
    return () => lab.network.setPath({ delayMs: 40, jitterMs: 10, loss: 0.01 });
  },
  async kill(random) {
    const region = pick(random, names);
    // A node does not start on a full disk.
    if (!lab.isUp(region) || lab.isDiskFull(region)) return undefined;
    await lab.kill(region);
    return () => lab.startRegion(region);
  },
  async stop(random) {
    const region = pick(random, names);
    if (!serves(region)) return undefined;
    lab.suspend(region);
    return async () => lab.resume(region);
  },
  async clock(random) {
    const region = pick(random, names);
    await lab.setClock(region, pick(random, [300, -300]));
    return () => lab.setClock(region, 0);
  },
  async disk(random) {
    const region = pick(random, names);
    if (!lab.isUp(region) || lab.isDiskFull(region)) return undefined;
    await lab.fillDisk(region);
    return () => lab.freeDisk(region);
  },
  // It may be refused, as the other faults have it.
  async promotion(random, history) {
    await stage.promote(history, pick(random, names.filter(serves))).catch(() => {});
    return async () => {};
  },
  async takeover(random, history) {
    await stage.promote(history, pick(random, names.filter(serves)), { Force: true }).catch(() => {});
    return async () => {};
  },
};

// A take-over that nobody finished may leave the pool without a primary: a person repeats the command.
async function untilLed(history, random) {
  await until('the pool has a primary that all follow', async () => {
    const led = await untilEqual(lab, stage.pool.Id, { deadlineMs: 15_000 }).catch(() => undefined);
    if (!led) await stage.promote(history, pick(random, names), { Force: true });
    return led;
  }, 2 * minutes);
}

test('faults of all kinds in a random order, every promise holds', { timeout: 10 * minutes }, (t) =>
  stage.under(t, async ({ load, history, note, random }) => {
    let end = async () => {};
    for (let step = 0; step < stepsOfAStorm; ++step) {
      const name = pick(random, Object.keys(faults));
      const endOfThis = await faults[name](random, history);
      if (!endOfThis) continue;
      note(name);
      await load.further(15);
      await end();
      end = endOfThis;
      await load.further(15);
    }
    await end();
    await load.end();
    await untilLed(history, seededRandom(random() * 1e9));
  }, { judged: true }));
