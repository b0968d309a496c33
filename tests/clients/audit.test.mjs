// What a lab's audit trails say of calls and of what the service does with keys, read as an auditor would.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { CreateKeyCommand, DescribeKeyCommand, DisableKeyCommand, EnableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { fails } from '../lib/expect.mjs';
import { account, credentials, Lab, symbolon } from '../lib/lab.mjs';
import { createClient, createPool, createUser, signIn } from '../lib/pools.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);
const lab = await Lab.shared();
const cognito = lab.cognito();
const kms = lab.kms();
after(() => lab.release());

const audit = (verb, ...args) =>
  run(symbolon, ['audit', verb, '--dir', lab.dir, ...args], { maxBuffer: 1 << 28 }).then(({ stdout }) => stdout);
const events = async (...args) =>
  (await audit('export', '--region', lab.primary.name, ...args)).split('\n').filter(Boolean).map((line) => JSON.parse(line));
const createKey = async (settings = {}) => (await kms.send(new CreateKeyCommand(settings))).KeyMetadata;

test('calls are in the trail: who, what, which key, and how it ended', async () => {
  const key = await createKey({ Description: 'to be audited' });
  await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  await kms.send(new EnableKeyCommand({ KeyId: key.Arn }));
  const [created, disabled, enabled, ...more] = await events('--key', key.Arn);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [created, disabled, enabled].map(({ eventName }) => eventName), ['CreateKey', 'DisableKey', 'EnableKey'],
  );
  assert.deepEqual(created.requestParameters, { description: 'to be audited' });
  assert.deepEqual(disabled.requestParameters, { keyId: key.KeyId });
  assert.deepEqual(disabled.resources, [{ ARN: key.Arn, accountId: account, type: 'AWS::KMS::Key' }]);
  assert.equal(disabled.userIdentity.accessKeyId, credentials.accessKeyId);
  assert.equal(disabled.sourceIPAddress, '127.0.0.1');
  assert.match(disabled.userAgent, /aws-sdk-js/);
  assert.equal(disabled.awsRegion, lab.primary.name);
  assert.equal(disabled.readOnly, false);
  assert.equal(disabled.responseElements, null);
  assert.match(disabled.eventTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test('refused calls of known callers are in the trail, calls of strangers are not', async () => {
  const KeyId = 'mrk-ffffffffffffffffffffffffffffffff';
  await fails(kms.send(new DescribeKeyCommand({ KeyId })), 'NotFoundException');
  const stranger = new KMSClient({
    region: lab.primary.name, endpoint: lab.primary.api, maxAttempts: 1, credentials: { ...credentials, secretAccessKey: 'wrong' },
  });
  await fails(stranger.send(new DescribeKeyCommand({ KeyId })), 'InvalidSignatureException');
  stranger.destroy();
  const found = await events('--key', KeyId);
  assert.deepEqual(found.map(({ eventName, errorCode }) => [eventName, errorCode]), [['DescribeKey', 'NotFoundException']]);
});

test("a pool's use of its key is in the trail with the pool; sign-ins use no key service", async () => {
  const key = await createKey();
  const pool = await createPool(cognito, { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: key.Arn } });
  const client = await createClient(cognito, pool.Id);
  const username = await createUser(cognito, pool.Id);
  const uses = async () => (await events('--key', key.Arn)).filter(({ userIdentity }) => userIdentity.type === 'AWSService');
  const made = (await uses()).filter(({ eventName }) => eventName === 'GenerateDataKeyWithoutPlaintext');
  assert.deepEqual(
    made.map(({ requestParameters }) => requestParameters.encryptionContext['symbolon:key'].split(':')[0]).sort(),
    ['data', 'identity', 'index', 'token'],
  );
  for (const { requestParameters, userIdentity } of made) {
    assert.equal(
      requestParameters.encryptionContext['aws:cognito-idp:userpool-arn'],
      `arn:aws:cognito-idp:${lab.primary.name}:${account}:userpool/${pool.Id}`,
    );
    assert.equal(userIdentity.invokedBy, 'cognito-idp.amazonaws.com');
  }

  // What may come during the sign-ins is the question whether the key may still be used: one key of the pool, every 2 s. The
  // first has a line, those that follow share one.
  const contextsOf = ({ requestParameters, additionalEventData }) =>
    additionalEventData?.encryptionContexts.map(({ encryptionContext }) => encryptionContext) ?? [requestParameters.encryptionContext];
  const before = (await uses()).length;
  for (let i = 0; i < 50; ++i) await signIn(cognito, client, username);
  const during = (await uses()).slice(before);
  const others = during.filter(
    (event) => event.eventName !== 'Decrypt' || contextsOf(event).some((context) => context['symbolon:key'] !== 'identity'),
  );
  assert.deepEqual(others, []);
  assert.ok(during.length < 25, `${during.length} uses in 50 sign-ins`);

  await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  await until('the refusal is in the trail', async () =>
    (await uses()).some(({ eventName, errorCode }) => eventName === 'Decrypt' && errorCode === 'DisabledException'));
  await kms.send(new EnableKeyCommand({ KeyId: key.KeyId }));
});

test('the trails of all Regions verify while they are written, also with a public key that was copied', async () => {
  const text = await audit('verify');
  for (const { name } of lab.regions) assert.ok(text.includes(`${name} (`), text);
  assert.equal(text.match(/ {2}whole and unaltered/g).length, lab.regions.length, text);
  const file = `${lab.dir}/regions/${lab.primary.name}/data/audit/public_key`;
  await audit('verify', '--region', lab.primary.name, '--public-key', file);
  const refused = await audit('verify', '--region', lab.secondary.name, '--public-key', file).catch((error) => error);
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /not the one that was given/);
});

test('events are listed a line each', async () => {
  const key = await createKey();
  const text = await audit('list', '--region', lab.primary.name, '--key', key.KeyId, '--since', '1h', '--event', 'CreateKey');
  assert.match(text, /^\S+Z {2}CreateKey +root SYMBOLONLAB {2}key\/\S+ {2}- {2}ok\n$/);
  assert.equal(await audit('list', '--region', lab.primary.name, '--key', key.KeyId, '--until', '1h'), '');
});
