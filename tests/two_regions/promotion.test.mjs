// The primary changes: planned under load without the loss of a write, by force when it is dead, and back again.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  AdminConfirmSignUpCommand,
  AdminGetUserCommand,
  AdminSetUserPasswordCommand,
  CreateUserPoolClientCommand,
  ListUserPoolReplicasCommand,
  ListUsersCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as jose from 'jose';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, claimsOf, createClient, createPool, createUser, password, refresh, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = { [home.name]: lab.cognito(), [away.name]: lab.cognito(away.name) };
const other = (region) => (region === home ? away : home);

const pool = await createReplicatedPool(lab);
const client = await createClient(sdk[home.name], pool.Id);
const username = await createUser(sdk[home.name], pool.Id);
const issuer = claimsOf((await signIn(sdk[home.name], client, username)).AccessToken).iss;

async function promote(to, { at = to, ...options } = {}) {
  const answer = await call(
    lab.endpoint(at.name),
    'PromoteUserPoolReplica',
    { UserPoolId: pool.Id, RegionName: to.name, ...options },
    { prefix: prefixes.symbolon },
  );
  if (answer.status !== 200) throw Object.assign(new Error(answer.message), { name: answer.error });
  return answer.body;
}

async function roles(region) {
  const { UserPoolReplicas } = await sdk[region.name].send(new ListUserPoolReplicasCommand({ UserPoolId: pool.Id }));
  return Object.fromEntries(UserPoolReplicas.map((replica) => [replica.RegionName, replica.Role]));
}

const untilLedBy = (region) =>
  until(`both Regions say that ${region.name} is primary`, async () => {
    const told = await Promise.all(lab.regions.map(roles));
    return told.every((said) => said[region.name] === 'PRIMARY' && said[other(region).name] === 'SECONDARY');
  });

const untilEqual = () =>
  until('both Regions are at the same position', async () => {
    const [a, b] = await Promise.all(lab.regions.map((region) => describeReplication(lab, region.name, pool.Id)));
    return a.Epoch === b.Epoch && a.Sequence === b.Sequence && !a.Problem && !b.Problem;
  });

const signUp = (region, Username) =>
  sdk[region.name].send(new SignUpCommand({ ClientId: client.ClientId, Username, Password: password }));

async function everybody(region) {
  const names = [];
  let PaginationToken;
  do {
    const page = await sdk[region.name].send(new ListUsersCommand({ UserPoolId: pool.Id, PaginationToken }));
    names.push(...page.Users.map((user) => user.Username));
    PaginationToken = page.PaginationToken;
  } while (PaginationToken);
  return names;
}

async function signInEverywhere() {
  const [tokens] = await Promise.all(lab.regions.map((region) => signIn(sdk[region.name], client, username)));
  assert.equal(claimsOf(tokens.AccessToken).iss, issuer);
  for (const region of lab.regions) {
    const keys = jose.createRemoteJWKSet(new URL(`${region.api}/${pool.Id}/.well-known/jwks.json`));
    await jose.jwtVerify(tokens.AccessToken, keys, { issuer });
    assert.ok((await refresh(sdk[region.name], client, tokens.RefreshToken)).AccessToken);
  }
}

// Signs people up in whichever Region takes it, and keeps the time between acknowledged ones.
class Load {
  acknowledged = [];
  longestGapMs = 0;
  #last = performance.now();
  #ending = false;
  #done;

  constructor(name, first) {
    this.#done = inParallel(4, async (worker) => {
      let region = first;
      for (let i = 0; !this.#ending; ) {
        const Username = `${name}-${worker}-${i}`;
        try {
          await signUp(region, Username);
          this.acknowledged.push(Username);
          this.#acknowledge();
          ++i;
        } catch (error) {
          // A lost answer: it is there.
          if (error.name === 'UsernameExistsException') ++i;
          else if (error.name === 'OperationNotEnabledException') region = other(region);
          else assert.equal(error.name, 'ServiceUnavailableException', error.message);
        }
      }
    });
    this.#done.catch(() => {});
  }
  #acknowledge() {
    const now = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#last);
    this.#last = now;
  }
  async more(count) {
    const target = this.acknowledged.length + count;
    await until(`${count} more sign-ups`, () => this.acknowledged.length >= target, 60_000);
  }
  async end() {
    this.#ending = true;
    await this.#done;
  }
}

async function promoteUnderLoad(from, to, at) {
  const load = new Load(anyName('load'), from);
  await load.more(40);
  const promoted = await promote(to, { at });
  await load.more(40);
  await load.end();
  console.log(`longest time without writes, ${from.name} to ${to.name}: ${load.longestGapMs.toFixed(0)} ms`);
  assert.equal(promoted.Primary, to.name);
  assert.deepEqual(promoted.SilentRegions, []);
  await untilLedBy(to);
  await untilEqual();
  for (const region of lab.regions) {
    const names = new Set(await everybody(region));
    assert.deepEqual(load.acknowledged.filter((name) => !names.has(name)), [], `lost in ${region.name}`);
  }
  await signInEverywhere();
  // It is idempotent.
  assert.equal((await promote(to)).Epoch, promoted.Epoch);
}

test('a planned promotion under load loses no acknowledged write, and the new primary can do everything', async () => {
  await promoteUnderLoad(home, away, home);
  await sdk[away.name].send(new CreateUserPoolClientCommand({ UserPoolId: pool.Id, ClientName: 'made elsewhere' }));
  const someone = anyName();
  await signUp(away, someone);
  await sdk[away.name].send(new AdminConfirmSignUpCommand({ UserPoolId: pool.Id, Username: someone }));
  await untilEqual();
  assert.ok((await signIn(sdk[home.name], client, someone)).AccessToken);
  await fails(signUp(home, anyName()), 'OperationNotEnabledException', new RegExp(away.name));
  await promoteUnderLoad(away, home, home); // asked for at the secondary this time
});

test('what cannot be promoted is refused, and nothing changes', async () => {
  await assert.rejects(promote({ name: 'ap-south-1' }, { at: home }), { name: 'ResourceNotFoundException' });
  await assert.rejects(promote(away, { at: home, Force: true }), { name: 'InvalidParameterException' });
  await assert.rejects(promote(away, { at: home, AcceptLoss: true }), { name: 'InvalidParameterException' });
  await lab.kill(away.name);
  await assert.rejects(promote(away, { at: home }), { name: 'OperationNotEnabledException' });
  await signUp(home, anyName());
  await lab.startRegion(away.name);
  await untilLedBy(home);
  await untilEqual();
});

test('a dead primary is replaced by force; on its return it steps down, and what it had alone is set aside', async () => {
  // These reach nobody else.
  await untilEqual();
  await lab.stop(away.name);
  const alone = [anyName('alone'), anyName('alone')];
  for (const name of alone) await signUp(home, name);
  const NewPassword = 'Changed-1-but-set-aside';
  await sdk[home.name].send(
    new AdminSetUserPasswordCommand({ UserPoolId: pool.Id, Username: username, Password: NewPassword, Permanent: true }),
  );
  await lab.kill(home.name);
  await lab.startRegion(away.name);
  const asked = performance.now();
  await assert.rejects(promote(away), { name: 'OperationNotEnabledException', message: /cannot be reached/ });
  assert.ok(performance.now() - asked < 10_000, 'nobody waits for a primary that is not there');
  const before = performance.now();
  const said = await lab.symbolon('replication', 'promote', pool.Id, '--to', away.name, '--force', '--dir', lab.dir);
  const [, first] = said.match(new RegExp(`^${pool.Id}: ${away.name} is primary, in epoch \\d+ from position (\\d+) on\n`));
  const heard = '\\((last heard at position \\d+|nothing was heard of it since this node started)\\)';
  assert.match(said, new RegExp(`\n  ${home.name} did not answer ${heard}: what it has from position ${first} on will be set aside\n$`));
  const survivor = anyName('survivor');
  await signUp(away, survivor);
  console.log(`by force: ${(performance.now() - before).toFixed(0)} ms from the command to the first write`);
  assert.ok((await signIn(sdk[away.name], client, username)).AccessToken);

  // While it comes back it never takes a write.
  let watching = true;
  const taken = [];
  const watch = (async () => {
    while (watching) await signUp(home, anyName('late')).then(() => taken.push('a write'), () => {});
  })();
  await lab.startRegion(home.name);
  await untilLedBy(away);
  await untilEqual();
  watching = false;
  await watch;
  assert.deepEqual(taken, []);
  const names = await everybody(home);
  assert.ok(names.includes(survivor));
  for (const name of alone) assert.ok(!names.includes(name));
  await fails(
    sdk[home.name].send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username: alone[0] })),
    'UserNotFoundException',
  );
  await fails(signIn(sdk[home.name], client, username, { pass: NewPassword }), 'NotAuthorizedException');
  await signInEverywhere();
  const kept = (await readdir(lab.dir, { recursive: true })).filter((name) => name.endsWith('.suffix'));
  assert.equal(kept.length, 1, kept.join());
  assert.ok(join(lab.dir, kept[0]).includes(home.name));

  // Its contents open under the pool's keys, for those who may.
  const suffix = (...more) =>
    lab.symbolon('replication', 'suffix', pool.Id, ...more, '--region', home.name, '--dir', lab.dir);
  const [{ Name, FirstSequence, LastSequence }] = JSON.parse(await suffix()).Suffixes;
  assert.equal(FirstSequence, Number(first));
  const changes = (await suffix(Name)).trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(LastSequence - FirstSequence, 2);
  assert.equal(changes.filter((change) => change.RecordType === 'user').length, 3);
  assert.ok(changes.every((change) => change.Opens && !change.Value));
  const opened = (await suffix(Name, '--values')).trim().split('\n').map((line) => JSON.parse(line));
  const users = opened.filter((change) => change.RecordType === 'user').map((change) => Buffer.from(change.Value, 'base64'));
  for (const name of alone) assert.ok(users.some((record) => record.includes(name)), name);
});

test('and back', async () => {
  await promoteUnderLoad(away, home, away);
  const said = await lab.symbolon('replication', 'promote', '--all-of', home.name, '--to', away.name, '--dir', lab.dir);
  assert.match(said, new RegExp(`${pool.Id}: ${away.name} is primary, in epoch`));
  await lab.symbolon('replication', 'promote', pool.Id, '--to', home.name, '--dir', lab.dir);
  await untilLedBy(home);
  await signUp(home, anyName());
});

// As a virtual machine that is moved. The writes wait in its sockets, and are read before it can hear anything.
test('a primary that stood still while another was promoted by force answers no write as accepted', async () => {
  await untilEqual();
  const write = (region) => {
    const GroupName = anyName('group');
    return call(region.api, 'CreateGroup', { UserPoolId: pool.Id, GroupName }).then(
      ({ status }) => ({ status, GroupName }),
      () => ({ status: 0, GroupName }),
    );
  };
  const groups = async (region) => {
    const { body } = await call(region.api, 'ListGroups', { UserPoolId: pool.Id });
    return body.Groups.map(({ GroupName }) => GroupName);
  };
  const before = await write(home);
  assert.equal(before.status, 200);
  await untilEqual();
  await lab.suspend(home.name);
  let late;
  try {
    late = Array.from({ length: 20 }, () => write(home));
    await promote(away, { Force: true });
    assert.equal((await write(away)).status, 200);
  } finally {
    await lab.resume(home.name);
  }
  const answers = await Promise.all(late);
  assert.deepEqual(answers.filter(({ status }) => status === 200), []);
  await untilLedBy(away);
  await untilEqual();
  for (const region of lab.regions) {
    const there = await groups(region);
    assert.ok(there.includes(before.GroupName));
    for (const { GroupName } of answers) assert.ok(!there.includes(GroupName));
  }
  await signInEverywhere();
});

test('all pools of a Region by the API alone: planned, and by force when it is lost', async () => {
  await until(`${home.name} is primary`, () => promote(home));
  const second = await createReplicatedPool(lab);
  const alone = await createPool(sdk[home.name]);
  await untilEqual();
  const promoteAll = (from, to, at, ...words) =>
    lab.symbolonByApi(
      {}, 'replication', 'promote', '--all-of', from.name, '--to', to.name, '--endpoint', new URL(at.api).host, ...words,
    );
  const led = (said, region) => {
    for (const { Id } of [pool, second]) assert.match(said, new RegExp(`^${Id}: ${region.name} is primary, in epoch`, 'm'));
  };
  const planned = await promoteAll(home, away, home);
  led(planned, away);
  assert.match(planned, new RegExp(`^${alone.Id}: has no replica in ${away.name}, and stays as it is$`, 'm'));
  assert.match(await promoteAll({ name: 'nowhere' }, away, away), /^nowhere is primary of no pool$/m);
  // What is refused keeps no other from it, is told, and makes the command fail.
  await lab.kill(home.name);
  await assert.rejects(promoteAll(away, home, away), { code: 1, stderr: /(OperationNotEnabledException[^]*){2}2 of 2 pools were not promoted/ });
  await lab.startRegion(home.name);
  await until('the Regions have met', () => promoteAll(away, home, away).then((said) => (led(said, home), true)));
  await untilEqual();
  await lab.kill(home.name);
  const forced = await promoteAll(home, away, away, '--force');
  led(forced, away);
  assert.equal(forced.match(new RegExp(`^  ${home.name} did not answer`, 'gm')).length, 2);
  await signUp(away, anyName());
  await lab.startRegion(home.name);
  await untilLedBy(away);
});
