import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  CreateResourceServerCommand,
  DeleteResourceServerCommand,
  DescribeResourceServerCommand,
  ListResourceServersCommand,
  UpdateResourceServerCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { createClient, createPool } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const { Id: UserPoolId } = await createPool(cognito);

const scope = (ScopeName) => ({ ScopeName, ScopeDescription: `May ${ScopeName}` });
const create = (Identifier, Scopes) =>
  cognito.send(new CreateResourceServerCommand({ UserPoolId, Identifier, Name: 'Orders', Scopes }));
const describe = async (Identifier) =>
  (await cognito.send(new DescribeResourceServerCommand({ UserPoolId, Identifier }))).ResourceServer;

test('a resource server is made, read, changed and deleted', async () => {
  const Identifier = 'https://orders.example.com';
  await create(Identifier, [scope('write'), scope('read')]);
  const read = await describe(Identifier);
  assert.equal(read.UserPoolId, UserPoolId);
  assert.equal(read.Name, 'Orders');
  assert.deepEqual(read.Scopes, [scope('read'), scope('write')]);
  await fails(create(Identifier, []), 'InvalidParameterException');
  await cognito.send(
    new UpdateResourceServerCommand({ UserPoolId, Identifier, Name: 'Sales', Scopes: [scope('refund')] }),
  );
  assert.equal((await describe(Identifier)).Name, 'Sales');
  assert.deepEqual((await describe(Identifier)).Scopes, [scope('refund')]);
  await cognito.send(new DeleteResourceServerCommand({ UserPoolId, Identifier }));
  await fails(describe(Identifier), 'ResourceNotFoundException');
});

test('a client asks only for scopes that exist', async () => {
  await create('stock', [scope('read')]);
  const settings = (scopes) => ({
    GenerateSecret: true,
    ExplicitAuthFlows: undefined,
    AllowedOAuthFlows: ['client_credentials'],
    AllowedOAuthFlowsUserPoolClient: true,
    AllowedOAuthScopes: scopes,
  });
  const client = await createClient(cognito, UserPoolId, settings(['stock/read']));
  assert.deepEqual(client.AllowedOAuthScopes, ['stock/read']);
  await fails(createClient(cognito, UserPoolId, settings(['stock/write'])), 'ScopeDoesNotExistException');
});

test('ListResourceServers pages', async () => {
  const { Id } = await createPool(cognito);
  const made = ['one', 'three', 'two'];
  for (const Identifier of made) {
    await cognito.send(new CreateResourceServerCommand({ UserPoolId: Id, Identifier, Name: Identifier }));
  }
  const seen = [];
  let NextToken;
  do {
    const page = await cognito.send(new ListResourceServersCommand({ UserPoolId: Id, MaxResults: 2, NextToken }));
    seen.push(...page.ResourceServers.map((server) => server.Identifier));
    NextToken = page.NextToken;
  } while (NextToken);
  assert.deepEqual(seen.sort(), made);
});
