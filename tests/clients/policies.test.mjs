// Users with access keys and policies of their own, as the SDKs see them.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminGetUserCommand, DescribeUserPoolCommand, ListUserPoolsCommand, UpdateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import {
  CreateGrantCommand, CreateKeyCommand, DecryptCommand, DescribeKeyCommand, EncryptCommand, GetKeyPolicyCommand, ListGrantsCommand,
  ListKeyPoliciesCommand, ListKeysCommand, ListRetirableGrantsCommand, PutKeyPolicyCommand, RetireGrantCommand, RevokeGrantCommand,
} from '@aws-sdk/client-kms';
import { fails } from '../lib/expect.mjs';
import { account, Lab } from '../lib/lab.mjs';
import { createClient, createPool, createUser, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const allow = (Action, Resource = '*', Condition = {}) => ({ Effect: 'Allow', Action, Resource, Condition });
const deny = (Action, Resource = '*', Condition = {}) => ({ Effect: 'Deny', Action, Resource, Condition });
const keyOf = (name) => ({ id: `${name.toUpperCase()}KEY`, secret: `${name}-secret` });
const users = {
  ann: { keys: [keyOf('ann')], policies: [[allow(['cognito-idp:*', 'kms:*', 'symbolon:*'])]] },
  bob: { keys: [keyOf('bob'), keyOf('bobtoo')], policies: [[allow('cognito-idp:Describe*')], [allow('kms:List*')]] },
  cid: { keys: [keyOf('cid')] },
};
const lab = await Lab.start({ users });
after(() => lab.release());

const as = (name) => ({ credentials: { accessKeyId: keyOf(name).id, secretAccessKey: keyOf(name).secret } });
const cognitoOf = (name, where) => lab.cognito(where, as(name));
const kmsOf = (name, where) => lab.kms(where, as(name));
const describe = (cognito, pool) => cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }));
const arnOf = (name) => `arn:aws:iam::${account}:user/${name}`;

test('a user may do what their policies allow, with any of their keys, and nothing else', async () => {
  const pool = await createPool(cognitoOf('ann'));
  const arn = `arn:aws:cognito-idp:${lab.primary.name}:${account}:userpool/${pool.Id}`;
  assert.equal((await describe(cognitoOf('bob'), pool)).UserPool.Id, pool.Id);
  assert.equal((await describe(cognitoOf('bobtoo'), pool)).UserPool.Id, pool.Id);
  const refused = await fails(
    cognitoOf('bob').send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username: 'x' })), 'AccessDeniedException');
  assert.equal(refused.$metadata.httpStatusCode, 400);
  assert.equal(
    refused.message,
    `User: ${arnOf('bob')} is not authorized to perform: cognito-idp:AdminGetUser on resource: ${arn} because no ` +
      'identity-based policy allows the cognito-idp:AdminGetUser action');
  await fails(cognitoOf('bob').send(new ListUserPoolsCommand({ MaxResults: 1 })), 'AccessDeniedException');
  await fails(describe(cognitoOf('cid'), pool), 'AccessDeniedException');
  await fails(describe(lab.cognito(undefined, { credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'x' } }), pool), 'UnrecognizedClientException');
  // Sign-in is nobody's to allow.
  const client = await createClient(lab.cognito(), pool.Id);
  assert.ok((await signIn(cognitoOf('cid'), client, await createUser(lab.cognito(), pool.Id))).AccessToken);
});

test('the key service asks the same policies', async () => {
  const { KeyMetadata } = await kmsOf('ann').send(new CreateKeyCommand({}));
  await kmsOf('bob').send(new ListKeysCommand({}));
  const refused = await fails(kmsOf('bob').send(new DescribeKeyCommand({ KeyId: KeyMetadata.KeyId })), 'AccessDeniedException');
  assert.match(refused.message, new RegExp(`^User: ${arnOf('bob')} is not authorized to perform: kms:DescribeKey on resource: ${KeyMetadata.Arn}`));
});

test("Symbolon's own operations ask them, too", async () => {
  const pool = await createPool(lab.cognito());
  const ask = (name) => call(lab.endpoint(lab.primary.name), 'DescribeUserActivity', { UserPoolId: pool.Id, Username: 'x' },
    { prefix: prefixes.symbolon, credentials: as(name).credentials });
  assert.equal((await ask('ann')).error, 'UserNotFoundException');
  assert.equal((await ask('bob')).error, 'AccessDeniedException');
});

test('policies and keys change while Regions run; what is wrong changes nothing', async () => {
  const pool = await createPool(lab.cognito());
  await fails(describe(cognitoOf('cid'), pool), 'AccessDeniedException');
  const more = { ...users, cid: { ...users.cid, policies: [[allow('*'), deny('cognito-idp:UpdateUserPool')]] } };
  await lab.setUsers(more);
  await until('the policy is in force', () => describe(cognitoOf('cid'), pool));
  const refused = await fails(cognitoOf('cid').send(new UpdateUserPoolCommand({ UserPoolId: pool.Id })), 'AccessDeniedException');
  assert.match(refused.message, /with an explicit deny in an identity-based policy$/);

  await lab.setUsers({ ...more, bob: { keys: [keyOf('bob')], policies: [[allow('cognito-idp:NoSuchOperation')]] } });
  await until('the node says that the file is wrong', async () => /^symbolon_iam_stale 1$/m.test(await lab.metrics()));
  await describe(cognitoOf('cid'), pool);
  await describe(cognitoOf('bob'), pool);

  await lab.setUsers({ ...more, bob: { keys: [keyOf('bobtoo')] } });
  await until('the key is gone', async () => {
    const error = await describe(cognitoOf('bob'), pool).then(() => undefined, (e) => e);
    return error?.name === 'UnrecognizedClientException';
  });
  assert.match(await lab.metrics(), /^symbolon_iam_stale 0$/m);
  await fails(describe(cognitoOf('bobtoo'), pool), 'AccessDeniedException');
  await lab.setUsers(users);
  await until('the users are as before', () => describe(cognitoOf('bob'), pool));
});

// ---- policies of keys ----

const policyOf = (...Statement) => JSON.stringify({ Version: '2012-10-17', Statement });
const keyStatement = (Effect, Principal, Action, Condition = {}) => ({ Effect, Principal, Action, Resource: '*', Condition });
const rootStatement = keyStatement('Allow', { AWS: `arn:aws:iam::${account}:root` }, 'kms:*');
const createKey = async (Policy, settings = {}) => (await lab.kms().send(new CreateKeyCommand({ Policy, ...settings }))).KeyMetadata;
const putPolicy = (KeyId, Policy, kms = lab.kms()) => kms.send(new PutKeyPolicyCommand({ KeyId, Policy }));
const encrypt = (kms, KeyId, EncryptionContext) => kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x'), EncryptionContext }));
const decrypt = (kms, CiphertextBlob, more = {}) => kms.send(new DecryptCommand({ CiphertextBlob, ...more }));

test('a key has a policy that can be read and replaced, but not by one that locks its author out', async () => {
  const { KeyId } = await createKey();
  const read = async () => (await lab.kms().send(new GetKeyPolicyCommand({ KeyId }))).Policy;
  // Without a policy a key has the one that pools need.
  assert.deepEqual(JSON.parse(await read()).Statement.map(({ Principal }) => Object.keys(Principal)[0]), ['Service', 'Service', 'AWS', 'AWS', 'AWS']);
  assert.deepEqual((await lab.kms().send(new ListKeyPoliciesCommand({ KeyId }))).PolicyNames, ['default']);
  const policy = policyOf(rootStatement, keyStatement('Allow', { AWS: arnOf('bob') }, 'kms:Encrypt'));
  await putPolicy(KeyId, policy);
  assert.equal(await read(), policy);
  await fails(putPolicy(KeyId, '{'), 'MalformedPolicyDocumentException');
  await fails(putPolicy(KeyId, policyOf({ ...rootStatement, Action: 'kms:Encrpyt' })), 'MalformedPolicyDocumentException', /Encrpyt/);
  await fails(putPolicy(KeyId, policyOf({ ...rootStatement, Conditions: {} })), 'MalformedPolicyDocumentException', /Conditions/);
  const locksOut = policyOf(keyStatement('Allow', { AWS: arnOf('bob') }, 'kms:*'));
  await fails(putPolicy(KeyId, locksOut), 'MalformedPolicyDocumentException', /will not allow you to update the key policy/);
  await fails(createKey(locksOut), 'MalformedPolicyDocumentException');
  assert.equal(await read(), policy);
  await lab.kms().send(new PutKeyPolicyCommand({ KeyId, Policy: locksOut, BypassPolicyLockoutSafetyCheck: true }));
  await fails(read(), 'AccessDeniedException', /no resource-based policy allows/);
  await putPolicy(KeyId, policyOf(rootStatement, keyStatement('Allow', { AWS: arnOf('bob') }, 'kms:*')), kmsOf('bob'));
  await read();
});

test('a key policy decides by itself, or with the policies of users if it names the account; Deny wins', async () => {
  const { KeyId } = await createKey(policyOf(rootStatement, keyStatement('Allow', { AWS: arnOf('cid') }, 'kms:Encrypt')));
  await encrypt(kmsOf('cid'), KeyId);
  await fails(kmsOf('cid').send(new DescribeKeyCommand({ KeyId })), 'AccessDeniedException');
  await encrypt(kmsOf('ann'), KeyId);
  await fails(encrypt(kmsOf('bob'), KeyId), 'AccessDeniedException', /no identity-based policy allows the kms:Encrypt action/);
  await putPolicy(KeyId, policyOf(rootStatement, keyStatement('Deny', { AWS: arnOf('ann') }, 'kms:Encrypt')));
  await fails(encrypt(kmsOf('ann'), KeyId), 'AccessDeniedException', /explicit deny in a resource-based policy/);
  await putPolicy(KeyId, policyOf({ ...rootStatement, Principal: { AWS: `arn:aws:iam::${account}:user/dan` } }, {
    ...rootStatement, Action: ['kms:PutKeyPolicy', 'kms:DescribeKey'],
  }));
  await fails(encrypt(kmsOf('ann'), KeyId), 'AccessDeniedException');
  await fails(encrypt(lab.kms(), KeyId), 'AccessDeniedException');
});

test('an encryption context is a condition', async () => {
  const { KeyId } = await createKey(policyOf(rootStatement, keyStatement('Allow', { AWS: arnOf('cid') }, ['kms:Encrypt', 'kms:Decrypt'], {
    StringEquals: { 'kms:EncryptionContext:team': 'red' }, 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['team'] },
  })));
  const cid = kmsOf('cid');
  const { CiphertextBlob } = await encrypt(cid, KeyId, { team: 'red' });
  assert.ok((await decrypt(cid, CiphertextBlob, { EncryptionContext: { team: 'red' } })).Plaintext);
  for (const context of [{}, { team: 'blue' }, { team: 'red', also: 'x' }, { team: 'red', Team: 'blue' }]) {
    await fails(encrypt(cid, KeyId, context), 'AccessDeniedException');
  }
  const { CiphertextBlob: other } = await encrypt(lab.kms(), KeyId, { team: 'blue' });
  await fails(decrypt(cid, other, { EncryptionContext: { team: 'blue' } }), 'AccessDeniedException');
});

test('grants allow what they say, until they are revoked or retired', async () => {
  const { KeyId, Arn } = await createKey();
  const EncryptionContext = { team: 'red' };
  const { CiphertextBlob } = await encrypt(lab.kms(), KeyId, EncryptionContext);
  const cid = kmsOf('cid');
  const grant = (settings, kms = lab.kms()) => kms.send(new CreateGrantCommand({ KeyId, GranteePrincipal: arnOf('cid'), ...settings }));
  await fails(decrypt(cid, CiphertextBlob, { EncryptionContext }), 'AccessDeniedException');
  const first = await grant({ Operations: ['Decrypt', 'CreateGrant'], Constraints: { EncryptionContextSubset: EncryptionContext }, Name: 'first' });
  assert.ok((await decrypt(cid, CiphertextBlob, { EncryptionContext, GrantTokens: [first.GrantToken] })).Plaintext);
  await fails(encrypt(cid, KeyId, EncryptionContext), 'AccessDeniedException');
  await fails(decrypt(cid, CiphertextBlob, { EncryptionContext, GrantTokens: ['nothing'] }), 'InvalidGrantTokenException');
  assert.equal((await grant({ Operations: ['Decrypt', 'CreateGrant'], Constraints: { EncryptionContextSubset: EncryptionContext }, Name: 'first' })).GrantId, first.GrantId);

  // Handed on, no wider than it is.
  const handOn = (Constraints) => grant({ GranteePrincipal: arnOf('bob'), Operations: ['Decrypt'], Constraints, RetiringPrincipal: arnOf('bob') }, cid);
  await fails(handOn(undefined), 'AccessDeniedException');
  const second = await handOn({ EncryptionContextEquals: EncryptionContext });
  assert.ok((await decrypt(kmsOf('bob'), CiphertextBlob, { EncryptionContext })).Plaintext);

  const { Grants } = await lab.kms().send(new ListGrantsCommand({ KeyId }));
  assert.deepEqual(Grants.map((each) => each.GrantId).sort(), [first.GrantId, second.GrantId].sort());
  const shown = Grants.find((each) => each.GrantId === first.GrantId);
  assert.equal(shown.KeyId, Arn);
  assert.equal(shown.GranteePrincipal, arnOf('cid'));
  assert.deepEqual(shown.Operations, ['Decrypt', 'CreateGrant']);
  assert.deepEqual(shown.Constraints, { EncryptionContextSubset: EncryptionContext });
  const retirable = await lab.kms().send(new ListRetirableGrantsCommand({ RetiringPrincipal: arnOf('bob') }));
  assert.deepEqual(retirable.Grants.map((each) => each.GrantId), [second.GrantId]);

  await fails(cid.send(new RetireGrantCommand({ GrantToken: second.GrantToken })), 'AccessDeniedException');
  await kmsOf('bob').send(new RetireGrantCommand({ GrantToken: second.GrantToken }));
  await fails(decrypt(kmsOf('bob'), CiphertextBlob, { EncryptionContext }), 'AccessDeniedException');
  await fails(cid.send(new RevokeGrantCommand({ KeyId, GrantId: first.GrantId })), 'AccessDeniedException');
  await lab.kms().send(new RevokeGrantCommand({ KeyId, GrantId: first.GrantId }));
  await fails(decrypt(cid, CiphertextBlob, { EncryptionContext }), 'AccessDeniedException');
  await fails(lab.kms().send(new RevokeGrantCommand({ KeyId, GrantId: first.GrantId })), 'NotFoundException');
  await fails(grant({ GranteePrincipal: 'arn:aws:iam::x:role/r', Operations: ['Decrypt'] }), 'InvalidArnException');
});

// ---- keys of pools ----

const withKey = (KmsKeyArn) => ({ KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } });
const poolPolicy = await (async () => {
  const { KeyId } = await createKey();
  return (await lab.kms().send(new GetKeyPolicyCommand({ KeyId }))).Policy;
})();

test('a pool can use a key only if its policy names both services', async () => {
  const refused = async (Policy, message) => {
    const { Arn } = await createKey(Policy);
    await fails(createPool(lab.cognito(), withKey(Arn)), 'InvalidParameterException', message);
  };
  await refused(policyOf(rootStatement), /does not allow cognito-idp\.amazonaws\.com to perform kms:DescribeKey\.$/);
  await refused(poolPolicy.replaceAll('identitystore.amazonaws.com', 'elsewhere.amazonaws.com'),
    /does not allow identitystore\.amazonaws\.com to perform kms:DescribeKey\.$/);
  await refused(poolPolicy.replaceAll('"kms:Decrypt",', ''), /to perform kms:Decrypt\.$/);
  const { Arn } = await createKey(poolPolicy);
  assert.equal((await createPool(lab.cognito(), withKey(Arn))).KeyConfiguration.KmsKeyArn, Arn);
});

test('a caller gets at no key by way of a pool', async () => {
  // The services, but nobody through Cognito.
  const policy = JSON.parse(poolPolicy);
  policy.Statement = policy.Statement.filter(({ Sid }) => !/through Cognito/.test(Sid));
  const { Arn } = await createKey(JSON.stringify(policy));
  await lab.setUsers({ ...users, cid: { ...users.cid, policies: [[allow('cognito-idp:*')]] } });
  await until('the policy is in force', () => cognitoOf('cid').send(new ListUserPoolsCommand({ MaxResults: 1 })));
  await fails(createPool(cognitoOf('cid'), withKey(Arn)), 'InvalidParameterException',
    new RegExp(`^User: ${arnOf('cid')} is not authorized to perform: kms:DescribeKey on resource: ${Arn}`));
  await createPool(cognitoOf('ann'), withKey(Arn));
  await putPolicy(Arn, poolPolicy);
  await createPool(cognitoOf('cid'), withKey(Arn));
  await lab.setUsers(users);
});

test('a policy that is withdrawn locks the pool at once, in its Region only, and opens it again', async () => {
  const pool = await createReplicatedPool(lab);
  const { Arn } = { Arn: pool.KeyConfiguration.KmsKeyArn };
  const there = Arn.replace(lab.primary.name, lab.secondary.name);
  const client = await createClient(lab.cognito(), pool.Id);
  const username = await createUser(lab.cognito(), pool.Id);
  const signInAt = ({ name }) => signIn(lab.cognito(name), client, username);
  await until('the user is in both Regions', () => signInAt(lab.secondary));
  const isLocked = (region) => signInAt(region).then(() => false, (error) => /Access to the KMS key of the user pool is denied/.test(error.message));

  await putPolicy(Arn, policyOf(rootStatement));
  // By then it is locked: nothing is waited for.
  assert.ok(await isLocked(lab.primary));
  assert.ok((await signInAt(lab.secondary)).AccessToken);
  await putPolicy(Arn, policyOf(rootStatement, ...JSON.parse(poolPolicy).Statement.slice(0, 2)));
  assert.ok((await signInAt(lab.primary)).AccessToken);

  const kmsThere = lab.kms(lab.secondary.name);
  const [{ Sid: _, ...use }] = JSON.parse(poolPolicy).Statement;
  await putPolicy(there, policyOf(rootStatement, use, { ...use, Effect: 'Deny', Action: 'kms:Decrypt' }), kmsThere);
  assert.ok(await isLocked(lab.secondary));
  assert.ok((await signInAt(lab.primary)).AccessToken);
  await putPolicy(there, poolPolicy, kmsThere);
  assert.ok((await signInAt(lab.secondary)).AccessToken);
});

test('grants to both services serve as well as the policy', async () => {
  const { Arn, KeyId } = await createKey(poolPolicy);
  const pool = await createPool(lab.cognito(), withKey(Arn));
  const client = await createClient(lab.cognito(), pool.Id);
  const username = await createUser(lab.cognito(), pool.Id);
  for (const GranteeServicePrincipal of ['cognito-idp.amazonaws.com', 'identitystore.amazonaws.com']) {
    await lab.kms().send(new CreateGrantCommand({ KeyId, GranteeServicePrincipal, Operations: ['Decrypt'] }));
  }
  await putPolicy(KeyId, policyOf(rootStatement));
  assert.ok((await signIn(lab.cognito(), client, username)).AccessToken);
  const { Grants } = await lab.kms().send(new ListGrantsCommand({ KeyId }));
  await lab.kms().send(new RevokeGrantCommand({ KeyId, GrantId: Grants[0].GrantId }));
  await assert.rejects(signIn(lab.cognito(), client, username), /Access to the KMS key of the user pool is denied/);
});
