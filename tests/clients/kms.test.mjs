import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DescribeUserPoolCommand, UpdateUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider';
import {
  CreateKeyCommand, DescribeKeyCommand, DisableKeyCommand, EnableKeyCommand, ListKeysCommand, ReplicateKeyCommand,
} from '@aws-sdk/client-kms';
import { fails } from '../lib/expect.mjs';
import { account, Lab } from '../lib/lab.mjs';
import { createClient, createPool, createUser, signIn } from '../lib/pools.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
const kms = lab.kms();
const kmsElsewhere = lab.kms(lab.secondary.name);
after(() => lab.release());

const create = async (settings = {}) => (await kms.send(new CreateKeyCommand(settings))).KeyMetadata;
const describe = async (KeyId, where = kms) => (await where.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata;

test('a key is made, described, listed, disabled and enabled', async () => {
  const key = await create({ Description: 'for a test' });
  assert.equal(key.Arn, `arn:aws:kms:${lab.primary.name}:${account}:key/${key.KeyId}`);
  assert.equal(key.KeyState, 'Enabled');
  assert.equal(key.KeyUsage, 'ENCRYPT_DECRYPT');
  assert.equal(key.KeySpec, 'SYMMETRIC_DEFAULT');
  assert.equal(key.MultiRegion, false);
  assert.equal((await describe(key.Arn)).Description, 'for a test');
  const ids = [];
  let Marker;
  do {
    const page = await kms.send(new ListKeysCommand({ Limit: 2, Marker }));
    ids.push(...page.Keys.map((each) => each.KeyId));
    Marker = page.Truncated ? page.NextMarker : undefined;
  } while (Marker);
  assert.ok(ids.includes(key.KeyId));
  await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  assert.equal((await describe(key.KeyId)).KeyState, 'Disabled');
  assert.equal((await describe(key.KeyId)).Enabled, false);
  await kms.send(new EnableKeyCommand({ KeyId: key.KeyId }));
  assert.equal((await describe(key.KeyId)).KeyState, 'Enabled');
});

test('a multi-Region key is replicated under the same id', async () => {
  const key = await create({ MultiRegion: true });
  assert.match(key.KeyId, /^mrk-[0-9a-f]{32}$/);
  assert.equal(key.MultiRegion, true);
  assert.equal(key.MultiRegionConfiguration.MultiRegionKeyType, 'PRIMARY');
  const ReplicaRegion = lab.secondary.name;
  const { ReplicaKeyMetadata } = await kms.send(new ReplicateKeyCommand({ KeyId: key.KeyId, ReplicaRegion }));
  assert.equal(ReplicaKeyMetadata.KeyId, key.KeyId);
  assert.equal(ReplicaKeyMetadata.Arn, key.Arn.replace(lab.primary.name, ReplicaRegion));
  await until('the replica key is enabled', async () => (await describe(key.KeyId, kmsElsewhere)).KeyState === 'Enabled');
  assert.equal((await describe(key.KeyId, kmsElsewhere)).MultiRegionConfiguration.MultiRegionKeyType, 'REPLICA');
  await fails(kms.send(new ReplicateKeyCommand({ KeyId: key.KeyId, ReplicaRegion })), 'AlreadyExistsException');
});

test('wrong keys are refused', async () => {
  await fails(describe('mrk-00000000000000000000000000000000'), 'NotFoundException');
  const single = await create();
  await fails(
    kms.send(new ReplicateKeyCommand({ KeyId: single.KeyId, ReplicaRegion: lab.secondary.name })), 'UnsupportedOperationException',
  );
});

test('a pool under a customer managed key says so; without its key it is locked, and opens again', async () => {
  const key = await create();
  const pool = await createPool(cognito, { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: key.Arn } });
  const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }));
  assert.deepEqual(UserPool.KeyConfiguration, { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: key.Arn });
  const client = await createClient(cognito, pool.Id);
  const username = await createUser(cognito, pool.Id);
  assert.ok((await signIn(cognito, client, username)).AccessToken);

  await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  const locked = await until('the pool is locked', () =>
    signIn(cognito, client, username).then(
      () => undefined,
      (error) => error,
    ),
  );
  assert.equal(locked.$metadata.httpStatusCode, 400);
  assert.match(locked.message, /key/i);
  // Whoever holds a token can still verify it.
  assert.equal((await fetch(`${lab.primary.api}/${pool.Id}/.well-known/jwks.json`)).status, 200);

  await kms.send(new EnableKeyCommand({ KeyId: key.KeyId }));
  assert.ok((await until('the pool opens', () => signIn(cognito, client, username))).AccessToken);
});

test('a key that does not exist, or is disabled, is refused for a pool', async () => {
  const withKey = (KmsKeyArn) => createPool(cognito, { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } });
  await fails(withKey(`arn:aws:kms:${lab.primary.name}:${account}:key/mrk-${'0'.repeat(32)}`), 'InvalidParameterException');
  const key = await create();
  await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  await fails(withKey(key.Arn), 'InvalidParameterException');
});

test('a pool falls back to an AWS-owned key only by an update that names it', async () => {
  const key = await create();
  const customer = { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: key.Arn };
  const pool = await createPool(cognito, { KeyConfiguration: customer });
  const update = async (settings) => {
    await cognito.send(new UpdateUserPoolCommand({ UserPoolId: pool.Id, ...settings }));
    return (await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }))).UserPool.KeyConfiguration;
  };
  for (const settings of [{}, { KeyConfiguration: {} }, { KeyConfiguration: customer }]) {
    assert.deepEqual(await update(settings), customer, JSON.stringify(settings));
  }
  assert.deepEqual(await update({ KeyConfiguration: { KeyType: 'AWS_OWNED_KEY' } }), { KeyType: 'AWS_OWNED_KEY' });
});
