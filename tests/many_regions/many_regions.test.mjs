// A pool in five Regions: replicas come and go under load, copies outlive kills of either side, one that was away for too long
// takes a new copy while it serves, and each of the five is primary once, the last by force.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AdminCreateUserCommand,
  AdminUpdateUserAttributesCommand,
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { check, summary } from '../lib/checker.mjs';
import { fails } from '../lib/expect.mjs';
import { History } from '../lib/history.mjs';
import { Lab } from '../lib/lab.mjs';
import { createClient, createUser, signIn } from '../lib/pools.mjs';
import { Load } from '../lib/recorded_load.mjs';
import { addReplica, ask, createReplicatedPool, describeReplication, replicaStatus, untilEqual, untilReplica, verifyCopies } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const minutes = 60_000;
const names = ['eu-central-1', 'us-east-1', 'ap-south-1', 'sa-east-1', 'af-south-1'];
const [home, ...away] = names;
const logEntriesMax = 1_000;
const bigUsers = 600; // of 6 KiB each

const lab = await Lab.start({ flags: ['--regions', names.join()] });
after(() => lab.release());
// Many writers of one user wear out the attempts that a write has.
const cognito = lab.cognito(home, { maxAttempts: 8 });
const anywhere = new Map(names.map((name) => [name, lab.cognito(name)]));
let pool;
let client;
let username;
let loads = 0;

before(async () => {
  // Copies take a while, and the log is short.
  await lab.stop(home);
  await lab.configure(home, ['copy_mib_per_second = 1', `log_entries_max = ${logEntriesMax}`]);
  await lab.startRegion(home);
  pool = await createReplicatedPool(lab, { AutoVerifiedAttributes: [] }, { replicas: [] });
  client = await createClient(cognito, pool.Id);
  username = await createUser(cognito, pool.Id);
});

// A load in `regions`, `happen` under it, and the check of what it was told, in the Regions that have the pool then.
async function under(t, regions, happen, { judged = false } = {}) {
  const history = new History();
  const name = `load-${++loads}`;
  const load = new Load({ lab, pool, client, history, name, seed: loads, regions, workers: 3 });
  try {
    await load.further(20);
    const now = await happen({ load, history });
    await load.further(20);
    await load.end();
    await untilEqual(lab, pool.Id, { regions: now });
    await verifyCopies(lab, pool.Id);
    load.regions = now;
    if (judged) await load.judge();
    await load.audit();
  } finally {
    await load.end().catch(() => {});
  }
  assert.deepEqual(check(history.events, load.regions), []);
  t.diagnostic(JSON.stringify(summary(history.events)));
}

async function promote(history, to, { at = to, ...options } = {}) {
  const input = { UserPoolId: pool.Id, RegionName: to, ...options };
  const { Epoch, FirstSequence, SilentRegions } = await ask(lab, at, 'PromoteUserPoolReplica', input);
  history.note('promote', { region: to, forced: Boolean(options.Force), epoch: Epoch, firstSequence: FirstSequence });
  return SilentRegions.map(({ Region }) => Region).sort();
}

const status = () => lab.symbolon('replication', 'status', '--dir', lab.dir);
const copyOf = async (region) =>
  (await describeReplication(lab, home, pool.Id)).Members.find((member) => member.Region === region)?.Copy;
const setStatus = (RegionName, Status) => cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName, Status }));
async function removeReplica(RegionName) {
  await setStatus(RegionName, 'INACTIVE');
  await untilReplica(cognito, pool.Id, RegionName, 'INACTIVE');
  await cognito.send(new DeleteUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName }));
  await untilReplica(cognito, pool.Id, RegionName, undefined);
}

test('a pool in one Region under load, four replicas are made, each has everything', { timeout: 5 * minutes }, (t) =>
  under(t, [home], async () => {
    await Promise.all(away.map((region) => addReplica(lab, pool.Id, region, { cognito })));
    return names;
  }));

test('five Regions, the status table shows them all, whoever is asked', async () => {
  await untilEqual(lab, pool.Id);
  const table = await status();
  for (const region of away) assert.match(table, new RegExp(`${region} .*SECONDARY`, 'i'), table);
  const { Members } = await describeReplication(lab, home, pool.Id);
  assert.deepEqual(Members.map((member) => member.Region).sort(), away.toSorted());
  assert.deepEqual(new Set(Members.map((member) => member.Status)), new Set(['ACTIVE']));
  for (const region of away) {
    const { PrimaryRegion, Role } = await describeReplication(lab, region, pool.Id);
    assert.deepEqual({ PrimaryRegion, Role }, { PrimaryRegion: home, Role: 'SECONDARY' });
  }
});

test('under load replicas are removed and made again, only an INACTIVE one is deleted', { timeout: 5 * minutes }, (t) =>
  under(t, [home], async ({ load }) => {
    const [first, second] = away;
    const deleteIt = (RegionName) => cognito.send(new DeleteUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName }));
    await fails(deleteIt(first), 'InvalidParameterException');
    assert.equal(await replicaStatus(cognito, pool.Id, first), 'ACTIVE');
    await Promise.all([removeReplica(first), removeReplica(second)]);
    await until(`${first} has no pool`, async () => {
      const told = await describeReplication(lab, first, pool.Id).catch((error) => error);
      return told.name === 'ResourceNotFoundException';
    });
    await load.further(20);
    await addReplica(lab, pool.Id, first, { cognito });
    await addReplica(lab, pool.Id, second, { cognito });
    return names;
  }));

async function addBigUsers() {
  const text = 'x'.repeat(2_000);
  const UserAttributes = ['address', 'profile', 'website'].map((Name) => ({ Name, Value: text }));
  await inParallel(4, async (worker) => {
    for (let i = worker; i < bigUsers; i += 4) {
      await cognito.send(new AdminCreateUserCommand({ UserPoolId: pool.Id, Username: `big-${i}`, MessageAction: 'SUPPRESS', UserAttributes }));
    }
  });
}

test('a copy under way, kill -9 of the replica, it goes on where it was; kill -9 of the primary, it completes', { timeout: 5 * minutes }, (t) =>
  under(t, [home], async () => {
    const region = away.at(-1);
    await removeReplica(region);
    await addBigUsers();
    await cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName: region }));
    const underWay = (least) =>
      until(`a copy to ${region} is under way`, async () => {
        const copy = await copyOf(region);
        assert.equal(await replicaStatus(cognito, pool.Id, region), 'CREATING');
        return copy?.Records > least && copy.Records < copy.RecordCount && copy;
      });
    const { Records } = await underWay(50);
    await lab.kill(region);
    await lab.startRegion(region);
    const resumed = await until('the copy goes on', () => copyOf(region));
    assert.ok(resumed.Records >= Records, `${resumed.Records} records, ${Records} were there`);
    await underWay(Records);
    await lab.kill(home);
    await lab.startRegion(home);
    await untilReplica(cognito, pool.Id, region, 'INACTIVE');
    await setStatus(region, 'ACTIVE');
    return names;
  }));

test('a replica away for longer than the log is kept, it takes a new copy by itself and serves what it has meanwhile', { timeout: 5 * minutes }, async () => {
  const region = away[0];
  await untilEqual(lab, pool.Id);
  await lab.stop(region);
  const gone = (await describeReplication(lab, home, pool.Id)).Sequence;
  await inParallel(8, async (worker) => {
    for (let i = 0; i < (2 * logEntriesMax) / 8; ++i) {
      const UserAttributes = [{ Name: 'given_name', Value: `${worker} ${i}` }];
      await cognito.send(new AdminUpdateUserAttributesCommand({ UserPoolId: pool.Id, Username: username, UserAttributes }));
    }
  });
  const { Sequence } = await describeReplication(lab, home, pool.Id);
  assert.ok(Sequence - gone >= 2 * logEntriesMax);
  await until('the log is trimmed', async () => {
    const [, kept] = (await lab.metrics()).match(new RegExp(`^symbolon_log_kept_entries{pool="${pool.Id}"} (.*)$`, 'm'));
    return Number(kept) <= logEntriesMax;
  });
  await lab.startRegion(region);
  // By log it would pass through the positions between.
  let seen = 0;
  let copied = false;
  await until(`${region} is up to date`, async () => {
    const told = await describeReplication(lab, region, pool.Id);
    assert.ok(told.Sequence === gone || told.Sequence >= Sequence, `${told.Sequence} is between ${gone} and ${Sequence}`);
    if (told.Sequence === gone) {
      assert.ok((await signIn(anywhere.get(region), client, username)).AccessToken);
      ++seen;
    }
    copied ||= Boolean(await copyOf(region));
    return told.Sequence >= Sequence;
  }, 60_000);
  assert.ok(copied && seen > 0, `copied: ${copied}, sign-ins meanwhile: ${seen}`);
  await untilEqual(lab, pool.Id);
});

test('planned promotion to each of five Regions in turn under load, no write is lost', { timeout: 5 * minutes }, (t) =>
  under(t, names, async ({ load, history }) => {
    for (const region of [...away, home]) {
      // A replica follows a new primary within moments.
      const silent = await until(`${region} can be promoted`, () => promote(history, region));
      assert.deepEqual(silent, []);
      await load.further(3, 'confirm');
    }
    return names;
  }));

test('the primary is dead and a secondary silent, another is promoted by force, both follow when they are back', { timeout: 5 * minutes }, (t) =>
  under(t, names, async ({ load, history }) => {
    const [next, silent] = away;
    await lab.kill(home);
    await lab.suspend(silent);
    try {
      assert.deepEqual(await promote(history, next, { Force: true }), [home, silent].sort());
      await load.further(3, 'confirm');
    } finally {
      await lab.resume(silent);
    }
    await lab.startRegion(home);
    await until(`${home} can be primary again`, () => promote(history, home), minutes);
    await load.further(3, 'confirm');
    return names;
  }, { judged: true }));
