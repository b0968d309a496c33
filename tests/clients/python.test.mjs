// boto3 and the AWS CLI, from PyPI (tests/requirements.txt).
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
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
