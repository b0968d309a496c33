// Read-your-writes across Regions, as an application would have it: its SDK client keeps the position of its last write and sends it back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  CreateResourceServerCommand,
  CreateUserPoolDomainCommand,
  DescribeUserPoolCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Lab } from '../lib/lab.mjs';
import { anyName, createClient, createUser, password } from '../lib/pools.mjs';
import { createReplicatedPool } from '../lib/replicas.mjs';

const header = 'x-symbolon-position';
const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;

// One application with a client for each Region.
const held = { position: undefined };
function keepPosition(client) {
  client.middlewareStack.add(
    (next) => async (args) => {
      if (held.position) args.request.headers[header] = held.position;
      const result = await next(args);
      held.position = result.response.headers[header] ?? held.position;
      return result;
    },
    { step: 'build', name: 'symbolonPosition' },
  );
  return client;
}
const here = keepPosition(lab.cognito());
const there = keepPosition(lab.cognito(secondary.name));
const forgetful = lab.cognito(secondary.name);

let pool;
let username;
before(async () => {
  pool = await createReplicatedPool(lab);
  username = await createUser(here, pool.Id);
});

async function failsWith(promise, name, status) {
  const error = await promise.then(() => assert.fail(`expected ${name}`), (thrown) => thrown);
  assert.equal(error.name, name, error.message);
  assert.equal(error.$metadata.httpStatusCode, status);
  return error;
}
async function describeAt(client, position) {
  held.position = position;
  return client.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }));
}

test('what was written in one Region is read in the other at once', async () => {
  for (let i = 0; i < 50; ++i) {
    const Value = `name-${i}`;
    await here.send(
      new AdminUpdateUserAttributesCommand({
        UserPoolId: pool.Id, Username: username, UserAttributes: [{ Name: 'given_name', Value }],
      }),
    );
    const { UserAttributes } = await there.send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username: username }));
    assert.equal(UserAttributes.find(({ Name }) => Name === 'given_name').Value, Value);
  }
});

test('a client that was just made signs people in in the other Region', async () => {
  for (let i = 0; i < 10; ++i) {
    const app = await createClient(here, pool.Id);
    const { AuthenticationResult } = await there.send(
      new InitiateAuthCommand({
        AuthFlow: 'USER_PASSWORD_AUTH', ClientId: app.ClientId, AuthParameters: { USERNAME: username, PASSWORD: password },
      }),
    );
    assert.ok(AuthenticationResult.AccessToken);
  }
});

test('a machine client and a domain that were just made get a token in the other Region', async () => {
  const machine = await createClient(here, pool.Id, { GenerateSecret: true, ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'] });
  const Domain = anyName('domain').slice(0, 40);
  await here.send(new CreateUserPoolDomainCommand({ UserPoolId: pool.Id, Domain }));
  const ask = (position) =>
    fetch(`${secondary.api}/_domain/${Domain}/oauth2/token`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${machine.ClientId}:${machine.ClientSecret}`).toString('base64')}`,
        [header]: position,
      },
      body: 'grant_type=client_credentials',
    });
  const granted = await ask(held.position);
  assert.equal(granted.status, 200);
  assert.ok((await granted.json()).access_token);
  const behind = await ask(held.position.replace(/^\d+/, '999999'));
  assert.equal(behind.status, 503);
  assert.equal((await behind.json()).error, 'temporarily_unavailable');
});

test('a position that does not come is a retryable error with the lag, after a bounded wait', async () => {
  await describeAt(here, undefined);
  await here.send(new CreateResourceServerCommand({ UserPoolId: pool.Id, Identifier: anyName(), Name: 'r' }));
  const current = held.position;
  const sequence = Number(current.split('@')[0]);
  const error = await failsWith(describeAt(there, current.replace(/^\d+/, sequence + 7)), 'ReplicaBehindException', 503);
  assert.match(error.message, new RegExp(`^Region ${secondary.name} has entry ${sequence} of user pool ${pool.Id} and lacks 7 `));
  assert.equal(error.$retryable ?? error.$response.headers['retry-after'], '1');
  assert.ok(await describeAt(there, current));
});

test('the position of a write that was set aside is a distinct error, and nonsense another', async () => {
  await here.send(new CreateResourceServerCommand({ UserPoolId: pool.Id, Identifier: anyName(), Name: 'r' }));
  const ofALostStore = held.position.replace(/[0-9a-f]{32}/, '0'.repeat(32));
  for (const client of [here, there]) {
    await failsWith(describeAt(client, ofALostStore), 'WriteSetAsideException', 409);
    await failsWith(describeAt(client, 'nonsense'), 'InvalidParameterException', 400);
  }
  held.position = undefined;
});

test('browsers may send and read positions', async () => {
  const preflight = await fetch(primary.api, { method: 'OPTIONS' });
  assert.match(preflight.headers.get('access-control-allow-headers'), /x-symbolon-position/);
  assert.match(preflight.headers.get('access-control-expose-headers'), /x-symbolon-position/);
  assert.ok(await forgetful.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id })));
});
