// Machine to machine: GetClientToken, and client_credentials at the token endpoint of the pool's domain.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, test } from 'node:test';
import {
  CognitoIdentityProviderClient,
  CreateResourceServerCommand,
  CreateUserPoolDomainCommand,
  DeleteUserPoolDomainCommand,
  DescribeUserPoolDomainCommand,
  GetClientTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as jose from 'jose';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { claimsOf, createClient, createPool } from '../lib/pools.mjs';
import { call } from '../lib/raw.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito);
const UserPoolId = pool.Id;
const issuer = `${lab.primary.api}/${pool.Id}`;
await cognito.send(
  new CreateResourceServerCommand({
    UserPoolId,
    Identifier: 'orders',
    Name: 'Orders',
    Scopes: [
      { ScopeName: 'read', ScopeDescription: 'read' },
      { ScopeName: 'write', ScopeDescription: 'write' },
    ],
  }),
);
const oauth = {
  GenerateSecret: true,
  AllowedOAuthFlows: ['client_credentials'],
  AllowedOAuthFlowsUserPoolClient: true,
  AllowedOAuthScopes: ['orders/read', 'orders/write'],
};
const machine = await createClient(cognito, UserPoolId, { ...oauth, ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'] });
const domain = `orders-${pool.Id.split('_')[1].toLowerCase()}`;
await cognito.send(new CreateUserPoolDomainCommand({ UserPoolId, Domain: domain }));
const tokenUrl = `${lab.primary.api}/_domain/${domain}/oauth2/token`;
const basic = (client, secret = client.ClientSecret) =>
  `Basic ${Buffer.from(`${client.ClientId}:${secret}`).toString('base64')}`;

async function tokenRequest(parameters, headers = {}) {
  const response = await fetch(tokenUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(parameters).toString(),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const clientCredentials = (parameters = {}, client = machine) =>
  tokenRequest({ grant_type: 'client_credentials', ...parameters }, { authorization: basic(client) });

test('GetClientToken answers with a token that verifies', async () => {
  const { ClientAuthenticationResult: result } = await cognito.send(
    new GetClientTokenCommand({ ClientId: machine.ClientId, Secret: machine.ClientSecret, Scopes: ['orders/read'] }),
  );
  assert.equal(result.TokenType, 'Bearer');
  assert.equal(result.ExpiresIn, 3600);
  const keys = jose.createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
  const { payload } = await jose.jwtVerify(result.AccessToken, keys, { issuer });
  assert.equal(payload.sub, machine.ClientId);
  assert.equal(payload.client_id, machine.ClientId);
  assert.equal(payload.token_use, 'access');
  assert.equal(payload.scope, 'orders/read');
  assert.equal(payload.version, 2);
  assert.equal(payload.username, undefined);
});

test('GetClientToken works unsigned, and gives every scope when none is named', async () => {
  const answer = await call(
    lab.primary.api, 'GetClientToken', { ClientId: machine.ClientId, Secret: machine.ClientSecret }, { signed: false },
  );
  assert.equal(answer.status, 200, answer.message);
  const { scope } = claimsOf(answer.body.ClientAuthenticationResult.AccessToken);
  assert.deepEqual(scope.split(' ').sort(), ['orders/read', 'orders/write']);
});

test('GetClientToken refuses a wrong secret, a foreign scope and a client of another kind', async () => {
  const get = (settings) =>
    cognito.send(new GetClientTokenCommand({ ClientId: machine.ClientId, Secret: machine.ClientSecret, ...settings }));
  await fails(get({ Secret: 'wrong'.repeat(6) }), 'NotAuthorizedException');
  await assert.rejects(get({ Scopes: ['orders/delete'] }), (error) => error.$metadata.httpStatusCode === 400);
  const other = await createClient(cognito, UserPoolId, { GenerateSecret: true });
  await assert.rejects(get({ ClientId: other.ClientId, Secret: other.ClientSecret }), (error) => error.$metadata.httpStatusCode === 400);
  await fails(get({ ClientId: '1234567890abcdefghijklmnop' }), 'ResourceNotFoundException');
});

test('ALLOW_CLIENT_TOKEN_AUTH stands alone and needs a secret', async () => {
  const refuse = (settings) => fails(createClient(cognito, UserPoolId, settings), 'InvalidParameterException');
  await refuse({ ...oauth, ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH', 'ALLOW_USER_SRP_AUTH'] });
  await refuse({ ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'] });
});

test('the token endpoint takes the secret in the header and in the body', async () => {
  const byHeader = await clientCredentials({ scope: 'orders/write' });
  assert.equal(byHeader.status, 200, JSON.stringify(byHeader.body));
  assert.deepEqual(Object.keys(byHeader.body).sort(), ['access_token', 'expires_in', 'token_type']);
  assert.equal(byHeader.body.token_type, 'Bearer');
  assert.equal(byHeader.body.expires_in, 3600);
  assert.equal(claimsOf(byHeader.body.access_token).scope, 'orders/write');
  assert.match(byHeader.headers.get('cache-control'), /no-store/);
  const byBody = await tokenRequest({
    grant_type: 'client_credentials', client_id: machine.ClientId, client_secret: machine.ClientSecret,
  });
  assert.equal(byBody.status, 200, JSON.stringify(byBody.body));
  const keys = jose.createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
  await jose.jwtVerify(byBody.body.access_token, keys, { issuer });
});

test('the token endpoint is found by the Host header too', async () => {
  const { port } = new URL(lab.primary.api);
  const answer = await new Promise((resolve, reject) => {
    const body = 'grant_type=client_credentials';
    const post = request(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/oauth2/token',
        headers: {
          host: `${domain}.auth.${lab.primary.name}.amazoncognito.com`,
          authorization: basic(machine),
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': body.length,
        },
      },
      (response) => {
        let text = '';
        response.on('data', (data) => (text += data));
        response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
      },
    );
    post.once('error', reject);
    post.end(body);
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(claimsOf(answer.body.access_token).client_id, machine.ClientId);
});

test('the token endpoint refuses as RFC 6749 says', async () => {
  const expectError = async (answer, error, status = 400) => {
    const { status: actual, body } = await answer;
    assert.equal(body.error, error);
    assert.equal(actual, status);
  };
  await expectError(clientCredentials({ scope: 'orders/delete' }), 'invalid_scope');
  await expectError(tokenRequest({ grant_type: 'teleport' }, { authorization: basic(machine) }), 'unsupported_grant_type');
  await expectError(tokenRequest({}, { authorization: basic(machine) }), 'invalid_request');
  const wrong = await tokenRequest({ grant_type: 'client_credentials' }, { authorization: basic(machine, 'wrong'.repeat(6)) });
  assert.equal(wrong.body.error, 'invalid_client');
  assert.ok([400, 401].includes(wrong.status));
  const unknown = await tokenRequest({ grant_type: 'client_credentials', client_id: 'nobody', client_secret: 'x' });
  assert.equal(unknown.body.error, 'invalid_client');
  const people = await createClient(cognito, UserPoolId, { GenerateSecret: true });
  await expectError(clientCredentials({}, people), 'unauthorized_client');
  assert.ok([400, 405].includes((await fetch(tokenUrl)).status));
});

test('a domain is described, is unique, and ends', async () => {
  const describe = async (Domain) =>
    (await cognito.send(new DescribeUserPoolDomainCommand({ Domain }))).DomainDescription;
  const described = await describe(domain);
  assert.equal(described.UserPoolId, UserPoolId);
  assert.equal(described.Domain, domain);
  assert.equal(described.Status, 'ACTIVE');
  assert.equal(described.AWSAccountId, '000000000000');
  assert.deepEqual(await describe(`${domain}-none`), {});

  const other = await createPool(cognito);
  await fails(
    cognito.send(new CreateUserPoolDomainCommand({ UserPoolId: other.Id, Domain: domain })), 'InvalidParameterException',
  );
  await fails(
    cognito.send(new CreateUserPoolDomainCommand({ UserPoolId: other.Id, Domain: 'Not A Domain' })), 'InvalidParameterException',
  );
  const second = `${domain}-2`;
  await cognito.send(new CreateUserPoolDomainCommand({ UserPoolId: other.Id, Domain: second }));
  await cognito.send(new DeleteUserPoolDomainCommand({ UserPoolId: other.Id, Domain: second }));
  assert.deepEqual(await describe(second), {});
  const gone = await fetch(`${lab.primary.api}/_domain/${second}/oauth2/token`, { method: 'POST' });
  assert.ok(gone.status >= 400 && gone.status < 500);
});

test('discovery names the endpoints, and the keys stand where it says', async () => {
  const document = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  assert.equal(document.issuer, issuer);
  assert.equal(document.jwks_uri, `${issuer}/.well-known/jwks.json`);
  assert.match(document.token_endpoint, /\/oauth2\/token$/);
  assert.deepEqual(document.id_token_signing_alg_values_supported, ['RS256']);
  const { keys } = await (await fetch(document.jwks_uri)).json();
  assert.equal(keys.length, 2);
  for (const key of keys) {
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
    assert.equal(key.alg, 'RS256');
    assert.equal(key.use, 'sig');
  }
  assert.equal((await fetch(`${lab.primary.api}/${lab.primary.name}_NoSuchPool/.well-known/jwks.json`)).status, 404);
});

test('an SDK that signs for another Region of the lab is served', async () => {
  const elsewhere = new CognitoIdentityProviderClient({
    region: lab.secondary.name,
    endpoint: lab.primary.api,
    credentials: { accessKeyId: 'SYMBOLONLAB', secretAccessKey: 'symbolon-lab-secret' },
  });
  try {
    assert.ok((await elsewhere.send(new DescribeUserPoolDomainCommand({ Domain: domain }))).DomainDescription.Domain);
  } finally {
    elsewhere.destroy();
  }
});
