// A pool's key changes under load, its data moves to the new one, and the former one is of no use to anybody.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  CreateUserPoolDomainCommand,
  DeleteUserPoolReplicaCommand,
  DescribeUserPoolCommand,
  UpdateUserPoolCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { CreateKeyCommand, DescribeKeyCommand, DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import { fails } from '../lib/expect.mjs';
import { tokenRequest } from '../lib/federation.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, createClient, createPool, createUser, refresh, signIn } from '../lib/pools.mjs';
import { addReplica, ask, createReplicatedPool, multiRegionKey, replicaStatus, untilCaughtUp, untilReplica, verifyCopies } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions.map(({ name }) => name);
const cognito = { [home]: lab.cognito(home, { maxAttempts: 8 }), [away]: lab.cognito(away, { maxAttempts: 8 }) };
const kms = { [home]: lab.kms(home), [away]: lab.kms(away) };

const pool = await createReplicatedPool(lab);
const UserPoolId = pool.Id;
const client = await createClient(cognito[home], UserPoolId);
const people = await inParallel(8, () => createUser(cognito[home], UserPoolId));
await untilCaughtUp(lab, UserPoolId);

const KeyId = (arn) => arn.split('/')[1];
const in_ = (arn, region) => arn.replace(/^arn:aws:kms:[^:]*/, `arn:aws:kms:${region}`);
const customer = (KmsKeyArn) => ({ KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } });
const change = (KmsKeyArn) => cognito[home].send(new UpdateUserPoolCommand({ UserPoolId, ...customer(KmsKeyArn) }));
const disable = (arn, regions = [home, away]) =>
  Promise.all(regions.map((region) => kms[region].send(new DisableKeyCommand({ KeyId: in_(arn, region) }))));
const keyOf = (region) => ask(lab, region, 'DescribeUserPoolKey', { UserPoolId });
const keys = (...words) => lab.symbolon('keys', ...words, '--dir', lab.dir);
const everybodySignsIn = async () => {
  for (const region of [home, away]) for (const one of people) await signIn(cognito[region], client, one);
};

// People who sign in again and again in both Regions, until told to stop; how often.
function signInsGoOn() {
  let stop = false;
  let count = 0;
  const going = inParallel(4, async (index) => {
    for (let turn = index; !stop; ++turn) {
      await signIn(cognito[turn % 2 ? home : away], client, people[turn % people.length]);
      ++count;
    }
  });
  return async () => {
    stop = true;
    await going;
    return count;
  };
}

let former = pool.KeyConfiguration.KmsKeyArn;

test('another key takes over in both Regions without a failed sign-in, and the former is not needed any more', async () => {
  const next = await multiRegionKey(lab);
  const stop = signInsGoOn();
  await change(next);
  await createUser(cognito[home], UserPoolId);
  await untilCaughtUp(lab, UserPoolId);
  assert.ok((await stop()) > 0);
  const { UserPool } = await cognito[away].send(new DescribeUserPoolCommand({ UserPoolId }));
  assert.equal(UserPool.KeyConfiguration.KmsKeyArn, next);
  for (const region of [home, away]) {
    const told = await keyOf(region);
    assert.equal(told.KmsKeyArn, in_(next, region));
    assert.deepEqual(told.Regions.map(({ State }) => State), ['OPEN', 'OPEN']);
    assert.equal(told.DataKeys.length, 2);
  }
  await disable(former);
  await everybodySignsIn();
  former = next;
});

test('a key that a Region cannot use is refused by the name of that Region, and nothing changes', async () => {
  const before = await keyOf(home);
  const { KeyMetadata } = await kms[home].send(new CreateKeyCommand({}));
  await fails(change(KeyMetadata.Arn), 'InvalidParameterException', new RegExp(away));
  const next = await multiRegionKey(lab);
  await kms[away].send(new DisableKeyCommand({ KeyId: KeyId(next) }));
  await fails(change(next), 'InvalidParameterException', /cannot be used in Region .*: The KMS key of the user pool is disabled/);
  assert.deepEqual(await keyOf(home), before);
  await fails(
    cognito[home].send(new UpdateUserPoolCommand({ UserPoolId })),
    'InvalidParameterException',
    'Using an AWS owned KMS key is not supported for a user pool with multi-region replication enabled.',
  );
});

test('re-encryption goes on after kill -9 and under load, until one data key is left in both Regions', async () => {
  await inParallel(4, async () => {
    for (let i = 0; i < 25; ++i) await createUser(cognito[home], UserPoolId);
  });
  await change(await multiRegionKey(lab));
  const stop = signInsGoOn();
  await keys('reencrypt', UserPoolId, '--records-per-second', '100', '--detach');
  const work = () => ask(lab, home, 'DescribeReencryption', { UserPoolId }).then(({ Reencryption }) => Reencryption);
  const before = await until('some of it is done', async () => {
    const told = await work();
    return told.RecordsReencrypted > 50 && told;
  });
  assert.equal(before.Status, 'RUNNING');
  await stop();
  await lab.kill(home);
  await lab.startRegion(home);
  const again = await work();
  assert.ok(again.RecordsReencrypted >= before.RecordsReencrypted);
  assert.equal(again.StartedAt, before.StartedAt);
  const said = await keys('reencrypt', UserPoolId, '--records-per-second', '0');
  assert.match(said, /records re-encrypted in/);
  for (const region of [home, away]) {
    await until(`${region} has one data key`, async () => (await keyOf(region)).DataKeys.length === 1);
  }
  await verifyCopies(lab, UserPoolId);
});

test('everything opens without any of the former keys: in both Regions, after restarts, in a fresh replica', async () => {
  await disable(former);
  await everybodySignsIn();
  for (const region of [home, away]) {
    await lab.stop(region);
    await lab.startRegion(region);
  }
  await everybodySignsIn();
  const replica = { UserPoolId, RegionName: away };
  await cognito[home].send(new UpdateUserPoolReplicaCommand({ ...replica, Status: 'INACTIVE' }));
  await untilReplica(cognito[home], UserPoolId, away, 'INACTIVE');
  await cognito[home].send(new DeleteUserPoolReplicaCommand(replica));
  await until('the replica is gone', async () => (await replicaStatus(cognito[home], UserPoolId, away)) === undefined);
  await addReplica(lab, UserPoolId, away, { cognito: cognito[home] });
  await untilCaughtUp(lab, UserPoolId);
  await everybodySignsIn();
});

test('a new data key seals in both Regions, under the same KMS key', async () => {
  const before = await keyOf(home);
  await keys('rotate', UserPoolId);
  const told = await keyOf(home);
  assert.equal(told.KmsKeyArn, before.KmsKeyArn);
  assert.equal(told.DataKeys.length, 2);
  await createUser(cognito[home], UserPoolId);
  await untilCaughtUp(lab, UserPoolId);
  await everybodySignsIn();
});

test('a key that is withdrawn locks the pool in every Region, and gives it back whole', async () => {
  const said = await keys('withdraw', UserPoolId);
  for (const region of [home, away]) {
    const arn = in_((await keyOf(region)).KmsKeyArn, region);
    assert.match(said, new RegExp(`^${region}: ${arn} is disabled; the pool was locked after [\\d.]+ s$`, 'm'));
    await fails(signIn(cognito[region], client, people[0]), 'OperationNotEnabledException', 'The KMS key of the user pool is disabled.');
    assert.deepEqual((await keyOf(region)).Regions.map(({ State }) => State), ['LOCKED', 'LOCKED']);
  }
  assert.match(await keys('restore', UserPoolId), new RegExp(`^${away}: .* is enabled; the pool was open after`, 'm'));
  await everybodySignsIn();
  await kms[home].send(new EnableKeyCommand({ KeyId: KeyId((await keyOf(home)).KmsKeyArn) }));
});

const stateOf = async (arn, region) => (await kms[region].send(new DescribeKeyCommand({ KeyId: in_(arn, region) }))).KeyMetadata.KeyState;

test('a key is withdrawn while the first Region says nothing: the other one is locked at once, and the report names both', async () => {
  const { KmsKeyArn } = await keyOf(home);
  await lab.suspend(home);
  let ended = false;
  const withdrawn = keys('withdraw', UserPoolId)
    .then(() => assert.fail('it is not whole'), (error) => error)
    .finally(() => (ended = true));
  await until('the key is disabled where somebody answers', async () => (await stateOf(KmsKeyArn, away)) === 'Disabled');
  assert.equal(ended, false);
  await lab.kill(home);
  const { code, stdout } = await withdrawn;
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`^${away}: ${in_(KmsKeyArn, away)} is disabled; the pool was locked`, 'm'));
  assert.match(stdout, new RegExp(`^${home}: ${KmsKeyArn} is not disabled: the Region does not answer`, 'm'));
  await lab.startRegion(home);
  await until('the key is withdrawn', () => keys('withdraw', UserPoolId).then(() => true));
  await keys('restore', UserPoolId);
  await everybodySignsIn();
});

test('the key of a pool in one Region is withdrawn: there is nothing to do in the other', async () => {
  const { KeyMetadata } = await kms[home].send(new CreateKeyCommand({}));
  const alone = await createPool(cognito[home], customer(KeyMetadata.Arn));
  const said = await keys('withdraw', alone.Id);
  assert.match(said, new RegExp(`^${home}: ${KeyMetadata.Arn} is disabled; the pool was locked`, 'm'));
  assert.match(said, new RegExp(`^${away}: there is neither a replica of the pool nor its key: nothing to withdraw$`, 'm'));
  assert.match(await keys('restore', alone.Id), /nothing to restore/);
  // The multi-Region key is in the other Region, where the pool is not.
  const shared = await multiRegionKey(lab);
  const another = await createPool(cognito[home], customer(shared));
  assert.match(await keys('withdraw', another.Id), new RegExp(`^${away}: ${in_(shared, away)} is disabled; there is no replica`, 'm'));
  assert.equal(await stateOf(shared, away), 'Disabled');
  await assert.rejects(keys('withdraw', `${home}_NOBODYATALL`), { code: 1, stderr: /ResourceNotFoundException/ });
});

test('a Region whose key is disabled answers one error, stores what the primary writes, and is up to date at once when it is enabled', async () => {
  const machine = await createClient(cognito[home], UserPoolId, { GenerateSecret: true, ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'] });
  const Domain = anyName('domain').slice(0, 40);
  await cognito[home].send(new CreateUserPoolDomainCommand({ UserPoolId, Domain }));
  await untilCaughtUp(lab, UserPoolId);
  const authorization = `Basic ${Buffer.from(`${machine.ClientId}:${machine.ClientSecret}`).toString('base64')}`;
  const token = (parameters) => tokenRequest(`${lab.region(away).api}/_domain/${Domain}`, parameters, { authorization });
  const { RefreshToken } = await signIn(cognito[away], client, people[0]);
  await refresh(cognito[away], client, RefreshToken);
  assert.equal((await token({ grant_type: 'client_credentials' })).status, 200);

  const { KmsKeyArn } = await keyOf(away);
  await disable(KmsKeyArn, [away]);
  const locked = (call) => fails(call, 'OperationNotEnabledException', 'The KMS key of the user pool is disabled.');
  await locked(signIn(cognito[away], client, people[0]));
  await locked(refresh(cognito[away], client, RefreshToken));
  await locked(cognito[away].send(new DescribeUserPoolCommand({ UserPoolId })));
  for (const parameters of [{ grant_type: 'client_credentials' }, { grant_type: 'refresh_token', refresh_token: RefreshToken }]) {
    const { status, error } = await token(parameters);
    assert.deepEqual({ status, error }, { status: 503, error: 'temporarily_unavailable' });
  }

  const late = await createUser(cognito[home], UserPoolId);
  await untilCaughtUp(lab, UserPoolId);
  await locked(signIn(cognito[away], client, late));
  await kms[away].send(new EnableKeyCommand({ KeyId: KmsKeyArn }));
  await signIn(cognito[away], client, late);
  await refresh(cognito[away], client, RefreshToken);
  assert.equal((await token({ grant_type: 'client_credentials' })).status, 200);
  await verifyCopies(lab, UserPoolId);
});
