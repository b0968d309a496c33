// What each Region sets for itself stays with the Region: through restarts, promotions, copies.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminCreateUserCommand,
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  DescribeUserPoolCommand,
  ListTagsForResourceCommand,
  ListUserPoolReplicasCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateUserPoolCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { account, Lab } from '../lib/lab.mjs';
import { createPool, createUser } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { multiRegionKey, replicaStatus, untilCaughtUp, untilReplica } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = { [home.name]: lab.cognito(), [away.name]: lab.cognito(away.name) };

const key = await multiRegionKey(lab);
const pool = await createPool(sdk[home.name], {
  KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: key },
  UserPoolTags: { where: 'home', stage: 'test' },
});
const UserPoolId = pool.Id;
const replica = { UserPoolId, RegionName: away.name };
await sdk[home.name].send(new CreateUserPoolReplicaCommand({ ...replica, UserPoolTags: { where: 'away' } }));
await untilReplica(sdk[home.name], UserPoolId, away.name, 'INACTIVE');

const arn = (region) => `arn:aws:cognito-idp:${region.name}:${account}:userpool/${UserPoolId}`;
const describe = async (region) => (await sdk[region.name].send(new DescribeUserPoolCommand({ UserPoolId }))).UserPool;
async function tags(region) {
  const { Tags } = await sdk[region.name].send(new ListTagsForResourceCommand({ ResourceArn: arn(region) }));
  const { Arn, UserPoolTags } = await describe(region);
  assert.equal(Arn, arn(region));
  assert.deepEqual(UserPoolTags ?? {}, Tags);
  return Tags;
}
const tag = (region, Tags) => sdk[region.name].send(new TagResourceCommand({ ResourceArn: arn(region), Tags }));

async function promote(to) {
  const { status, message } = await call(
    lab.endpoint(to.name), 'PromoteUserPoolReplica', { UserPoolId, RegionName: to.name }, { prefix: prefixes.symbolon },
  );
  assert.equal(status, 200, message);
  await until(`both Regions say that ${to.name} is primary`, async () => {
    const told = await Promise.all(
      lab.regions.map((region) => sdk[region.name].send(new ListUserPoolReplicasCommand({ UserPoolId }))),
    );
    return told.every(({ UserPoolReplicas }) =>
      UserPoolReplicas.some((one) => one.RegionName === to.name && one.Role === 'PRIMARY'));
  });
}

test('a new replica begins with the tags that it was given, and each Region changes its own', async () => {
  assert.deepEqual(await tags(home), { where: 'home', stage: 'test' });
  assert.deepEqual(await tags(away), { where: 'away' });
  await tag(away, { stage: 'live' }); // INACTIVE is enough
  await sdk[home.name].send(new UntagResourceCommand({ ResourceArn: arn(home), TagKeys: ['stage'] }));
  assert.deepEqual(await tags(home), { where: 'home' });
  assert.deepEqual(await tags(away), { where: 'away', stage: 'live' });
  await fails(
    sdk[home.name].send(new ListTagsForResourceCommand({ ResourceArn: arn(away) })),
    'InvalidParameterException',
    /names no user pool of this Region/,
  );
  await fails(tag(home, { 'aws:mine': 'no' }), 'InvalidParameterException');
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key ${i}`, 'value']));
  await fails(tag(home, many), 'InvalidParameterException', 'A user pool has at most 50 tags.');
});

test('a secondary takes its own settings with UpdateUserPool, and refuses others by name', async () => {
  const update = (region, settings) => sdk[region.name].send(new UpdateUserPoolCommand({ UserPoolId, ...settings }));
  await sdk[home.name].send(new UpdateUserPoolReplicaCommand({ ...replica, Status: 'ACTIVE' }));
  await untilReplica(sdk[home.name], UserPoolId, away.name, 'ACTIVE');
  await untilCaughtUp(lab, UserPoolId);
  // As tools do it that write back what they have read.
  const { PoolName = 'test', Policies, DeletionProtection, AutoVerifiedAttributes, AccountRecoverySetting, KeyConfiguration } =
    await describe(away);
  const known = { PoolName, Policies, DeletionProtection, AutoVerifiedAttributes, AccountRecoverySetting, KeyConfiguration };
  await update(away, { ...known, UserPoolTags: { where: 'away' } });
  assert.deepEqual(await tags(away), { where: 'away' });
  await fails(
    update(away, { ...known, DeletionProtection: 'ACTIVE', UserPoolTags: {} }),
    'InvalidParameterException',
    /^DeletionProtection differs/,
  );
  assert.deepEqual(await tags(away), { where: 'away' });
  await fails(
    update(away, { LambdaConfig: { PreSignUp: `arn:aws:lambda:${away.name}:${account}:function:f` } }),
    'InvalidParameterException',
    'LambdaConfig is not available yet.',
  );
  await update(home, { ...known, UserPoolTags: { where: 'home', by: 'update' } });
  assert.deepEqual(await tags(home), { where: 'home', by: 'update' });
  assert.deepEqual(await tags(away), { where: 'away' });
});

test('tags stay with their Region through kill -9, promotion and the way back', async () => {
  const same = async () => {
    assert.deepEqual(await tags(home), { where: 'home', by: 'update' });
    assert.deepEqual(await tags(away), { where: 'away' });
  };
  for (const region of lab.regions) {
    await lab.kill(region.name);
    await lab.startRegion(region.name);
    await until(`${region.name} serves`, () => tags(region));
  }
  await untilCaughtUp(lab, UserPoolId);
  await same();
  await promote(away);
  await same();
  await tag(home, { as: 'secondary' });
  await tag(away, { as: 'primary' });
  await promote(home);
  assert.deepEqual(await tags(home), { where: 'home', by: 'update', as: 'secondary' });
  assert.deepEqual(await tags(away), { where: 'away', as: 'primary' });
});

test('each Region names its own sender in e-mails, also once it is primary', async () => {
  const SourceArn = `arn:aws:ses:us-east-1:${account}:identity/example.com`;
  const sender = (region) => ({
    EmailSendingAccount: 'DEVELOPER', SourceArn, From: `Example <${region.name}@example.com>`, ReplyToEmailAddress: 'help@example.com',
  });
  for (const region of lab.regions) {
    const { KeyConfiguration } = await describe(region);
    await sdk[region.name].send(new UpdateUserPoolCommand({ UserPoolId, KeyConfiguration, EmailConfiguration: sender(region) }));
  }
  await untilCaughtUp(lab, UserPoolId);
  for (const region of lab.regions) assert.deepEqual((await describe(region)).EmailConfiguration, sender(region));
  await fails(
    sdk[away.name].send(new UpdateUserPoolCommand({ UserPoolId, EmailConfiguration: { ...sender(away), From: 'us@elsewhere.org' } })),
    'InvalidParameterException',
    /not of the identity/,
  );

  const sent = async (region, name) => {
    const UserAttributes = [{ Name: 'email', Value: `${name}@example.com` }];
    await sdk[region.name].send(
      new AdminCreateUserCommand({ UserPoolId, Username: name, UserAttributes, DesiredDeliveryMediums: ['EMAIL'] }));
    const [message] = await lab.outbox(`${name}@example.com`, region.name);
    return { from: message.from, replyTo: message.replyTo };
  };
  const named = (region) => ({ from: sender(region).From, replyTo: 'help@example.com' });
  assert.deepEqual(await sent(home, 'at-home'), named(home));
  await promote(away);
  assert.deepEqual(await sent(away, 'away'), named(away));
  await promote(home);
  assert.deepEqual(await sent(home, 'at-home-again'), named(home));
});

test('a replica that is deleted takes its tags along, and the next one in that Region begins anew', async () => {
  await sdk[home.name].send(new UpdateUserPoolReplicaCommand({ ...replica, Status: 'INACTIVE' }));
  await untilReplica(sdk[home.name], UserPoolId, away.name, 'INACTIVE');
  await sdk[home.name].send(new DeleteUserPoolReplicaCommand(replica));
  await until('the replica is gone', async () => !(await replicaStatus(sdk[home.name], UserPoolId, away.name)));
  await fails(sdk[away.name].send(new ListTagsForResourceCommand({ ResourceArn: arn(away) })), 'ResourceNotFoundException');
  await sdk[home.name].send(new CreateUserPoolReplicaCommand(replica));
  await untilReplica(sdk[home.name], UserPoolId, away.name, 'INACTIVE');
  await createUser(sdk[home.name], UserPoolId);
  await untilCaughtUp(lab, UserPoolId);
  assert.deepEqual(await tags(away), {});
  assert.deepEqual((await describe(away)).EmailConfiguration, { EmailSendingAccount: 'COGNITO_DEFAULT' });
  assert.deepEqual(await tags(home), { where: 'home', by: 'update', as: 'secondary' });
});
