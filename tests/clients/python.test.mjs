// boto3 and the AWS CLI, from PyPI (tests/requirements.txt).
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { credentials, Lab } from '../lib/lab.mjs';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const venv = process.env.SYMBOLON_TEST_VENV ?? join(here, '../../build/tools/python');
const lab = await Lab.shared();
after(() => lab.release());

test('boto3 leads a user through a whole life', async () => {
  const { stdout } = await run(join(venv, 'bin/python'), [
    join(here, 'python_tour.py'), lab.primary.api, `${lab.primary.operations}/outbox`,
  ]);
  assert.equal(stdout, 'done\n');
});

test('boto3 sets an authenticator app up and signs in with it', async () => {
  const { stdout } = await run(join(venv, 'bin/python'), [join(here, 'python_mfa.py'), lab.primary.api]);
  assert.equal(stdout, 'done\n');
});

test('boto3 tours the key service', async () => {
  const { stdout } = await run(join(venv, 'bin/python'), [join(here, 'python_kms.py'), lab.primary.api, lab.primary.name]);
  assert.equal(stdout, 'done\n');
});

test('the AWS CLI encrypts, decrypts and rotates', async () => {
  const environment = {
    PATH: process.env.PATH,
    HOME: lab.dir,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_DEFAULT_REGION: lab.primary.name,
    AWS_ENDPOINT_URL_KMS: lab.primary.api,
    AWS_PAGER: '',
  };
  const aws = async (...args) => {
    const { stdout } = await run(join(venv, 'bin/aws'), ['kms', ...args, '--output', 'json'], { env: environment });
    return stdout ? JSON.parse(stdout) : undefined;
  };
  const { KeyMetadata: key } = await aws('create-key', '--description', 'cli', '--multi-region');
  // Files of octets are what both major versions of the CLI read alike.
  const folder = await mkdtemp(join(tmpdir(), 'symbolon-cli-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const file = async (name, octets) => {
    await writeFile(join(folder, name), octets);
    return `fileb://${join(folder, name)}`;
  };
  const plaintext = Buffer.from('plain');
  const encrypted = await aws('encrypt', '--key-id', key.Arn, '--plaintext', await file('plain', plaintext), '--encryption-context', 'a=b');
  const sealed = await file('sealed', Buffer.from(encrypted.CiphertextBlob, 'base64'));
  await aws('rotate-key-on-demand', '--key-id', key.KeyId);
  const opened = await aws('decrypt', '--ciphertext-blob', sealed, '--encryption-context', 'a=b');
  assert.equal(opened.Plaintext, plaintext.toString('base64'));
  assert.equal((await aws('list-key-rotations', '--key-id', key.KeyId)).Rotations.length, 1);
  await assert.rejects(aws('decrypt', '--ciphertext-blob', sealed), /InvalidCiphertextException/);
  await aws('schedule-key-deletion', '--key-id', key.KeyId, '--pending-window-in-days', '7');
  assert.equal((await aws('describe-key', '--key-id', key.KeyId)).KeyMetadata.KeyState, 'PendingDeletion');
});

test('the AWS CLI makes, shows and deletes a pool through the router', async () => {
  const environment = {
    PATH: process.env.PATH,
    HOME: lab.dir,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_DEFAULT_REGION: lab.primary.name,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: lab.router,
    AWS_PAGER: '',
  };
  const aws = async (...args) => {
    const { stdout } = await run(join(venv, 'bin/aws'), ['cognito-idp', ...args, '--output', 'json'], { env: environment });
    return stdout ? JSON.parse(stdout) : undefined;
  };
  const { UserPool } = await aws('create-user-pool', '--pool-name', 'cli');
  assert.equal((await aws('describe-user-pool', '--user-pool-id', UserPool.Id)).UserPool.Name, 'cli');
  await aws('delete-user-pool', '--user-pool-id', UserPool.Id);
  await assert.rejects(aws('describe-user-pool', '--user-pool-id', UserPool.Id), /ResourceNotFoundException/);
});
