// Regions far from each other, under a load in all of them, and everything that can happen to them: cuts, kills, stops, full
// disks, wrong clocks, changes of primary. Afterwards a checker goes over what the clients were told.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DescribeUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider';
import { pick } from '../lib/recorded_load.mjs';
import { ask, replicateKey } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';
import { Stage } from './stage.mjs';

const minutes = 60_000;
const fiveMinutes = 300; // seconds

const stage = await Stage.set();
after(() => stage.strike());
const { lab, names } = stage;
const under = (...args) => stage.under(...args);
const promote = (...args) => stage.promote(...args);
const others = (region) => names.filter((name) => name !== region);

test('three Regions far apart, no fault, every promise holds', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load }) => {
    await load.further(200);
    await load.further(5, 'revoke');
    const { carried, lost } = await lab.network.count();
    assert.ok(lost > carried / 1_000, `of ${carried} packets only ${lost} were lost`);
  }));

test('a link is cut in one direction, then the other, then both, the Regions catch up', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    const far = pick(random, others(stage.primary));
    for (const directions of [[[stage.primary, far]], [[far, stage.primary]], [[stage.primary, far], [far, stage.primary]]]) {
      note('cut', { directions });
      for (const [from, to] of directions) await lab.network.cut(from, to);
      await load.further(60);
      await lab.network.heal();
      await load.further(20);
    }
  }));

test('the primary is cut off from all others, and goes on', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note }) => {
    note('cut', { region: stage.primary });
    for (const other of others(stage.primary)) {
      await lab.network.cut(stage.primary, other);
      await lab.network.cut(other, stage.primary);
    }
    await load.further(10, 'setPassword');
    await lab.network.heal();
  }));

test('kill -9 of each Region in turn, nothing acknowledged is lost', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    for (const region of [stage.primary, ...others(stage.primary)].sort(() => random() - 0.5)) {
      note('kill', { region });
      await lab.kill(region);
      await load.further(30);
      await lab.startRegion(region);
      await load.further(30);
    }
  }));

test('SIGSTOP of each Region in turn, nothing acknowledged is lost', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    for (const region of [stage.primary, pick(random, others(stage.primary))]) {
      note('stop', { region });
      lab.suspend(region);
      try {
        await load.further(30);
      } finally {
        lab.resume(region);
      }
      await load.further(30);
    }
  }));

test('the disk of a secondary and then of the primary is full, writes are refused until there is room', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    for (const region of [pick(random, others(stage.primary)), stage.primary]) {
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
    const home = stage.primary;
    const away = pick(random, others(home));
    assert.deepEqual(await promote(history, away), []);
    await load.further(5, 'setPassword');
    await promote(history, home, { at: away });
    await load.further(5, 'setPassword');
  }, { judged: true }));

test('the primary is cut off and another promoted by force, what it took meanwhile is set aside whole, facts stay', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, history, note, random }) => {
    const home = stage.primary;
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

test('the disk of a secondary is lost, it starts empty and has everything again once it has the key', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, note, random }) => {
    // Not the Region from which keys are replicated.
    const lost = pick(random, others(names[0]).filter((region) => region !== stage.primary));
    load.regions = others(lost);
    await load.further(40); // what was under way there has ended
    await load.untilFactsArrived(names); // what only the lost disk had would be lost
    note('lost', { region: lost });
    await lab.kill(lost);
    await lab.loseDisk(lost);
    await lab.startRegion(lost);
    await replicateKey(lab, stage.pool.KeyConfiguration.KmsKeyArn, lost);
    const there = lab.cognito(lost);
    await until(`${lost} serves the pool`, () => there.send(new DescribeUserPoolCommand({ UserPoolId: stage.pool.Id })));
    load.regions = names;
  }));

test('SYNC, the primary and its disk are lost, another promoted by force has every acknowledged write, the lost one is built anew', { timeout: 5 * minutes }, (t) =>
  under(t, async ({ load, history, note, random }) => {
    const home = stage.primary;
    const setDurability = (Mode) => ask(lab, home, 'SetReplicationDurability', { UserPoolId: stage.pool.Id, Mode });
    await setDurability('SYNC');
    load.saysFactsIn = others(home); // what only the lost disk had would be lost
    await load.further(20, 'setPassword');
    await load.untilFactsArrived(names);
    note('lost', { region: home });
    await lab.kill(home);
    await lab.loseDisk(home, { keysBackedUp: true });
    load.regions = others(home);
    assert.deepEqual(await promote(history, pick(random, others(home)), { Force: true }), [home]);
    await load.further(5, 'setPassword');
    await lab.startRegion(home);
    await until(`${home} has everything and can be primary again`, () => promote(history, home), minutes);
    load.regions = names;
    load.saysFactsIn = undefined;
    await setDurability('ASYNC');
    await load.end();
    await load.judge();
    assert.deepEqual(history.events.filter(({ kind, outcome }) => kind === 'verdict' && outcome === 'setAside'), []);
  }));
