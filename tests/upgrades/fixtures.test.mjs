// What earlier releases wrote is opened by today's: stores, keys and settings of labs of theirs, kept in fixtures/.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  AdminListGroupsForUserCommand,
  CreateUserPoolReplicaCommand,
  SignUpCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as jose from 'jose';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, claimsOf, createUser, password, refresh, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { describeReplication, untilReplica } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);
const fixtures = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');

// The ports in a fixture are those of the machine that made it.
async function otherPorts() {
  const servers = await Promise.all(Array.from({ length: 7 }, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }));
  const [router, ...ports] = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  const flags = ['--router-port', router];
  for (const [i, kind] of ['api', 'operations', 'replication'].entries()) flags.push(`--${kind}-ports`, ports.slice(2 * i, 2 * i + 2).join());
  return flags;
}

for (const name of (await readdir(fixtures)).sort()) {
  describe(`the fixture ${name}`, () => {
    let contents;
    let lab;
    let sdk; // of each Region
    before(async () => {
      contents = JSON.parse(await readFile(join(fixtures, name, 'contents.json'), 'utf8'));
      lab = new Lab(await mkdtemp(join(tmpdir(), 'symbolon-fixture-')));
      await run('tar', ['--extract', '--file', join(fixtures, name, 'lab.tar.xz'), '--directory', lab.dir]);
      await lab.up(await otherPorts());
      sdk = lab.regions.map((region) => lab.cognito(region.name));
    });
    after(async () => {
      await lab?.release();
      if (lab) await rm(lab.dir, { recursive: true, force: true });
    });

    const signInAs = (cognito, client, username) => signIn(cognito, client, username, { pass: contents.users[username].password });
    const untilEqual = (pool) => until('both Regions are at the same position', async () => {
      const [a, b] = await Promise.all(lab.regions.map(({ name: region }) => describeReplication(lab, region, pool)));
      return a.Epoch === b.Epoch && a.Sequence === b.Sequence && !a.Problem && !b.Problem;
    });

    test('people sign in with their passwords, to clients with and without a secret, in both Regions', async () => {
      const { client, publicClient } = contents.replicated;
      for (const cognito of sdk) {
        for (const username of ['ann', 'bob', 'carla', 'erik']) {
          const { AccessToken, IdToken } = await signInAs(cognito, publicClient, username);
          assert.equal(claimsOf(IdToken).given_name, `The fixture's ${username}`);
          assert.deepEqual(claimsOf(AccessToken)['cognito:groups'], username === 'ann' ? ['keepers'] : undefined);
          assert.ok((await signInAs(cognito, client, username)).AccessToken);
        }
        await fails(signIn(cognito, publicClient, 'ann', { pass: 'Wrong-horse-7' }), 'NotAuthorizedException');
        const { Groups } = await cognito.send(
          new AdminListGroupsForUserCommand({ UserPoolId: contents.replicated.id, Username: 'ann' }));
        assert.deepEqual(Groups.map(({ GroupName, Precedence }) => [GroupName, Precedence]), [['keepers', 3]]);
      }
    });

    test('who was disabled stays so, and what was revoked or signed out too', async () => {
      const { publicClient, tokens } = contents.replicated;
      for (const cognito of sdk) {
        await fails(signInAs(cognito, publicClient, 'dora'), 'NotAuthorizedException', /disabled/);
        for (const username of ['bob', 'carla']) {
          await fails(refresh(cognito, publicClient, tokens[username].RefreshToken), 'NotAuthorizedException');
        }
      }
    });

    test('its tokens verify with the keys that are published today, and its refresh tokens are good', async () => {
      const { id, publicClient, tokens } = contents.replicated;
      for (const [i, cognito] of sdk.entries()) {
        const keys = jose.createRemoteJWKSet(new URL(`${lab.regions[i].api}/${id}/.well-known/jwks.json`));
        for (const token of [tokens.ann.AccessToken, tokens.ann.IdToken]) {
          await jose.jwtVerify(token, keys, { currentDate: new Date(contents.made) });
        }
        const { AccessToken } = await refresh(cognito, publicClient, tokens.ann.RefreshToken);
        assert.equal(claimsOf(AccessToken).sub, claimsOf(tokens.ann.AccessToken).sub);
        await jose.jwtVerify(AccessToken, keys);
      }
    });

    test('machines get tokens by their secret', async () => {
      const { ClientId, ClientSecret, domain } = contents.replicated.machine;
      for (const { api } of lab.regions) {
        const response = await fetch(`${api}/_domain/${domain}/oauth2/token`, {
          method: 'POST',
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            authorization: `Basic ${Buffer.from(`${ClientId}:${ClientSecret}`).toString('base64')}`,
          },
          body: 'grant_type=client_credentials&scope=orders/read',
        });
        assert.equal(response.status, 200);
        assert.equal(claimsOf((await response.json()).access_token).scope, 'orders/read');
      }
    });

    test('replication goes on, and the replica can become primary', async () => {
      const { id, publicClient } = contents.replicated;
      const username = await createUser(sdk[0], id);
      await untilEqual(id);
      assert.ok((await signIn(sdk[1], publicClient, username)).AccessToken);
      for (const [i, { name: RegionName }] of [...lab.regions.entries()].reverse()) {
        const answer = await call(
          lab.endpoint(RegionName), 'PromoteUserPoolReplica', { UserPoolId: id, RegionName }, { prefix: prefixes.symbolon });
        assert.equal(answer.status, 200, answer.message);
        await sdk[i].send(new SignUpCommand({ ClientId: publicClient.ClientId, Username: anyName(), Password: password }));
        await untilEqual(id);
      }
    });

    test('a pool that had no replica is copied to one', async () => {
      const { id, client } = contents.alone;
      const RegionName = lab.secondary.name;
      await sdk[0].send(new CreateUserPoolReplicaCommand({ UserPoolId: id, RegionName }));
      await untilReplica(sdk[0], id, RegionName, 'INACTIVE');
      await sdk[0].send(new UpdateUserPoolReplicaCommand({ UserPoolId: id, RegionName, Status: 'ACTIVE' }));
      await untilReplica(sdk[1], id, RegionName, 'ACTIVE');
      assert.ok((await signInAs(sdk[1], client, 'zoe')).AccessToken);
    });
  });
}
