// First sign-ins by an identity provider in a Region that cannot make users' records, and what becomes of them.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminDeleteUserCommand,
  AdminDisableUserCommand,
  AdminGetUserCommand,
  AdminUserGlobalSignOutCommand,
  GetUserCommand,
  ListUsersCommand,
  UpdateUserAttributesCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as jose from 'jose';
import { fails } from '../lib/expect.mjs';
import {
  authorize, createCodeClient, createDomain, createProvider, domainUrl, signInByProvider, tokenRequest,
} from '../lib/federation.mjs';
import { IdentityProvider } from '../lib/identity_provider.mjs';
import { Lab } from '../lib/lab.mjs';
import { claimsOf } from '../lib/pools.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start({ flags: ['--loopback-providers'] });
after(() => lab.release());
const { primary, secondary } = lab;
const here = lab.cognito();
const there = lab.cognito(secondary.name);
const pool = await createReplicatedPool(lab);
const UserPoolId = pool.Id;
const domain = await createDomain(here, pool);
const [baseHere, baseThere] = [primary, secondary].map((region) => domainUrl(region, domain));
const redirectUris = [baseHere, baseThere].map((base) => `${base}/oauth2/idpresponse`);
const idp = await IdentityProvider.start({ redirectUris });
const quiet = await IdentityProvider.start({ redirectUris, inIdToken: false });
after(() => Promise.all([idp.stop(), quiet.stop()]));
await createProvider(here, pool, idp);
await createProvider(here, pool, quiet, { name: 'Quiet' });
const client = await createCodeClient(here, pool, { SupportedIdentityProviders: ['Partner', 'Quiet'] });
await untilCaughtUp(lab, pool.Id);

const attributesOf = (list) => Object.fromEntries(list.map(({ Name, Value }) => [Name, Value]));
const userAt = (cognito, Username) => cognito.send(new AdminGetUserCommand({ UserPoolId, Username }));
const signInAs = (base, account, provider = idp, name = 'Partner') => {
  provider.people[account] ??= { email: `${account}@idp.example`, email_verified: true, given_name: account };
  provider.account = account;
  return signInByProvider(base, client, { identity_provider: name });
};
const hasRecord = (cognito, username) => async () => {
  const { Users } = await cognito.send(new ListUsersCommand({ UserPoolId, Filter: `username = "${username}"` }));
  return Users[0];
};
const refreshAt = (base, tokens) =>
  tokenRequest(base, { grant_type: 'refresh_token', client_id: client.ClientId, refresh_token: tokens.refresh_token });
async function verifies(token, region) {
  const keys = jose.createRemoteJWKSet(new URL(`${region.api}/${pool.Id}/.well-known/jwks.json`));
  return (await jose.jwtVerify(token, keys)).payload;
}

test('with the primary gone somebody new signs in at the secondary, and is the same user when it returns', async () => {
  await lab.kill(primary.name);
  const tokens = await signInAs(baseThere, 'ann');
  const claims = await verifies(tokens.id_token, secondary);
  assert.deepEqual([claims['cognito:username'], claims.email, claims.email_verified], ['Partner_ann', 'ann@idp.example', true]);
  assert.deepEqual(claims['cognito:groups'], [`${pool.Id}_Partner`]);
  // The secondary serves them although they have no record anywhere.
  const user = await there.send(new GetUserCommand({ AccessToken: tokens.access_token }));
  assert.deepEqual([user.Username, attributesOf(user.UserAttributes).sub], ['Partner_ann', claims.sub]);
  assert.equal((await userAt(there, 'Partner_ann')).UserStatus, 'EXTERNAL_PROVIDER');
  assert.equal(claimsOf((await refreshAt(baseThere, tokens)).id_token).sub, claims.sub);
  // Their attributes stay what they were at first, until the primary sees them.
  idp.people.ann = { ...idp.people.ann, given_name: 'Ann-Marie' };
  const second = claimsOf((await signInAs(baseThere, 'ann')).id_token);
  assert.deepEqual([second.sub, second.given_name], [claims.sub, 'ann']);
  await fails(
    there.send(new UpdateUserAttributesCommand({ AccessToken: tokens.access_token, UserAttributes: [{ Name: 'given_name', Value: 'x' }] })),
    'OperationNotEnabledException',
  );

  await lab.startRegion(primary.name);
  const record = await until('the primary has the record', hasRecord(here, 'Partner_ann'), 30_000);
  const attributes = attributesOf(record.Attributes);
  assert.deepEqual([attributes.sub, attributes.email, attributes.email_verified, attributes.given_name], [claims.sub, 'ann@idp.example', 'true', 'ann']);
  assert.equal((await here.send(new GetUserCommand({ AccessToken: tokens.access_token }))).Username, 'Partner_ann');
  assert.equal(claimsOf((await refreshAt(baseHere, tokens)).id_token).sub, claims.sub);
  await until('the secondary has it too', hasRecord(there, 'Partner_ann'), 30_000);
  assert.deepEqual(await verifies(tokens.id_token, primary), claims);
  // Now the primary sees them.
  const third = claimsOf((await signInAs(baseHere, 'ann')).id_token);
  assert.deepEqual([third.sub, third.given_name], [claims.sub, 'Ann-Marie']);
});

test('what a provider answered to a Region is kept, but verifies no address', async () => {
  await lab.kill(primary.name);
  const claims = claimsOf((await signInAs(baseThere, 'ben', quiet, 'Quiet')).id_token);
  assert.deepEqual([claims.email, claims.email_verified], ['ben@idp.example', false]);
  await lab.startRegion(primary.name);
  const record = await until('the primary has the record', hasRecord(here, 'Quiet_ben'), 30_000);
  const { sub, email, email_verified: verified } = attributesOf(record.Attributes);
  assert.deepEqual([sub, email, verified], [claims.sub, 'ben@idp.example', 'false']);
  assert.equal(claimsOf((await signInAs(baseHere, 'ben', quiet, 'Quiet')).id_token).email_verified, true);
});

test('signed out and disabled before anybody has the record, they stay so', async () => {
  await lab.kill(primary.name);
  const dan = await signInAs(baseThere, 'dan');
  await there.send(new AdminUserGlobalSignOutCommand({ UserPoolId, Username: 'Partner_dan' }));
  await fails(there.send(new GetUserCommand({ AccessToken: dan.access_token })), 'NotAuthorizedException');
  const eve = await signInAs(baseThere, 'eve');
  await there.send(new AdminDisableUserCommand({ UserPoolId, Username: 'Partner_eve' }));
  await fails(there.send(new GetUserCommand({ AccessToken: eve.access_token })), 'NotAuthorizedException');
  await lab.startRegion(primary.name);
  await until('the primary has the records', async () => (await hasRecord(here, 'Partner_dan')()) && hasRecord(here, 'Partner_eve')(), 30_000);
  await fails(here.send(new GetUserCommand({ AccessToken: dan.access_token })), 'NotAuthorizedException');
  await fails(here.send(new GetUserCommand({ AccessToken: eve.access_token })), 'NotAuthorizedException');
  assert.equal((await userAt(here, 'Partner_eve')).Enabled, false);
  idp.account = 'eve';
  assert.equal((await authorize(baseHere, client, { identity_provider: 'Partner' })).answer.error, 'access_denied');
});

test('seen first in two Regions that do not hear each other, they are one user', async () => {
  await lab.kill(primary.name);
  const atSecondary = claimsOf((await signInAs(baseThere, 'fay')).id_token);
  await lab.kill(secondary.name);
  // A primary that has started again and hears nobody may not change the directory, so it says a fact too.
  await lab.startRegion(primary.name);
  idp.people.fay = { ...idp.people.fay, given_name: 'Fay at the primary' };
  const atPrimary = claimsOf((await signInAs(baseHere, 'fay')).id_token);
  assert.equal(atPrimary.sub, atSecondary.sub);
  await lab.startRegion(secondary.name);
  const record = await until('the primary has the record', hasRecord(here, 'Partner_fay'), 30_000);
  const attributes = attributesOf(record.Attributes);
  assert.equal(attributes.sub, atSecondary.sub);
  // Of what two Regions said, the Region that comes first by its name counts.
  const first = [primary.name, secondary.name].sort()[0];
  assert.equal(attributes.given_name, first === primary.name ? 'Fay at the primary' : 'fay');
  await untilCaughtUp(lab, pool.Id);
  const { Users } = await there.send(new ListUsersCommand({ UserPoolId, Filter: 'email = "fay@idp.example"' }));
  assert.deepEqual(Users.map((user) => user.Username), ['Partner_fay']);
});

test('somebody who was deleted does not come back by what was said before, and is somebody new', async () => {
  await lab.kill(primary.name);
  const before = await signInAs(baseThere, 'gil');
  await lab.startRegion(primary.name);
  await until('the primary has the record', hasRecord(here, 'Partner_gil'), 30_000);
  await until('it may be deleted', () =>
    here.send(new AdminDeleteUserCommand({ UserPoolId, Username: 'Partner_gil' })).then(() => true, (error) => {
      if (error.name === 'UserNotFoundException') throw error;
      return false;
    }));
  await untilCaughtUp(lab, pool.Id);
  for (const cognito of [here, there])
    await fails(cognito.send(new GetUserCommand({ AccessToken: before.access_token })), 'UserNotFoundException');
  const again = claimsOf((await signInAs(baseThere, 'gil')).id_token);
  assert.notEqual(again.sub, claimsOf(before.id_token).sub);
  const record = await until('the primary has the new record', hasRecord(here, 'Partner_gil'), 30_000);
  assert.equal(attributesOf(record.Attributes).sub, again.sub);
});
