// The story that Symbolon is for: a Region is lost by kill -9, and people and machines go on in the other.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AdminGetUserCommand,
  AdminUserGlobalSignOutCommand,
  ConfirmSignUpCommand,
  CreateResourceServerCommand,
  CreateUserPoolDomainCommand,
  GetClientTokenCommand,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  RevokeTokenCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as jose from 'jose';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, codeFor, createClient, createUser, password, refresh, secretHash, signIn } from '../lib/pools.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;
const here = lab.cognito();
const there = lab.cognito(secondary.name);
const routed = lab.cognito('router', { maxAttempts: 3 });

let pool;
let app; // has a secret
let machine;
let domain;
before(async () => {
  pool = await createReplicatedPool(lab);
  app = await createClient(here, pool.Id, { GenerateSecret: true });
  await here.send(
    new CreateResourceServerCommand({
      UserPoolId: pool.Id, Identifier: 'orders', Name: 'Orders', Scopes: [{ ScopeName: 'read', ScopeDescription: 'read' }],
    }),
  );
  machine = await createClient(here, pool.Id, {
    GenerateSecret: true,
    ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'],
    AllowedOAuthFlows: ['client_credentials'],
    AllowedOAuthFlowsUserPoolClient: true,
    AllowedOAuthScopes: ['orders/read'],
  });
  domain = `story-${pool.Id.split('_')[1].toLowerCase()}`;
  await here.send(new CreateUserPoolDomainCommand({ UserPoolId: pool.Id, Domain: domain }));
});

const issuer = () => `${primary.api}/${pool.Id}`;
const keysOf = (region) => jose.createRemoteJWKSet(new URL(`${region.api}/${pool.Id}/.well-known/jwks.json`));
const withHash = (username) => ({ SECRET_HASH: secretHash(app, username) });

async function signUp(username) {
  const email = `${username}@example.com`;
  const who = { ClientId: app.ClientId, Username: username, SecretHash: secretHash(app, username) };
  await routed.send(new SignUpCommand({ ...who, Password: password, UserAttributes: [{ Name: 'email', Value: email }] }));
  await routed.send(new ConfirmSignUpCommand({ ...who, ConfirmationCode: await codeFor(lab, email) }));
}

async function machineToken(base) {
  const response = await fetch(`${base}/_domain/${domain}/oauth2/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`${machine.ClientId}:${machine.ClientSecret}`).toString('base64')}`,
    },
    body: 'grant_type=client_credentials&scope=orders/read',
  });
  assert.equal(response.status, 200);
  return (await response.json()).access_token;
}

// Does `work` while the primary is dead, once the secondary has what the primary had; what `work` returned comes back.
async function losePrimary(work) {
  await untilCaughtUp(lab, pool.Id);
  await lab.kill(primary.name);
  try {
    return await work();
  } finally {
    await lab.startRegion(primary.name);
    const ask = new AdminGetUserCommand({ UserPoolId: pool.Id, Username: 'nobody' });
    await until('the primary serves again', () => here.send(ask).catch((error) => error.name === 'UserNotFoundException'));
  }
}

test('after the loss: same password, same tokens, same secret, same machine', async () => {
  const username = anyName('ann');
  await signUp(username);
  const before = await signIn(routed, app, username);
  const machineBefore = await machineToken(lab.router);

  const meanwhile = await losePrimary(async () => {
    // Through the router, as an application would.
    const tokens = await until('somebody signs in again', () => signIn(routed, app, username));
    // A token that the lost Region signed: its keys are here, its refresh token is good here.
    await jose.jwtVerify(before.IdToken, keysOf(secondary), { issuer: issuer(), audience: app.ClientId });
    assert.equal((await there.send(new GetUserCommand({ AccessToken: before.AccessToken }))).Username, username);
    const refreshed = await refresh(routed, app, before.RefreshToken, withHash(username));
    await jose.jwtVerify(refreshed.AccessToken, keysOf(secondary), { issuer: issuer() });
    const { AuthenticationResult } = await there.send(
      new GetTokensFromRefreshTokenCommand({
        ClientId: app.ClientId, ClientSecret: app.ClientSecret, RefreshToken: before.RefreshToken,
      }),
    );
    assert.ok(AuthenticationResult.IdToken);
    await jose.jwtVerify(machineBefore, keysOf(secondary), { issuer: issuer() });
    await jose.jwtVerify(await machineToken(lab.router), keysOf(secondary), { issuer: issuer() });
    const { ClientAuthenticationResult } = await there.send(
      new GetClientTokenCommand({ ClientId: machine.ClientId, Secret: machine.ClientSecret }),
    );
    assert.ok(ClientAuthenticationResult.AccessToken);
    return tokens;
  });

  // What the other Region issued meanwhile is honoured by the primary, which is back.
  await jose.jwtVerify(meanwhile.AccessToken, keysOf(primary), { issuer: issuer() });
  assert.equal((await here.send(new GetUserCommand({ AccessToken: meanwhile.AccessToken }))).Username, username);
  assert.ok((await refresh(here, app, meanwhile.RefreshToken, withHash(username))).AccessToken);
});

test('what only the primary can do is refused clearly while it is away, and works when it is back', async () => {
  const attempt = (username) =>
    routed.send(
      new SignUpCommand({
        ClientId: app.ClientId, Username: username, Password: password, SecretHash: secretHash(app, username),
      }),
    );
  await losePrimary(async () => {
    await until('the router has noticed', () =>
      signIn(routed, app, 'nobody').catch((error) => error.name === 'UserNotFoundException'),
    );
    await fails(attempt(anyName()), 'OperationNotEnabledException', new RegExp(primary.name));
  });
  await until('the router prefers the primary again', () => attempt(anyName()));
});

test('a revocation and a sign-out made while the primary is away reach it on its return', async () => {
  const [revoked, signedOut] = [await createUser(here, pool.Id), await createUser(here, pool.Id)];
  const revokedTokens = await signIn(here, app, revoked);
  const signedOutTokens = await signIn(here, app, signedOut);
  const untouched = await signIn(here, app, revoked);

  await losePrimary(async () => {
    await there.send(
      new RevokeTokenCommand({ Token: revokedTokens.RefreshToken, ClientId: app.ClientId, ClientSecret: app.ClientSecret }),
    );
    await there.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool.Id, Username: signedOut }));
    await fails(refresh(there, app, revokedTokens.RefreshToken, withHash(revoked)), 'NotAuthorizedException');
    await fails(there.send(new GetUserCommand({ AccessToken: signedOutTokens.AccessToken })), 'NotAuthorizedException');
    // The Region that took them is lost as well, before it could tell.
    await lab.kill(secondary.name);
    await lab.startRegion(secondary.name);
  });

  for (const [tokens, username] of [
    [revokedTokens, revoked],
    [signedOutTokens, signedOut],
  ]) {
    await until(`the primary refuses the tokens of ${username}`, () =>
      refresh(here, app, tokens.RefreshToken, withHash(username)).then(
        () => false,
        (error) => error.name === 'NotAuthorizedException',
      ),
    );
    await fails(here.send(new GetUserCommand({ AccessToken: tokens.AccessToken })), 'NotAuthorizedException');
  }
  assert.ok((await refresh(here, app, untouched.RefreshToken, withHash(revoked))).AccessToken);
});

test('the loss of the secondary disturbs nobody, and it catches up', async () => {
  await lab.kill(secondary.name);
  const users = [];
  for (let i = 0; i < 5; ++i) users.push(await createUser(here, pool.Id));
  await lab.startRegion(secondary.name);
  await untilCaughtUp(lab, pool.Id);
  for (const username of users) assert.ok((await signIn(there, app, username)).AccessToken);
});

test('both Regions are lost at once and come back with everything', async () => {
  const username = await createUser(here, pool.Id);
  const { RefreshToken } = await signIn(here, app, username);
  await Promise.all([lab.kill(primary.name), lab.kill(secondary.name)]);
  await Promise.all([lab.startRegion(primary.name), lab.startRegion(secondary.name)]);
  assert.ok((await until('the primary refreshes', () => refresh(here, app, RefreshToken, withHash(username)))).AccessToken);
  await untilCaughtUp(lab, pool.Id);
  assert.ok((await refresh(there, app, RefreshToken, withHash(username))).AccessToken);
});

test('a lab that ended starts again with its data', async () => {
  const username = await createUser(here, pool.Id);
  await lab.release({ keepFolder: true });
  await lab.up();
  assert.ok((await signIn(lab.cognito(), app, username)).AccessToken);
  await untilCaughtUp(lab, pool.Id);
  assert.ok((await signIn(lab.cognito(secondary.name), app, username)).AccessToken);
});
