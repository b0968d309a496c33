// Nothing of a pool is readable where it should not be: planted values are searched for in files, on the link between
// Regions, in logs, pages and answers, while the pool is in use and while it is locked, and then in the processes' memory
// as well. The pool's KMS key has material that was imported, so that it is known and can be searched for too.
import assert from 'node:assert/strict';
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  AdminUpdateUserAttributesCommand, AdminGetUserCommand, AssociateSoftwareTokenCommand, CreateGroupCommand, GetUserCommand, ListUsersCommand,
  SetUserPoolMfaConfigCommand, UpdateUserAttributesCommand, VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import {
  CreateKeyCommand, DisableKeyCommand, EnableKeyCommand, GetParametersForImportCommand, ImportKeyMaterialCommand,
} from '@aws-sdk/client-kms';
import { Authenticator } from '../lib/authenticator.mjs';
import { credentials, Lab } from '../lib/lab.mjs';
import { filesUnder, needlesOf, processWith, search, searchFiles, searchMemory } from '../lib/plants.mjs';
import { createClient, createPool, createUser, refresh, secretHash, signIn } from '../lib/pools.mjs';
import { call } from '../lib/raw.mjs';
import { addReplica, replicateKey } from '../lib/replicas.mjs';
import { TappedLink } from '../lib/tapped_link.mjs';
import { until } from '../lib/wait.mjs';

// In every planted value, so that one search finds them all.
const mark = 'kqzv7w2mx4pj';
const phone = '+4917655588231';
const pass = `Pw-${mark}-9A!`;
const wrongPass = `Wrong-${mark}-9A!`;
const username = `${mark}-anna`;
const emailOf = (name) => `${name}.${mark}@example.com`;

const lab = await Lab.start();
const links = [];
after(async () => {
  await lab.release();
  for (const link of links) link.close();
});

const configuration = (region) => join(lab.dir, 'regions', region, 'symbolond.toml');
const poolIsOpen = async (client, region) => {
  // A name that was not planted.
  const answer = await signIn(lab.cognito(region), client, 'nobody-at-all').catch((error) => error);
  return answer.name !== 'OperationNotEnabledException';
};

// Every line of the log, and a tap on the link in both directions.
async function rebuildLab() {
  for (const { name: here } of lab.regions) {
    let text = readFileSync(configuration(here), 'utf8');
    for (const { name: other } of lab.regions) {
      if (other === here) continue;
      const address = text.match(new RegExp(`name = "${other}"[^[]*replication = "127.0.0.1:(\\d+)"`))[1];
      const link = await TappedLink.start({ certificates: join(lab.dir, 'certificates'), from: here, to: other, port: Number(address) });
      links.push(link);
      text = text.replace(`replication = "127.0.0.1:${address}"`, `replication = "127.0.0.1:${link.port}"`);
    }
    writeFileSync(configuration(here), `${text}\n[log]\nlevel = "debug"\n`);
  }
  for (const { name } of lab.regions) await lab.stop(name);
  for (const { name } of lab.regions) await lab.startRegion(name);
}

// A multi-Region key of imported material, which each Region gets from its owner.
async function keyOf(material) {
  const { KeyMetadata } = await lab.kms().send(new CreateKeyCommand({ MultiRegion: true, Origin: 'EXTERNAL' }));
  const { KeyId } = KeyMetadata;
  for (const { name } of lab.regions) {
    if (name !== lab.primary.name) await replicateKey(lab, KeyId, name);
    const kms = lab.kms(name);
    const { PublicKey, ImportToken } = await kms.send(new GetParametersForImportCommand({
      KeyId, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048',
    }));
    const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
    const EncryptedKeyMaterial = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, material);
    await kms.send(new ImportKeyMaterialCommand({
      KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    }));
  }
  return KeyMetadata.Arn;
}

let pool, client, keyArn, needles, seen;

before(async () => {
  await rebuildLab();
  const cognito = lab.cognito(lab.primary.name, { maxAttempts: 8 });
  const material = randomBytes(32);
  keyArn = await keyOf(material);
  pool = await createPool(cognito, {
    KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: keyArn },
    Schema: [{ Name: 'department', AttributeDataType: 'String', Mutable: true }],
  });
  client = await createClient(cognito, pool.Id, { GenerateSecret: true });
  const UserPoolId = pool.Id;
  const people = [username, `${mark}-bert`, `${mark}-carl`];
  const attributes = (name) => ({
    email: emailOf(name), phone_number: phone, phone_number_verified: 'true', given_name: `Given ${mark}`, 'custom:department': `Dep ${mark}`,
  });
  for (const name of people) await createUser(cognito, UserPoolId, { username: name, pass, attributes: attributes(name) });
  // What is there goes by a copy, what comes by the stream.
  await addReplica(lab, UserPoolId, lab.secondary.name, { cognito });
  await createUser(cognito, UserPoolId, { username: `${mark}-dora`, pass, attributes: attributes('dora') });
  await cognito.send(new CreateGroupCommand({ UserPoolId, GroupName: 'staff', Description: `Group ${mark}` }));
  await cognito.send(new SetUserPoolMfaConfigCommand({
    UserPoolId, MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration: { Enabled: true },
  }));

  const tokens = await signIn(cognito, client, username, { pass });
  const { SecretCode } = await cognito.send(new AssociateSoftwareTokenCommand({ AccessToken: tokens.AccessToken }));
  const authenticator = new Authenticator(SecretCode);
  await cognito.send(new VerifySoftwareTokenCommand({ AccessToken: tokens.AccessToken, UserCode: authenticator.code() }));

  const roots = lab.regions.flatMap(({ name }) => {
    const hex = readFileSync(join(lab.dir, 'regions', name, 'root.key'), 'utf8').trim();
    return needlesOf(`root key of ${name}`, Buffer.from(hex, 'hex'));
  });
  // Of the pool: they are to be gone from memory when it is locked.
  needles = {
    pool: [
      ...needlesOf('planted', mark), ...needlesOf('phone', phone), ...needlesOf('client secret', client.ClientSecret),
      ...needlesOf('TOTP secret', SecretCode),
    ],
    node: [...roots, ...needlesOf('key material', material), ...needlesOf('secret access key', credentials.secretAccessKey)],
  };
  needles.all = [...needles.pool, ...needles.node];

  seen = [];
  for (const { name: region, api } of lab.regions) {
    const there = lab.cognito(region);
    // Both Regions serve sign-ins, searches and refreshes of planted people, and refuse what is wrong.
    await until(`${username} signs in in ${region}`, () => signIn(there, client, username, { pass }));
    const { RefreshToken } = await signIn(there, client, `${mark}-bert`, { pass });
    await refresh(there, client, RefreshToken, { SECRET_HASH: secretHash(client, `${mark}-bert`) });
    await there.send(new ListUsersCommand({ UserPoolId, Filter: `email = "${emailOf(username)}"` }));
    await there.send(new AdminGetUserCommand({ UserPoolId, Username: username }));
    const start = (name, password, hash = secretHash(client, name)) =>
      call(api, 'InitiateAuth', {
        AuthFlow: 'USER_PASSWORD_AUTH', ClientId: client.ClientId,
        AuthParameters: { USERNAME: name, PASSWORD: password, SECRET_HASH: hash },
      }, { signed: false });
    const errors = [
      await start(username, wrongPass),
      await start(`${mark}-nobody`, pass),
      await start(username, pass, `hash-${mark}`),
      await call(api, 'AdminGetUser', { UserPoolId, Username: `${mark}-nobody` }),
      await call(api, 'AdminCreateUser', { UserPoolId, Username: username, TemporaryPassword: pass }),
      await call(api, 'AdminUpdateUserAttributes', { UserPoolId, Username: username, UserAttributes: [{ Name: 'nonsense', Value: mark }] }),
      await call(api, 'AdminSetUserPassword', { UserPoolId, Username: username, Password: mark.slice(0, 4).padEnd(6, mark), Permanent: true }),
      await call(api, 'ListUsers', { UserPoolId, Filter: `email > "${emailOf(username)}"` }),
      await call(api, 'GetUser', { AccessToken: `rubbish-${mark}` }, { signed: false }),
      await call(api, 'AdminGetUser', `{"UserPoolId":"${UserPoolId}","Username":"${mark}`),
    ];
    for (const { status, body } of errors) {
      assert.notEqual(status, 200);
      seen.push(JSON.stringify(body));
    }
  }
  await lab.cognito().send(new AdminUpdateUserAttributesCommand({
    UserPoolId, Username: username, UserAttributes: [{ Name: 'given_name', Value: `Other ${mark}` }],
  }));
  await lab.cognito().send(new UpdateUserAttributesCommand({
    AccessToken: tokens.AccessToken, UserAttributes: [{ Name: 'custom:department', Value: `New ${mark}` }],
  }));
}, { timeout: 240_000 });

test('the link between Regions shows nothing to who holds its certificates', async () => {
  const octets = Buffer.concat(links.map((link) => link.octets));
  assert.ok(search(octets, needlesOf('pool', pool.Id), 'the link').length > 0, 'the tap sees what is sent');
  assert.deepEqual(search(octets, needles.all, 'the link'), []);
});

test('answers to what is wrong, pages and metrics show nothing', async () => {
  const pages = [];
  for (const { operations } of lab.regions) {
    for (const page of ['/metrics', '/replication', '/domains', '/health/ready', '/health/live']) {
      const response = await fetch(operations + page);
      assert.equal(response.status, 200, page);
      pages.push(await response.text());
    }
  }
  assert.ok(pages.some((page) => page.includes(pool.Id)));
  assert.deepEqual(search(Buffer.from(pages.join('\n')), needles.all, 'a page'), []);
  assert.deepEqual(search(Buffer.from(seen.join('\n')), needles.all, 'an answer'), []);
});

// What has to hold a secret, and is the operator's to protect.
const holdsSecrets = (file) => /\/(root\.key|lab\.toml|symbolond\.toml)$/.test(file);

test('the files of a pool in use show nothing: store, log, keys, audit trail, what the programs told', async () => {
  const look = () => filesUnder(lab.dir, holdsSecrets);
  const parts = ['/logs/', '.sst', 'audit-', 'MANIFEST', '.jsonl'];
  const known = (files) => parts.filter((part) => files.some((file) => file.includes(part)));
  // A start writes what is in the write-ahead log into tables.
  const before = look();
  for (const { name } of lab.regions) {
    const writeAheadLog = before.filter((file) => file.includes(`/${name}/`) && /\/\d{6}\.log$/.test(file));
    assert.ok(searchFiles(writeAheadLog, needlesOf('pool', pool.Id)).length > 0, `the write-ahead log of ${name} holds the pool`);
  }
  assert.deepEqual(searchFiles(before, needles.all), []);
  for (const { name } of lab.regions) {
    await lab.stop(name);
    await lab.startRegion(name);
  }
  const files = look();
  assert.deepEqual(known(files), parts);
  assert.ok(searchFiles(files, needlesOf('pool', pool.Id)).length > 0, 'what is in clear is found');
  assert.deepEqual(searchFiles(files, needles.all), []);
});

test('a suffix that was set aside shows nothing', async () => {
  // The secondary misses a write, is made primary by force, and the former primary keeps that write aside.
  const [first, second] = lab.regions.map(({ name }) => name);
  await until('the replica is up to date', () => signIn(lab.cognito(second), client, `${mark}-dora`, { pass }));
  // One that has started admits no write before the other Regions have told it that it is still primary.
  await until('the primary takes writes', () => lab.cognito().send(new AdminUpdateUserAttributesCommand({
    UserPoolId: pool.Id, Username: username, UserAttributes: [{ Name: 'given_name', Value: `Third ${mark}` }],
  })));
  await lab.stop(second);
  await createUser(lab.cognito(), pool.Id, { username: `${mark}-emil`, pass, attributes: { email: emailOf('emil') } });
  await lab.stop(first);
  await lab.startRegion(second);
  await lab.symbolon('replication', 'promote', pool.Id, '--to', second, '--force', '--accept-loss', '--dir', lab.dir);
  await lab.startRegion(first);
  const folder = join(lab.dir, 'regions', first, 'data', 'set_aside');
  const files = await until('the suffix is in a file', () => filesUnder(folder), 60_000);
  assert.ok(files.length > 0);
  assert.deepEqual(searchFiles(files, needles.all), []);
});

test('memory of a locked pool shows nothing, nor do files and the link', { timeout: 240_000 }, async () => {
  const pids = lab.regions.map(({ name }) => processWith(configuration(name)));
  for (const [index, { name }] of lab.regions.entries()) {
    const pid = pids[index];
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max core file size\s+0\s+0/);
    const signedIn = await until(`${username} signs in in ${name}`, () => signIn(lab.cognito(name), client, username, { pass }));
    // The records of users who are signed in are kept opened, unless something changed while they were read.
    await until(`a pool in use is in the memory of ${name}`, async () => {
      await lab.cognito(name).send(new GetUserCommand({ AccessToken: signedIn.AccessToken }));
      return searchMemory(pid, needles.pool).found.length > 0;
    });
  }
  for (const { name } of lab.regions) {
    await lab.kms(name).send(new DisableKeyCommand({ KeyId: keyArn.replace(lab.primary.name, name) }));
    await until(`the pool is locked in ${name}`, async () => !(await poolIsOpen(client, name)));
  }
  const left = [];
  for (const [index, pid] of pids.entries()) {
    let last;
    await until('nothing is left', () => {
      last = searchMemory(pid, needles.pool);
      return last.found.length === 0;
    }, 15_000).catch(() => undefined);
    assert.ok(last.scanned > 1 << 20);
    left.push(...last.found.slice(0, 40).map((found) => `${lab.regions[index].name}: ${found}`));
  }
  assert.deepEqual(left, []);
  // Nor what the Regions wrote and sent, before and since.
  assert.deepEqual(searchFiles(filesUnder(lab.dir, holdsSecrets), needles.all), []);
  assert.deepEqual(search(Buffer.concat(links.map((link) => link.octets)), needles.all, 'the link'), []);
  for (const { name } of lab.regions) {
    await lab.kms(name).send(new EnableKeyCommand({ KeyId: keyArn.replace(lab.primary.name, name) }));
    await until(`the pool is open in ${name}`, () => signIn(lab.cognito(name), client, username, { pass }));
  }
});
