// node make_fixture.mjs NAME: fills a lab of two Regions by the build that SYMBOLON names (build/release/bin/symbolon) and keeps
// it in fixtures/NAME: lab.tar.xz, and contents.json, which says what is in it. fixtures.test.mjs opens it with today's build.
//
// To be run with each release, by its own build, NAME being the release. All in it is made up: users, passwords, keys.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  AdminAddUserToGroupCommand,
  AdminDisableUserCommand,
  AdminUserGlobalSignOutCommand,
  CreateGroupCommand,
  CreateResourceServerCommand,
  CreateUserPoolDomainCommand,
  RevokeTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Lab } from '../lib/lab.mjs';
import { createClient, createPool, createUser, password, refresh, signIn } from '../lib/pools.mjs';
import { createReplicatedPool, multiRegionKey, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);
const [name] = process.argv.slice(2);
assert.match(name ?? '', /^[\w.-]+$/, 'usage: node make_fixture.mjs NAME');
const folder = join(dirname(fileURLToPath(import.meta.url)), 'fixtures', name);

// As long as a refresh token may live.
const lasting = { RefreshTokenValidity: 3650 };

const lab = await Lab.start();
const contents = await fill().finally(() => lab.release({ keepFolder: true }));
await mkdir(folder, { recursive: true });
// Without what belongs to the lab's last run; the configurations are written anew at its next start.
const parts = ['lab.toml', 'regions', 'certificates'];
await run('tar', ['--create', '--xz', '--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--directory', lab.dir,
  '--exclude=LOG*', '--exclude=LOCK', '--file', join(folder, 'lab.tar.xz'), ...parts], { env: { ...process.env, XZ_OPT: '-9e' } });
await writeFile(join(folder, 'contents.json'), `${JSON.stringify(contents, null, 2)}\n`);
await run('rm', ['-r', lab.dir]);
console.log(folder);

async function fill() {
  const [here, there] = [lab.cognito(), lab.cognito(lab.secondary.name)];
  const pool = await createReplicatedPool(lab, { UserPoolTags: { fixture: name } });
  const client = await createClient(here, pool.Id, { ...lasting, GenerateSecret: true });
  const publicClient = await createClient(here, pool.Id, lasting);
  const machine = await createMachine(here, pool);

  const users = {};
  for (const username of ['ann', 'bob', 'carla', 'dora', 'erik']) {
    users[username] = { password: `${password}-${username}` };
    await createUser(here, pool.Id, { username, pass: users[username].password, attributes: { given_name: `The fixture's ${username}` } });
  }
  await here.send(new CreateGroupCommand({ UserPoolId: pool.Id, GroupName: 'keepers', Precedence: 3 }));
  await here.send(new AdminAddUserToGroupCommand({ UserPoolId: pool.Id, GroupName: 'keepers', Username: 'ann' }));
  await untilCaughtUp(lab, pool.Id);

  const tokens = {};
  for (const username of ['ann', 'bob', 'carla', 'dora']) {
    tokens[username] = await signIn(here, publicClient, username, { pass: users[username].password });
  }
  await here.send(new AdminDisableUserCommand({ UserPoolId: pool.Id, Username: 'dora' }));
  // Facts of both Regions: a revoked token family, a sign-out, failed attempts.
  await there.send(new RevokeTokenCommand({ ClientId: publicClient.ClientId, Token: tokens.bob.RefreshToken }));
  await here.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool.Id, Username: 'carla' }));
  for (const region of [here, there]) {
    await assert.rejects(signIn(region, publicClient, 'erik', { pass: 'Wrong-horse-7' }), { name: 'NotAuthorizedException' });
  }
  for (const [cognito, username] of [[here, 'bob'], [there, 'carla']]) {
    await until(`${username}'s tokens are refused in the other Region`, () =>
      refresh(cognito, publicClient, tokens[username].RefreshToken).then(() => false, (error) => error.name === 'NotAuthorizedException'));
  }

  const alone = await createPool(here, { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: await multiRegionKey(lab) } });
  const aloneClient = await createClient(here, alone.Id, lasting);
  users.zoe = { password: `${password}-zoe` };
  await createUser(here, alone.Id, { username: 'zoe', pass: users.zoe.password });
  await untilCaughtUp(lab, pool.Id);

  return {
    about: 'A lab that nobody ever used, made by make_fixture.mjs; all secrets in it are for tests.',
    made: new Date().toISOString(),
    version: (await lab.symbolon('--version')).trim(),
    replicated: { id: pool.Id, client, publicClient, machine, tokens },
    alone: { id: alone.Id, client: aloneClient },
    users,
  };
}

async function createMachine(cognito, pool) {
  await cognito.send(new CreateResourceServerCommand({
    UserPoolId: pool.Id, Identifier: 'orders', Name: 'Orders', Scopes: [{ ScopeName: 'read', ScopeDescription: 'read' }],
  }));
  const domain = `fixture-${pool.Id.split('_')[1].toLowerCase()}`;
  await cognito.send(new CreateUserPoolDomainCommand({ UserPoolId: pool.Id, Domain: domain }));
  const { ClientId, ClientSecret } = await createClient(cognito, pool.Id, {
    GenerateSecret: true,
    ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'],
    AllowedOAuthFlows: ['client_credentials'],
    AllowedOAuthFlowsUserPoolClient: true,
    AllowedOAuthScopes: ['orders/read'],
  });
  return { ClientId, ClientSecret, domain };
}
