// Customer managed keys that are not in the local provider: in an HSM (a SoftHSM token), and in another service with the
// AWS KMS API (a second symbolond); and the root key of the local ones under a passphrase and under the HSM's key.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { DescribeUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider';
import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { fails } from '../lib/expect.mjs';
import { account, Lab, program } from '../lib/lab.mjs';
import { createClient, createPool, createUser, signIn } from '../lib/pools.mjs';
import { pin, Token } from '../lib/token.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);

// A symbolond of somebody else's, as a key service.
class KeyService {
  static account = '111111111111';
  static credentials = { accessKeyId: 'SERVICE', secretAccessKey: 'secret-of-the-service' };
  #port = 0;

  static async start() {
    const service = new KeyService();
    service.folder = await mkdtemp(join(tmpdir(), 'symbolon-kms-'));
    service.secretFile = join(service.folder, 'secret');
    await writeFile(service.secretFile, KeyService.credentials.secretAccessKey, { mode: 0o600 });
    await service.up();
    return service;
  }

  async up() {
    const { accessKeyId, secretAccessKey } = KeyService.credentials;
    const region = 'eu-central-1';
    const url = 'http://127.0.0.1:1';
    const file = join(this.folder, 'symbolond.toml');
    await writeFile(file, `region = "${region}"\naccount = "${KeyService.account}"\ndata_dir = "data"\nneutral_url = "${url}"
[api]\nlisten = "127.0.0.1:${this.#port}"\npublic_url = "${url}"\n[operations]\nlisten = "127.0.0.1:0"
[keys]\nprovider = "local"\nroot_key_file = "root.key"
[[access_keys]]\nid = "${accessKeyId}"\nsecret = "${secretAccessKey}"
[[regions]]\nname = "${region}"\npublic_url = "${url}"\n`);
    this.process = spawn('setpriv', ['--pdeathsig', 'KILL', program('symbolond'), '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let told = '';
    this.process.stderr.on('data', (text) => (told += text));
    this.#port = Number(await until('the key service runs', () => {
      assert.equal(this.process.exitCode, null, told);
      return told.match(/API on 127\.0\.0\.1:(\d+)/)?.[1];
    }));
    this.kms?.destroy();
    this.kms = new KMSClient({ region, endpoint: this.endpoint, credentials: KeyService.credentials, maxAttempts: 1 });
  }

  async down() {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }

  async release() {
    this.kms.destroy();
    await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }

  get endpoint() {
    return `http://127.0.0.1:${this.#port}`;
  }
  get configuration() {
    return `\n[keys.aws_kms]\nendpoint = "${this.endpoint}"\naccounts = ["${KeyService.account}"]\naccess_key_id = "${
      KeyService.credentials.accessKeyId}"\nsecret_access_key_file = "${this.secretFile}"\n`;
  }
}

// A provider out of reach does not lock in the time of a test, or at the next check.
const patient = 'unreachable_grace_s = 3600\n';
const impatient = 'unreachable_grace_s = 0\n';

const hsmKey = (name) => `arn:aws:kms:${lab.primary.name}:${account}:key/hsm-${name}`;
const withKey = (KmsKeyArn) => ({ KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } });
const failure = (promise) => promise.then(() => undefined, (error) => error);

const configurationFile = () => join(lab.dir, 'regions', lab.primary.name, 'symbolond.toml');

let lab;
let token;
let service;
let cognito;
let pool;
let client;
let username;
let other;
let otherClient;
let otherUsername;

// `keys`: lines for [keys]; `tables`: further ones.
async function configure({ keys = '', tables = '' }) {
  const text = await readFile(configurationFile(), 'utf8');
  await writeFile(configurationFile(), text.replace('[keys]\n', `[keys]\n${keys}`) + tables);
}
async function restartWith(settings = {}) {
  await lab.stop(lab.primary.name);
  await configure(settings);
  await lab.startRegion(lab.primary.name);
}
const protectRootKey = (...flags) => run(program('symbolond'), ['--config', configurationFile(), '--protect-root-key', ...flags]);

before(async () => {
  token = await Token.make();
  await token.makeKey('payments');
  await token.makeKey('root');
  service = await KeyService.start();
  lab = await Lab.start();
  await restartWith({ keys: patient, tables: token.configuration + service.configuration });
  cognito = lab.cognito();
  pool = await createPool(cognito, withKey(hsmKey('payments')));
  client = await createClient(cognito, pool.Id);
  username = await createUser(cognito, pool.Id);
  other = await createPool(cognito);
  otherClient = await createClient(cognito, other.Id);
  otherUsername = await createUser(cognito, other.Id);
});
after(async () => {
  await lab?.release();
  await service?.release();
  await token.release();
});

test('a pool under an HSM key says so and serves', async () => {
  const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }));
  assert.deepEqual(UserPool.KeyConfiguration, withKey(hsmKey('payments')).KeyConfiguration);
  assert.ok((await signIn(cognito, client, username)).AccessToken);
});

test('a key that is not in the token is refused', async () => {
  await fails(createPool(cognito, withKey(hsmKey('nobody'))), 'InvalidParameterException');
});

test('without its token the pool is locked, other pools feel nothing, and it opens by itself', async () => {
  await token.takeOut();
  const locked = await until('the pool is locked', () => failure(signIn(cognito, client, username)));
  assert.equal(locked.name, 'OperationNotEnabledException');
  assert.equal(locked.message, 'The HSM token with the KMS key of the user pool is removed.');
  assert.ok((await signIn(cognito, otherClient, otherUsername)).AccessToken);
  assert.equal((await fetch(`${lab.primary.api}/${pool.Id}/.well-known/jwks.json`)).status, 200);
  await fails(createPool(cognito, withKey(hsmKey('payments'))), 'InvalidParameterException');
  await token.putBack();
  assert.ok((await until('the pool opens', () => signIn(cognito, client, username))).AccessToken);
});

test('a node that starts without the token serves other pools, and this one when the token comes', async () => {
  await token.takeOut();
  await restartWith();
  assert.ok((await until('others sign in', () => signIn(cognito, otherClient, otherUsername))).AccessToken);
  assert.ok(await failure(signIn(cognito, client, username)));
  await token.putBack();
  assert.ok((await until('the pool opens', () => signIn(cognito, client, username))).AccessToken);
});

test('a pool under a key of another key service is locked when that is disabled, and when the service is gone', async () => {
  const { KeyMetadata } = await service.kms.send(new CreateKeyCommand({}));
  const theirs = await createPool(cognito, withKey(KeyMetadata.Arn));
  const theirClient = await createClient(cognito, theirs.Id);
  const theirUser = await createUser(cognito, theirs.Id);
  const signInThere = () => signIn(cognito, theirClient, theirUser);
  assert.ok((await signInThere()).AccessToken);

  await service.kms.send(new DisableKeyCommand({ KeyId: KeyMetadata.KeyId }));
  const disabled = await until('the pool is locked', () => failure(signInThere()));
  assert.match(disabled.message, /disabled/i);
  await fails(createPool(cognito, withKey(KeyMetadata.Arn)), 'InvalidParameterException');
  await service.kms.send(new EnableKeyCommand({ KeyId: KeyMetadata.KeyId }));
  assert.ok((await until('the pool opens', signInThere)).AccessToken);

  // No Region's own key service has it, and what to do is said.
  const withdrawn = await failure(lab.symbolon('keys', 'withdraw', theirs.Id, '--dir', lab.dir));
  assert.equal(withdrawn.code, 1);
  const command = `aws kms disable-key --region ${lab.primary.name} --key-id ${KeyMetadata.Arn}`;
  assert.match(withdrawn.stdout, new RegExp(`^${lab.primary.name}: ${KeyMetadata.Arn} is not disabled: NotFoundException.*${command}`, 'm'));
  assert.match(withdrawn.stdout, new RegExp(`^${lab.secondary.name}: .* nothing to withdraw$`, 'm'));

  await lab.stop(lab.primary.name);
  await writeFile(configurationFile(), (await readFile(configurationFile(), 'utf8')).replace(patient, impatient));
  await lab.startRegion(lab.primary.name);
  assert.ok((await until('people sign in', signInThere)).AccessToken);
  await service.down();
  const gone = await until('the pool is locked', () => failure(signInThere()), 60_000);
  assert.match(gone.message, /key/i);
  assert.ok((await signIn(cognito, otherClient, otherUsername)).AccessToken);
  assert.ok((await signIn(cognito, client, username)).AccessToken);
  await service.up();
  assert.ok((await until('the pool opens', signInThere)).AccessToken);
});

test('a key of another account, or that is not there, is refused', async () => {
  const arn = (id, of) => `arn:aws:kms:${lab.primary.name}:${of}:key/${id}`;
  const id = '00000000-0000-0000-0000-000000000000';
  await fails(createPool(cognito, withKey(arn(id, KeyService.account))), 'InvalidParameterException');
  await fails(createPool(cognito, withKey(arn(id, '222222222222'))), 'InvalidParameterException');
});

test('the root key goes under a passphrase, under another one, and under a key of the HSM', async () => {
  const rootKey = join(lab.dir, 'regions', lab.primary.name, 'root.key');
  const passphrase = async (name, text) => {
    const file = join(token.folder, name);
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    return file;
  };
  const first = await passphrase('first', 'first-passphrase-of-the-root');
  const second = await passphrase('second', 'second-passphrase-of-the-root');
  await lab.stop(lab.primary.name);
  const plain = await readFile(rootKey, 'utf8');
  const original = await readFile(configurationFile(), 'utf8');
  const useOnly = async (keys) => {
    await writeFile(configurationFile(), original);
    await configure({ keys });
  };

  await useOnly(`root_passphrase_file = "${first}"\n`);
  await assert.rejects(run(program('symbolond'), ['--config', configurationFile()]), /is not protected/);
  await protectRootKey();
  assert.ok(!(await readFile(rootKey, 'utf8')).includes(plain.trim()));
  await useOnly(`root_passphrase_file = "${second}"\n`);
  await assert.rejects(run(program('symbolond'), ['--config', configurationFile()]), /does not open under this passphrase/);
  await assert.rejects(protectRootKey(), /does not open under this passphrase/);
  await protectRootKey('--former-passphrase-file', first);
  await lab.startRegion(lab.primary.name);
  assert.ok((await until('people sign in', () => signIn(cognito, otherClient, otherUsername))).AccessToken);
  await assert.rejects(protectRootKey(), /in use/);

  await lab.stop(lab.primary.name);
  await useOnly(`root_key_cmk = "${hsmKey('root')}"\n`);
  await protectRootKey('--former-passphrase-file', second);
  await lab.startRegion(lab.primary.name);
  assert.ok((await until('people sign in', () => signIn(cognito, otherClient, otherUsername))).AccessToken);
});

test('PIN, passphrases and secrets are in no log and no file of the node', async () => {
  const secrets = [pin, 'first-passphrase', 'second-passphrase', KeyService.credentials.secretAccessKey];
  let searched = 0;
  for (const entry of await readdir(lab.dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const content = await readFile(join(entry.path, entry.name));
    for (const secret of secrets) assert.ok(!content.includes(secret), `${entry.path}/${entry.name}`);
    ++searched;
  }
  assert.ok(searched > 10);
});
