import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  CreateUserPoolClientCommand,
  DeleteUserPoolClientCommand,
  DescribeUserPoolClientCommand,
  InitiateAuthCommand,
  ListUserPoolClientsCommand,
  UpdateUserPoolClientCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { claimsOf, createClient, createPool, createUser, describeClient, password, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito);
const user = await createUser(cognito, pool.Id);

test('a client made with a name alone reads back AWS\'s defaults and has no secret', async () => {
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({ UserPoolId: pool.Id, ClientName: 'plain' }),
  );
  const client = await describeClient(cognito, UserPoolClient);
  assert.match(client.ClientId, /^[0-9a-z]{25,26}$/);
  assert.equal(client.ClientName, 'plain');
  assert.equal(client.ClientSecret, undefined);
  assert.equal(client.RefreshTokenValidity, 30);
  assert.equal(client.AuthSessionValidity, 3);
  assert.equal(client.EnableTokenRevocation, true);
  assert.equal(client.PreventUserExistenceErrors ?? 'LEGACY', 'LEGACY');
  assert.equal(client.ReadAttributes, undefined);
  assert.equal(client.WriteAttributes, undefined);
});

test('settings are stored, and lists come back sorted', async () => {
  const created = await createClient(cognito, pool.Id, {
    ExplicitAuthFlows: ['ALLOW_USER_SRP_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
    AccessTokenValidity: 10,
    IdTokenValidity: 600,
    RefreshTokenValidity: 12,
    TokenValidityUnits: { AccessToken: 'minutes', IdToken: 'seconds', RefreshToken: 'hours' },
    ReadAttributes: ['name', 'email'],
    WriteAttributes: ['name'],
    PreventUserExistenceErrors: 'ENABLED',
    EnableTokenRevocation: false,
    AuthSessionValidity: 5,
    CallbackURLs: ['https://b.example.com/', 'https://a.example.com/'],
    LogoutURLs: ['https://z.example.com/', 'https://y.example.com/'],
  });
  const client = await describeClient(cognito, created);
  assert.deepEqual(client.ExplicitAuthFlows, ['ALLOW_REFRESH_TOKEN_AUTH', 'ALLOW_USER_SRP_AUTH']);
  assert.equal(client.AccessTokenValidity, 10);
  assert.equal(client.IdTokenValidity, 600);
  assert.equal(client.RefreshTokenValidity, 12);
  assert.deepEqual(client.TokenValidityUnits, { AccessToken: 'minutes', IdToken: 'seconds', RefreshToken: 'hours' });
  assert.deepEqual([...client.ReadAttributes].sort(), ['email', 'name']);
  assert.deepEqual(client.WriteAttributes, ['name']);
  assert.equal(client.PreventUserExistenceErrors, 'ENABLED');
  assert.equal(client.EnableTokenRevocation, false);
  assert.equal(client.AuthSessionValidity, 5);
  assert.deepEqual(client.CallbackURLs, ['https://a.example.com/', 'https://b.example.com/']);
  assert.deepEqual(client.LogoutURLs, ['https://y.example.com/', 'https://z.example.com/']);
});

test('a secret is returned by create and describe, and is asked for at sign-in', async () => {
  const created = await createClient(cognito, pool.Id, { GenerateSecret: true });
  assert.match(created.ClientSecret, /^[\w+]{24,64}$/);
  const client = await describeClient(cognito, created);
  assert.equal(client.ClientSecret, created.ClientSecret);

  assert.ok((await signIn(cognito, client, user)).AccessToken);
  const withHash = (hash) =>
    cognito.send(
      new InitiateAuthCommand({
        AuthFlow: 'USER_PASSWORD_AUTH',
        ClientId: client.ClientId,
        AuthParameters: { USERNAME: user, PASSWORD: password, ...hash },
      }),
    );
  await fails(
    withHash({}), 'NotAuthorizedException',
    `Client ${client.ClientId} is configured with secret but SECRET_HASH was not received`,
  );
  await fails(
    withHash({ SECRET_HASH: Buffer.alloc(32).toString('base64') }), 'NotAuthorizedException',
    `Unable to verify secret hash for client ${client.ClientId}`,
  );
});

test('validity units decide how long tokens live', async () => {
  const client = await createClient(cognito, pool.Id, {
    AccessTokenValidity: 10,
    IdTokenValidity: 900,
    TokenValidityUnits: { AccessToken: 'minutes', IdToken: 'seconds' },
  });
  const tokens = await signIn(cognito, client, user);
  const life = (token) => claimsOf(token).exp - claimsOf(token).iat;
  assert.equal(life(tokens.AccessToken), 600);
  assert.equal(life(tokens.IdToken), 900);
  assert.equal(tokens.ExpiresIn, 600);
});

test('validities out of bounds, in their unit, are refused', async () => {
  const refuse = (settings) => fails(createClient(cognito, pool.Id, settings), 'InvalidParameterException');
  await refuse({ AccessTokenValidity: 25, TokenValidityUnits: { AccessToken: 'hours' } });
  await refuse({ AccessTokenValidity: 4, TokenValidityUnits: { AccessToken: 'minutes' } });
  await refuse({ RefreshTokenValidity: 59, TokenValidityUnits: { RefreshToken: 'minutes' } });
  await refuse({ RefreshTokenValidity: 3651, TokenValidityUnits: { RefreshToken: 'days' } });
  await refuse({ AuthSessionValidity: 16 });
  await refuse({ ExplicitAuthFlows: ['ALLOW_USER_SRP_AUTH', 'USER_PASSWORD_AUTH'] });
  await refuse({ ExplicitAuthFlows: ['ALLOW_NOTHING'] });
  await refuse({ ReadAttributes: ['custom:unknown'] });
  await refuse({ WriteAttributes: ['email_verified'] });
});

test('an update resets what it leaves out, and keeps id and secret', async () => {
  const created = await createClient(cognito, pool.Id, { GenerateSecret: true, PreventUserExistenceErrors: 'ENABLED' });
  await cognito.send(
    new UpdateUserPoolClientCommand({ UserPoolId: pool.Id, ClientId: created.ClientId, ClientName: 'renamed' }),
  );
  const client = await describeClient(cognito, created);
  assert.equal(client.ClientName, 'renamed');
  assert.equal(client.ClientSecret, created.ClientSecret);
  assert.equal(client.PreventUserExistenceErrors ?? 'LEGACY', 'LEGACY');
});

test('a flow that the client does not allow is refused', async () => {
  const client = await createClient(cognito, pool.Id, { ExplicitAuthFlows: ['ALLOW_REFRESH_TOKEN_AUTH'] });
  await fails(signIn(cognito, client, user), 'InvalidParameterException');
});

test('ListUserPoolClients pages, and a deleted client is gone', async () => {
  const own = await createPool(cognito);
  const made = [];
  for (let i = 0; i < 3; ++i) made.push(await createClient(cognito, own.Id, { ClientName: `client-${i}` }));
  const seen = [];
  let NextToken;
  do {
    const page = await cognito.send(new ListUserPoolClientsCommand({ UserPoolId: own.Id, MaxResults: 2, NextToken }));
    for (const client of page.UserPoolClients) {
      assert.equal(client.UserPoolId, own.Id);
      assert.equal(client.ClientSecret, undefined);
      seen.push(client.ClientId);
    }
    NextToken = page.NextToken;
  } while (NextToken);
  assert.deepEqual(seen.sort(), made.map((client) => client.ClientId).sort());

  const [gone] = made;
  await cognito.send(new DeleteUserPoolClientCommand({ UserPoolId: own.Id, ClientId: gone.ClientId }));
  await fails(
    cognito.send(new DescribeUserPoolClientCommand({ UserPoolId: own.Id, ClientId: gone.ClientId })),
    'ResourceNotFoundException', `User pool client ${gone.ClientId} does not exist.`,
  );
  await fails(signIn(cognito, gone, user), 'ResourceNotFoundException');
});

test('what a client may not read stays out of its tokens', async () => {
  const client = await createClient(cognito, pool.Id, { ReadAttributes: ['name'] });
  const { IdToken } = await signIn(cognito, client, user);
  assert.equal(claimsOf(IdToken).email, undefined);
  const all = await createClient(cognito, pool.Id);
  assert.equal(claimsOf((await signIn(cognito, all, user)).IdToken).email, `${user}@example.com`);
});
