// A pool is shredded while one of its Regions is down: its keys are in no file of any Region any more, and a certificate
// says so, with what remains.
import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DescribeUserPoolCommand, UpdateUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider';
import { DisableKeyCommand } from '@aws-sdk/client-kms';
import { Lab } from '../lib/lab.mjs';
import { filesUnder, searchFiles } from '../lib/plants.mjs';
import { createClient, createUser, signIn } from '../lib/pools.mjs';
import { ask, createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions.map(({ name }) => name);
const dataOf = (region) => join(lab.dir, 'regions', region, 'data');
const publicKeys = [home, away].flatMap((region) => ['--key', join(dataOf(region), 'audit', 'public_key')]);
const symbolon = (...words) => lab.symbolon(...words);
const shred = (pool, ...flags) => symbolon('keys', 'shred', pool.Id, '--yes', '--dir', lab.dir, ...flags);
const fetchTo = (pool, file) => symbolon('keys', 'certificate', pool.Id, '--out', file, '--dir', lab.dir);
const describe = async (region, pool) => (await ask(lab, region, 'DescribeShredding', { UserPoolId: pool.Id })).Shredding;
const stateIn = (told, region) => told.Regions.find(({ Region }) => Region === region);
// The exit status, and what it said.
const verify = (file, ...flags) =>
  symbolon('certificate', 'verify', file, ...flags).then((said) => ({ status: 0, said }), (error) => ({
    status: error.code, said: `${error.stdout}${error.stderr}`,
  }));

// What stands in the store of a pool's keys, in octets: the names of its data keys, which every sealed record carries, and
// the wrapped keys, which follow those in their record.
async function keyNeedles(pool) {
  const { DataKeys } = await ask(lab, home, 'DescribeUserPoolKey', { UserPoolId: pool.Id });
  const needles = { names: [], wrapped: [] };
  for (const { Generation } of DataKeys) {
    const name = Buffer.from(Generation, 'hex');
    needles.names.push({ what: `data key ${Generation}`, octets: name });
    const before = Buffer.concat([Buffer.from([0x0a, name.length]), name, Buffer.from([0x12])]);
    for (const file of filesUnder(dataOf(home))) {
      const octets = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
      const at = octets.indexOf(before);
      if (at < 0) continue;
      // Past the length of the wrapped key and its own header.
      const wrapped = octets.subarray(at + before.length + 2);
      needles.wrapped.push({ what: `wrapped key ${Generation}`, octets: Buffer.from(wrapped.subarray(16, 56)) });
    }
  }
  assert.ok(needles.wrapped.length > 0, 'wrapped keys are where they are looked for');
  return needles;
}

// What is found in the Region's files. The store may remove one while they are read.
const found = async (folder, needles) => (await until('the files are read', () => ({ in: searchFiles(filesUnder(folder), needles) }))).in;

const pool = await createReplicatedPool(lab, { DeletionProtection: 'ACTIVE' });
const cognito = lab.cognito(home, { maxAttempts: 8 });
const client = await createClient(cognito, pool.Id);
const person = await createUser(cognito, pool.Id);
await untilCaughtUp(lab, pool.Id);
await signIn(lab.cognito(away), client, person);
const needles = await keyNeedles(pool);
const copy = join(lab.dir, 'an old copy');
const pendingFile = join(lab.dir, 'pending.json');
const finalFile = join(lab.dir, 'final.json');

test('it is refused without the confirmation, and under deletion protection', async () => {
  const UserPoolId = pool.Id;
  await assert.rejects(ask(lab, home, 'ShredUserPool', { UserPoolId }), { name: 'InvalidParameterException' });
  await assert.rejects(ask(lab, home, 'ShredUserPool', { UserPoolId, Confirmation: 'yes' }), { name: 'InvalidParameterException' });
  await assert.rejects(ask(lab, home, 'ShredUserPool', { UserPoolId, Confirmation: UserPoolId }), /deletion protection/);
  await assert.rejects(ask(lab, home, 'DescribeShredding', { UserPoolId }), { name: 'ResourceNotFoundException' });
  await signIn(cognito, client, person);
  await cognito.send(new UpdateUserPoolCommand({
    UserPoolId, DeletionProtection: 'INACTIVE', KeyConfiguration: pool.KeyConfiguration,
  }));
});

test('with a Region down the others destroy the keys at once, and the certificate names who is missing', async () => {
  await untilCaughtUp(lab, pool.Id);
  await lab.stop(home);
  cpSync(dataOf(home), copy, { recursive: true });
  await lab.startRegion(home);
  await until('the primary takes writes', () => createUser(cognito, pool.Id));
  await untilCaughtUp(lab, pool.Id);
  await lab.stop(away);

  await shred(pool, '--detach');
  await assert.rejects(signIn(cognito, client, person), { name: 'ResourceNotFoundException' });
  await assert.rejects(cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id })), { name: 'ResourceNotFoundException' });
  const told = await until('its keys are destroyed', async () => {
    const now = await describe(home, pool);
    return stateIn(now, home).State === 'KEYS_DESTROYED' && stateIn(now, away).Reason.includes('not in reach') && now;
  });
  assert.equal(told.Status, 'PENDING');
  assert.equal(stateIn(told, away).State, 'PENDING');
  assert.deepEqual(await found(dataOf(home), needles.wrapped), []);
  assert.ok((await found(dataOf(away), needles.wrapped)).length > 0, 'the Region that is down has them yet');

  await fetchTo(pool, pendingFile);
  const { status, said } = await verify(pendingFile, ...publicKeys);
  assert.equal(status, 3);
  assert.match(said, new RegExp(`${away}: PENDING: The Region is not in reach`));
});

test('a restart does not matter, and after the Region has returned it is final', { timeout: 180_000 }, async () => {
  await lab.stop(home);
  await lab.startRegion(home);
  assert.equal((await describe(home, pool)).Status, 'PENDING');
  await lab.startRegion(away);
  for (const region of [home, away]) {
    await until(`the certificate is final in ${region}`, async () => (await describe(region, pool)).Status === 'FINAL', 60_000);
  }
  await assert.rejects(signIn(lab.cognito(away), client, person), { name: 'ResourceNotFoundException' });
  await fetchTo(pool, finalFile);
  const { status, said } = await verify(finalFile, ...publicKeys);
  assert.equal(status, 0, said);
  for (const part of [pool.Id, home, away, 'remains: Copies of this Region', pool.KeyConfiguration.KmsKeyArn, 'genuine, and FINAL']) {
    assert.ok(said.includes(part), `${part} in ${said}`);
  }
});

test('nothing of its keys, nor a record under them, is in a file of either Region; an old copy is what it was', async () => {
  const all = [...needles.names, ...needles.wrapped];
  for (const region of [home, away]) {
    const files = filesUnder(dataOf(region));
    assert.ok(files.some((file) => file.endsWith('.sst')) && files.some((file) => file.endsWith('.jsonl')));
    assert.deepEqual(await found(dataOf(region), all), [], region);
  }
  for (const needle of all) assert.ok((await found(copy, [needle])).length > 0, needle.what);
});

test('an octet that was altered is found, and keys of others do not count', async () => {
  const text = readFileSync(finalFile);
  const altered = join(lab.dir, 'altered.json');
  for (const at of [20, Math.floor(text.length / 3), Math.floor(text.length / 2), text.length - 20]) {
    const octets = Buffer.from(text);
    octets[at] ^= 1;
    writeFileSync(altered, octets);
    assert.equal((await verify(altered)).status, 1, `octet ${at}`);
  }
  const { status, said } = await verify(finalFile, ...publicKeys.slice(0, 2));
  assert.equal(status, 1);
  assert.match(said, /NOT GENUINE: .*none of the keys that were given/);
});

test('the audit trails tell who asked, what each Region did, and that the certificate was issued', async () => {
  const trail = await symbolon('audit', 'export', '--dir', lab.dir);
  const events = trail.trim().split('\n').map((line) => JSON.parse(line));
  const of = (name) => events.filter(({ eventName, requestParameters: told }) => eventName === name && told?.userPoolId === pool.Id);
  assert.ok(of('ShredUserPool').some(({ errorCode }) => !errorCode));
  assert.ok(of('ShredUserPool').some(({ errorCode }) => errorCode === 'InvalidParameterException'));
  for (const name of ['DestroyUserPoolKeys', 'IssueCertificate']) {
    assert.deepEqual([...new Set(of(name).map(({ awsRegion }) => awsRegion))].sort(), [home, away].sort(), name);
  }
});

test('a pool that is locked is shredded with a second word, and the tool waits for the certificate', { timeout: 180_000 }, async () => {
  const locked = await createReplicatedPool(lab);
  const lockedNeedles = await keyNeedles(locked);
  for (const region of [home, away]) {
    const arn = locked.KeyConfiguration.KmsKeyArn.replace(/^arn:aws:kms:[^:]*/, `arn:aws:kms:${region}`);
    await lab.kms(region).send(new DisableKeyCommand({ KeyId: arn }));
  }
  await until('it is locked', () => cognito.send(new DescribeUserPoolCommand({ UserPoolId: locked.Id }))
    .then(() => false, ({ name }) => name === 'OperationNotEnabledException'));
  await assert.rejects(shred(locked), /AlthoughLocked/);
  await shred(locked, '--although-locked', '--out', finalFile);
  assert.equal((await verify(finalFile, ...publicKeys)).status, 0);
  for (const region of [home, away]) {
    assert.deepEqual(await found(dataOf(region), [...lockedNeedles.names, ...lockedNeedles.wrapped]), [], region);
  }
});
