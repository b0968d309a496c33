import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, test } from 'node:test';
import {
  AdminUserGlobalSignOutCommand,
  DeleteUserPoolCommand,
  GetClientTokenCommand,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  GlobalSignOutCommand,
  RevokeTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { JwtVerifier } from 'aws-jwt-verify';
import * as jose from 'jose';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import {
  claimsOf, createClient, createPool, createUser, headerOf, refresh, secretHash, signIn,
} from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito);
const client = await createClient(cognito, pool.Id);
const issuer = `${lab.primary.api}/${pool.Id}`;
const getUser = (AccessToken) => cognito.send(new GetUserCommand({ AccessToken }));

test('jose verifies both tokens against the JWKS; two keys sign', async () => {
  const tokens = await signIn(cognito, client, await createUser(cognito, pool.Id));
  const keys = jose.createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
  for (const token of [tokens.AccessToken, tokens.IdToken]) {
    const { payload } = await jose.jwtVerify(token, keys, { issuer, algorithms: ['RS256'] });
    assert.equal(payload.iss, issuer);
    assert.deepEqual(Object.keys(headerOf(token)).sort(), ['alg', 'kid']);
  }
  assert.notEqual(headerOf(tokens.AccessToken).kid, headerOf(tokens.IdToken).kid);
});

test('aws-jwt-verify\'s generic verifier takes them', async () => {
  const { IdToken } = await signIn(cognito, client, await createUser(cognito, pool.Id));
  const verifier = JwtVerifier.create({ issuer, audience: client.ClientId, jwksUri: `${issuer}/.well-known/jwks.json` });
  // Its own fetcher insists on https; the keys are given to it instead.
  verifier.cacheJwks(await (await fetch(`${issuer}/.well-known/jwks.json`)).json());
  assert.equal((await verifier.verify(IdToken)).token_use, 'id');
});

test('a pool may choose ES256', async () => {
  const elliptic = await createPool(cognito);
  const answer = await call(
    lab.primary.api, 'SetUserPoolSigningAlgorithm', { UserPoolId: elliptic.Id, SigningAlgorithm: 'ES256' },
    { prefix: prefixes.symbolon },
  );
  assert.equal(answer.status, 200, answer.message);
  const { AccessToken, IdToken } = await signIn(cognito, await createClient(cognito, elliptic.Id), await createUser(cognito, elliptic.Id));
  const keys = jose.createRemoteJWKSet(new URL(`${lab.primary.api}/${elliptic.Id}/.well-known/jwks.json`));
  for (const token of [AccessToken, IdToken]) {
    assert.equal(headerOf(token).alg, 'ES256');
    await jose.jwtVerify(token, keys, { algorithms: ['ES256'] });
  }
  assert.ok((await getUser(AccessToken)).Username);
});

test('both refresh flows give new tokens and no new refresh token', async () => {
  const username = await createUser(cognito, pool.Id);
  const first = await signIn(cognito, client, username);
  const byFlow = await refresh(cognito, client, first.RefreshToken);
  const { AuthenticationResult: byOperation } = await cognito.send(
    new GetTokensFromRefreshTokenCommand({ ClientId: client.ClientId, RefreshToken: first.RefreshToken }),
  );
  for (const tokens of [byFlow, byOperation]) {
    assert.equal(tokens.RefreshToken, undefined);
    const [old, fresh] = [claimsOf(first.AccessToken), claimsOf(tokens.AccessToken)];
    assert.equal(fresh.auth_time, old.auth_time);
    assert.equal(fresh.origin_jti, old.origin_jti);
    assert.notEqual(fresh.jti, old.jti);
    assert.equal((await getUser(tokens.AccessToken)).Username, username);
  }
});

test('a client with a secret refreshes with it', async () => {
  const secret = await createClient(cognito, pool.Id, { GenerateSecret: true });
  const username = await createUser(cognito, pool.Id);
  const { RefreshToken } = await signIn(cognito, secret, username);
  await fails(refresh(cognito, secret, RefreshToken), 'NotAuthorizedException', /SECRET_HASH was not received/);
  assert.ok((await refresh(cognito, secret, RefreshToken, { SECRET_HASH: secretHash(secret, username) })).AccessToken);
  const byOperation = (ClientSecret) =>
    cognito.send(new GetTokensFromRefreshTokenCommand({ ClientId: secret.ClientId, RefreshToken, ClientSecret }));
  await fails(byOperation('wrong'.repeat(6)), 'NotAuthorizedException');
  assert.ok((await byOperation(secret.ClientSecret)).AuthenticationResult.IdToken);
});

test('a refresh token is bound to its client, and nothing else passes for one', async () => {
  const { AccessToken, RefreshToken } = await signIn(cognito, client, await createUser(cognito, pool.Id));
  const other = await createClient(cognito, pool.Id);
  const invalid = (token, from = client) => fails(refresh(cognito, from, token), 'NotAuthorizedException', 'Invalid Refresh Token');
  await invalid(RefreshToken, other);
  await invalid(AccessToken);
  await invalid('rubbish');
  await invalid(RefreshToken.slice(0, -4));
  const middle = Math.floor(RefreshToken.length / 2);
  await invalid(RefreshToken.slice(0, middle) + (RefreshToken[middle] === 'A' ? 'B' : 'A') + RefreshToken.slice(middle + 1));
});

test('a revoked refresh token ends its family and no other', async () => {
  const username = await createUser(cognito, pool.Id);
  const one = await signIn(cognito, client, username);
  const other = await signIn(cognito, client, username);
  const younger = await refresh(cognito, client, one.RefreshToken);
  const revoke = (Token, ClientId = client.ClientId) => cognito.send(new RevokeTokenCommand({ Token, ClientId }));
  await fails(revoke(one.AccessToken), 'UnsupportedTokenTypeException');
  await revoke('unknown-token');
  await revoke(one.RefreshToken);
  await revoke(one.RefreshToken);
  await fails(refresh(cognito, client, one.RefreshToken), 'NotAuthorizedException', 'Refresh Token has been revoked');
  for (const token of [one.AccessToken, younger.AccessToken]) {
    await fails(getUser(token), 'NotAuthorizedException', 'Access Token has been revoked');
  }
  assert.ok((await refresh(cognito, client, other.RefreshToken)).AccessToken);
  assert.equal((await getUser(other.AccessToken)).Username, username);
});

test('revocation needs the client\'s own secret, and can be switched off', async () => {
  const username = await createUser(cognito, pool.Id);
  const secret = await createClient(cognito, pool.Id, { GenerateSecret: true });
  const { RefreshToken } = await signIn(cognito, secret, username);
  const revoke = (settings) => cognito.send(new RevokeTokenCommand({ Token: RefreshToken, ClientId: secret.ClientId, ...settings }));
  await fails(revoke({ ClientSecret: 'wrong'.repeat(6) }), 'UnauthorizedException');
  await revoke({ ClientSecret: secret.ClientSecret });
  const off = await createClient(cognito, pool.Id, { EnableTokenRevocation: false });
  const tokens = await signIn(cognito, off, username);
  await fails(
    cognito.send(new RevokeTokenCommand({ Token: tokens.RefreshToken, ClientId: off.ClientId })), 'UnsupportedOperationException',
  );
});

for (const [who, signOut] of [
  ['a person', (username, AccessToken) => new GlobalSignOutCommand({ AccessToken })],
  ['an administrator', (Username) => new AdminUserGlobalSignOutCommand({ UserPoolId: pool.Id, Username })],
]) {
  test(`${who} signs somebody out everywhere; a new sign-in works at once`, async () => {
    const username = await createUser(cognito, pool.Id);
    const one = await signIn(cognito, client, username);
    const two = await signIn(cognito, client, username);
    await cognito.send(signOut(username, one.AccessToken));
    for (const tokens of [one, two]) {
      await fails(getUser(tokens.AccessToken), 'NotAuthorizedException', 'Access Token has been revoked');
      await fails(refresh(cognito, client, tokens.RefreshToken), 'NotAuthorizedException', 'Refresh Token has been revoked');
    }
    const again = await signIn(cognito, client, username);
    assert.equal((await getUser(again.AccessToken)).Username, username);
    assert.ok((await refresh(cognito, client, again.RefreshToken)).AccessToken);
  });
}

test('an access token that is altered, foreign, unsigned or of another kind is refused', async () => {
  const { AccessToken, IdToken } = await signIn(cognito, client, await createUser(cognito, pool.Id));
  const [header, payload, signature] = AccessToken.split('.');
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = claimsOf(AccessToken);
  const refused = (token) => fails(getUser(token), 'NotAuthorizedException');

  await refused(IdToken);
  await refused('rubbish');
  await refused(`${header}.${payload}.`);
  await refused(`${header}.${payload}`);
  await refused(`${header}.${payload}.${signature.slice(0, -10)}`);
  await refused(`${header}.${encode({ ...claims, username: 'somebody-else' })}.${signature}`);
  await refused(`${header}.${encode({ ...claims, exp: claims.exp + 3600 })}.${signature}`);
  for (const alg of ['none', 'None', 'NONE']) {
    await refused(`${encode({ ...headerOf(AccessToken), alg })}.${payload}.`);
    await refused(`${encode({ ...headerOf(AccessToken), alg })}.${payload}.${signature}`);
  }
  // The public key as an HMAC secret.
  const { keys } = await (await fetch(`${issuer}/.well-known/jwks.json`)).json();
  const key = keys.find((each) => each.kid === headerOf(AccessToken).kid);
  const signedPart = `${encode({ alg: 'HS256', kid: key.kid })}.${payload}`;
  for (const secret of [key.n, Buffer.from(key.n, 'base64url'), JSON.stringify(key)]) {
    await refused(`${signedPart}.${createHmac('sha256', secret).update(signedPart).digest('base64url')}`);
  }
  // A key of the attacker's, embedded or under the right name.
  const { privateKey, publicKey } = await jose.generateKeyPair('RS256');
  const jwk = await jose.exportJWK(publicKey);
  for (const protectedHeader of [{ alg: 'RS256', kid: key.kid }, { alg: 'RS256', jwk }, { alg: 'RS256' }]) {
    await refused(await new jose.SignJWT(claims).setProtectedHeader(protectedHeader).sign(privateKey));
  }
  // Another pool's token.
  const other = await createPool(cognito);
  const foreign = await signIn(cognito, await createClient(cognito, other.Id), await createUser(cognito, other.Id));
  const [, , foreignSignature] = foreign.AccessToken.split('.');
  await refused(`${header}.${payload}.${foreignSignature}`);
});

test('the token of a pool that is gone is refused', async () => {
  const gone = await createPool(cognito);
  const tokens = await signIn(cognito, await createClient(cognito, gone.Id), await createUser(cognito, gone.Id));
  await cognito.send(new DeleteUserPoolCommand({ UserPoolId: gone.Id }));
  await assert.rejects(getUser(tokens.AccessToken), (error) =>
    ['NotAuthorizedException', 'ResourceNotFoundException'].includes(error.name),
  );
});

test('a machine\'s token, without the scope of the API, opens no user call', async () => {
  const machine = await createClient(cognito, pool.Id, {
    GenerateSecret: true, ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'],
  });
  const { ClientAuthenticationResult } = await cognito.send(
    new GetClientTokenCommand({ ClientId: machine.ClientId, Secret: machine.ClientSecret }),
  );
  await fails(getUser(ClientAuthenticationResult.AccessToken), 'NotAuthorizedException');
});
