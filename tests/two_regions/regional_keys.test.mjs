// A pool whose Regions have a KMS key of their own each: the first in an HSM (a SoftHSM token), the second a single-Region
// key of its local provider. Neither key leaves its Region, and what the pool needs of both goes on.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import {
  DescribeUserPoolCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import { fails } from '../lib/expect.mjs';
import { account, Lab, symbolon } from '../lib/lab.mjs';
import { createClient, createPool, createUser, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { addReplica, ask, untilEqual, untilReplica, verifyCopies } from '../lib/replicas.mjs';
import { Token } from '../lib/token.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const run = promisify(execFile);
const token = await Token.make();
for (const name of ['payments', 'payroll']) await token.makeKey(name);
const lab = await Lab.start();
after(async () => {
  await lab.release();
  await token.release();
});
const [home, away] = lab.regions.map(({ name }) => name);
const file = join(lab.dir, 'regions', home, 'symbolond.toml');
await lab.stop(home);
await writeFile(file, (await readFile(file, 'utf8')) + token.configuration);
await lab.startRegion(home);

const cognito = { [home]: lab.cognito(home, { maxAttempts: 8 }), [away]: lab.cognito(away, { maxAttempts: 8 }) };
const kms = lab.kms(away);
const hsmKey = (name) => `arn:aws:kms:${home}:${account}:key/hsm-${name}`;
const newKeyAway = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata.Arn;
const customer = (KmsKeyArn) => ({ KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } });
const keys = (...words) => lab.symbolon('keys', ...words, '--dir', lab.dir);

let keyHome = hsmKey('payments');
let keyAway = await newKeyAway();
const pool = await createPool(cognito[home], customer(keyHome));
const UserPoolId = pool.Id;
const client = await createClient(cognito[home], UserPoolId);
const people = await inParallel(4, () => createUser(cognito[home], UserPoolId));

const keyOf = (region) => ask(lab, region, 'DescribeUserPoolKey', { UserPoolId });
const stateIn = async (region) => (await keyOf(region)).Regions[0].State;
const everybodySignsIn = async () => {
  for (const region of [home, away]) for (const one of people) await signIn(cognito[region], client, one);
};
const own = async (operation, input, where = home) => {
  const answer = await call(lab.endpoint(where), operation, { UserPoolId, ...input });
  if (answer.status !== 200) throw Object.assign(new Error(answer.message), { name: answer.error });
  return answer.body;
};
const promote = async (to, options = {}) => {
  await ask(lab, options.Force ? to : home, 'PromoteUserPoolReplica', { UserPoolId, RegionName: to, ...options });
  await untilEqual(lab, UserPoolId);
};
const addPerson = async (region) => people.push(await createUser(cognito[region], UserPoolId));

test('a replica under another key has to be asked for, and the key has to be one of its Region', async () => {
  await fails(addReplica(lab, UserPoolId, away, { cognito: cognito[home] }), 'InvalidParameterException', /KeyConfiguration/);
  const replica = { RegionName: away };
  await fails(own('CreateUserPoolReplica', { ...replica, ...customer(keyHome) }), 'InvalidParameterException', /Region/);
  const absent = `arn:aws:kms:${away}:${account}:key/00000000-0000-0000-0000-000000000000`;
  await fails(own('CreateUserPoolReplica', { ...replica, ...customer(absent) }), 'InvalidParameterException', /does not exist/);
});

test('people sign in in both Regions, each of which says its own key and no other', async () => {
  assert.match(await keys('region', UserPoolId, away, keyAway), /the replica is being made/);
  await untilReplica(cognito[home], UserPoolId, away, 'INACTIVE');
  await cognito[home].send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName: away, Status: 'ACTIVE' }));
  await untilEqual(lab, UserPoolId);
  await everybodySignsIn();
  for (const [region, arn] of [[home, keyHome], [away, keyAway]]) {
    const { UserPool } = await cognito[region].send(new DescribeUserPoolCommand({ UserPoolId }));
    assert.equal(UserPool.KeyConfiguration.KmsKeyArn, arn);
    assert.equal((await keyOf(region)).KmsKeyArn, arn);
  }
  const { UserPoolReplicas } = await own('ListUserPoolReplicas', {});
  assert.deepEqual(UserPoolReplicas.map(({ KeyConfiguration }) => KeyConfiguration?.KmsKeyArn), [undefined, keyAway]);
});

test('a new data key, another HSM key at the primary, and re-encryption go through both', async () => {
  await keys('rotate', UserPoolId);
  await addPerson(home);
  keyHome = hsmKey('payroll');
  await cognito[home].send(new UpdateUserPoolCommand({ UserPoolId, ...customer(keyHome) }));
  await addPerson(home);
  await untilEqual(lab, UserPoolId);
  await everybodySignsIn();
  assert.equal((await keyOf(home)).DataKeys.length, 3);
  await keys('reencrypt', UserPoolId, '--records-per-second', '0');
  for (const region of [home, away]) {
    await until(`${region} has one data key`, async () => (await keyOf(region)).DataKeys.length === 1);
  }
  assert.equal((await keyOf(away)).KmsKeyArn, keyAway);
  await everybodySignsIn();
  await verifyCopies(lab, UserPoolId);
});

test('a key that is disabled locks its Region alone; keys that come meanwhile are refused by its name', async () => {
  await kms.send(new DisableKeyCommand({ KeyId: keyAway }));
  await until('the second Region is locked', async () => (await stateIn(away)) === 'LOCKED');
  assert.equal(await stateIn(home), 'OPEN');
  await signIn(cognito[home], client, people[0]);
  await fails(signIn(cognito[away], client, people[0]), 'OperationNotEnabledException', 'The KMS key of the user pool is disabled.');
  await assert.rejects(keys('rotate', UserPoolId), new RegExp(`${away}.*disabled`));
  await fails(ask(lab, home, 'PromoteUserPoolReplica', { UserPoolId, RegionName: away }), 'OperationNotEnabledException', /cannot open the pool/);
  await assert.rejects(ask(lab, away, 'PromoteUserPoolReplica', { UserPoolId, RegionName: away, Force: true }), /disabled/);
  const status = (Status) => cognito[home].send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName: away, Status }));
  await status('INACTIVE');
  await fails(status('ACTIVE'), 'InvalidParameterException', new RegExp(`${away}.*disabled`));
  await kms.send(new EnableKeyCommand({ KeyId: keyAway }));
  await until('the second Region is open', async () => (await stateIn(away)) === 'OPEN');
  await status('ACTIVE');
  await untilEqual(lab, UserPoolId);
  await everybodySignsIn();
});

test('a data key that came while the replica was INACTIVE is given to it afterwards', async () => {
  const status = (Status) => cognito[home].send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName: away, Status }));
  await status('INACTIVE');
  await lab.kill(away);
  await keys('rotate', UserPoolId);
  await addPerson(home);
  await lab.startRegion(away);
  await until('the second Region has the new key', async () => (await stateIn(away)) === 'OPEN');
  await status('ACTIVE');
  await untilEqual(lab, UserPoolId);
  await everybodySignsIn();
});

test('the roles change and change back, and each primary gives its data keys to the other', async () => {
  await promote(away);
  await addPerson(away);
  await keys('rotate', UserPoolId);
  await addPerson(away);
  await untilEqual(lab, UserPoolId);
  await everybodySignsIn();
  const next = await newKeyAway();
  await cognito[away].send(new UpdateUserPoolCommand({ UserPoolId, ...customer(next) }));
  await untilEqual(lab, UserPoolId);
  await kms.send(new DisableKeyCommand({ KeyId: keyAway }));
  keyAway = next;
  await until('the former key is of no use', async () => (await keyOf(away)).KmsKeyArn === keyAway && (await stateIn(away)) === 'OPEN');
  await everybodySignsIn();
  await keys('reencrypt', UserPoolId, '--records-per-second', '0');
  await everybodySignsIn();

  await ask(lab, away, 'PromoteUserPoolReplica', { UserPoolId, RegionName: home });
  await untilEqual(lab, UserPoolId);
  await keys('rotate', UserPoolId);
  await addPerson(home);
  await untilEqual(lab, UserPoolId);
  await everybodySignsIn();
});

test("a replica's own key changes without the others' notice, and the former is not needed", async () => {
  const before = await keyOf(home);
  const next = await newKeyAway();
  assert.match(await keys('region', UserPoolId, away, next), /opens the pool/);
  await until('it is the key of the Region', async () => (await keyOf(away)).KmsKeyArn === next);
  assert.deepEqual((await keyOf(home)).DataKeys, before.DataKeys);
  await kms.send(new DisableKeyCommand({ KeyId: keyAway }));
  keyAway = next;
  await until('the second Region is open', async () => (await stateIn(away)) === 'OPEN');
  await everybodySignsIn();
});

test('kill -9 while a data key is offered leaves a pool that serves and takes the next one', async () => {
  for (const victim of [away, home]) {
    const rotation = keys('rotate', UserPoolId).then(() => undefined, (error) => error);
    await lab.kill(victim);
    await rotation;
    await lab.startRegion(victim);
    await untilEqual(lab, UserPoolId);
    await until('another data key', () => keys('rotate', UserPoolId).then(() => true, () => false));
    await addPerson(home);
    await untilEqual(lab, UserPoolId);
    await everybodySignsIn();
  }
});

test('the primary is lost, and the replica takes over with its own key alone', async () => {
  await lab.kill(home);
  await ask(lab, away, 'PromoteUserPoolReplica', { UserPoolId, RegionName: away, Force: true, AcceptLoss: true });
  await addPerson(away);
  for (const one of people) await signIn(cognito[away], client, one);
  await lab.startRegion(home);
  await untilEqual(lab, UserPoolId);
  await until('both have the next data key', () => keys('rotate', UserPoolId).then(() => true, () => false));
  await addPerson(away);
  await untilEqual(lab, UserPoolId);
  await everybodySignsIn();
});

test("withdraw disables each Region's own key, and says what it cannot", async () => {
  const said = await keys('withdraw', UserPoolId).then(() => assert.fail('it cannot be whole'), (error) => error.stdout);
  assert.match(said, new RegExp(`${home}: ${keyHome} is not disabled: .*CKA_DECRYPT`));
  assert.match(said, new RegExp(`${away}: ${keyAway} is disabled; the pool was locked`));
  assert.match(said, new RegExp(`${hsmKey('payments')} was the pool's key before`));
  await keys('restore', UserPoolId).then(() => assert.fail('it cannot be whole'), (error) => error.stdout);
  await until('the second Region is open', async () => (await stateIn(away)) === 'OPEN');
});

test("each Region's audit trail has the uses of its own key alone", async () => {
  const trail = async (region, key) =>
    (await run(symbolon, ['audit', 'list', '--dir', lab.dir, '--region', region, '--key', key], { maxBuffer: 1 << 28 })).stdout;
  const id = (arn) => arn.split('/')[1];
  assert.match(await trail(home, id(keyHome)), /Decrypt/);
  assert.match(await trail(away, id(keyAway)), /Encrypt/);
  assert.match(await trail(away, id(keyAway)), /Decrypt/);
  // Who chose the other Region's key is there.
  const uses = / {2}(Decrypt|Encrypt|Generate\w+) /;
  assert.doesNotMatch(await trail(home, id(keyAway)), uses);
  assert.doesNotMatch(await trail(away, id(keyHome)), uses);
});
