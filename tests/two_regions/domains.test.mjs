// Where the requests of pools' domains go: the configuration that symbolon writes, obeyed by a real HAProxy.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { after, test } from 'node:test';
import {
  CreateUserPoolDomainCommand,
  DescribeUserPoolDomainCommand,
  ListUserPoolsCommand,
  UpdateUserPoolDomainCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { HaProxy } from '../lib/haproxy.mjs';
import { Lab } from '../lib/lab.mjs';
import { createClient } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
const [home, away] = lab.regions;
const cognito = lab.cognito();
const pool = await createReplicatedPool(lab);
const machine = await createClient(cognito, pool.Id, {
  GenerateSecret: true,
  ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'],
});
const domain = 'login.test';
const CustomDomainConfig = { CertificateArn: `arn:aws:acm:us-east-1:${'0'.repeat(12)}:certificate/abc` };
await cognito.send(new CreateUserPoolDomainCommand({ UserPoolId: pool.Id, Domain: domain, CustomDomainConfig }));

const failover = (check, SecondaryRegion = away.name) => ({
  Failover: { SecondaryRegion, PrimaryRoute53HealthCheckId: check },
});
async function setRouting(Routing, at = cognito) {
  const changed = await at.send(
    new UpdateUserPoolDomainCommand({ UserPoolId: pool.Id, Domain: domain, CustomDomainConfig, Routing }),
  );
  assert.deepEqual(changed.Routing, Routing);
  await untilCaughtUp(lab, pool.Id);
}

// A health check of the operator's own: counts how often it was asked, and how often in a row it said yes.
const health = { good: true, flaps: false, asked: 0, saidYes: 0 };
const checked = createServer((_, response) => {
  health.asked += 1;
  const good = health.flaps ? health.asked % 4 !== 0 : health.good;
  health.saidYes = good ? health.saidYes + 1 : 0;
  response.writeHead(good ? 204 : 500).end();
});
await new Promise((resolve) => checked.listen(0, '127.0.0.1', resolve));
const checkId = 'abcdef11-2222-3333-4444-555555fedcba';

async function freePort() {
  const server = createSocketServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// A router that prefers the second Region, so that what goes to the first one goes there for its domain's sake.
const rise = 8;
class Router {
  #haproxy;
  async start({ flags = [] } = {}) {
    const server = (region) =>
      `${region.name}=${new URL(region.api).host}/${new URL(region.operations).port}`;
    this.url = `http://127.0.0.1:${await freePort()}`;
    const text = await lab.symbolon(
      'router-config', '--server', server(away), '--server', server(home), '--ask-nodes', '--bind', new URL(this.url).host,
      '--probe-interval-ms', '100', '--fall', '2', '--rise', String(rise), ...flags,
    );
    this.#haproxy = await HaProxy.start(lab.dir, this.url, text);
  }
  async stop() {
    await this.#haproxy?.stop();
  }
  async renew(options) {
    await this.stop();
    await this.start(options);
  }
}
const withCheck = { flags: ['--health-check', `${checkId}=127.0.0.1:${checked.address().port}/ok`] };
const router = new Router();
after(async () => {
  await router.stop();
  checked.close();
  await lab.release();
});

// POST /oauth2/token to a host name, with the answer's status.
function token(url, { host = domain, path = '/oauth2/token' } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}${path}`,
      {
        method: 'POST',
        agent: false,
        headers: {
          host,
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${Buffer.from(`${machine.ClientId}:${machine.ClientSecret}`).toString('base64')}`,
        },
      },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      },
    );
    sent.once('error', reject);
    sent.end('grant_type=client_credentials');
  });
}

async function signatures(region) {
  const text = await lab.metrics(region.name).catch(() => '');
  return Number(text.match(/^symbolon_signatures_total (\d+)/m)?.[1] ?? 0);
}
// The Region that answers the domain's requests: the one that signs the token.
async function servedBy(url = router.url, where = {}) {
  const before = await Promise.all(lab.regions.map(signatures));
  assert.equal(await token(url, where), 200);
  const now = await Promise.all(lab.regions.map(signatures));
  const served = lab.regions.filter((_, i) => now[i] > before[i]);
  assert.equal(served.length, 1);
  return served[0].name;
}

test('without failover a domain is served by its primary Region alone, whatever the router prefers', async () => {
  await untilCaughtUp(lab, pool.Id);
  await router.start();
  for (let i = 0; i < 3; ++i) assert.equal(await servedBy(), home.name);
  assert.equal(await servedBy(router.url, { host: 'other.test', path: `/_domain/${domain}/oauth2/token` }), home.name);
  // The API goes to the preferred Region, under any name.
  const listed = async (region) => (await lab.metrics(region.name)).match(/operation="ListUserPools",outcome="ok"\} (\d+)/)?.[1] ?? '0';
  const before = await listed(away);
  const asked = await call(router.url, 'ListUserPools', { MaxResults: 1 });
  assert.equal(asked.status, 200);
  assert.notEqual(await listed(away), before);
  await lab.kill(home.name);
  assert.equal(await token(router.url), 503);
  await lab.startRegion(home.name);
  await until('the primary serves again', async () => (await token(router.url)) === 200);
});

test('a health check that nobody explained is refused', async () => {
  await setRouting(failover(checkId));
  const { DomainDescription } = await lab.cognito(away.name).send(new DescribeUserPoolDomainCommand({ Domain: domain }));
  assert.deepEqual(DomainDescription.Routing, failover(checkId));
  await assert.rejects(router.renew(), new RegExp(`fails over by the health check .*${checkId}`));
});

test('with failover a domain follows its health check, and returns only when that has been good for long', async () => {
  await router.renew(withCheck);
  await until('the primary serves', async () => (await servedBy()) === home.name);
  health.good = false;
  await until('the secondary serves', async () => (await servedBy()) === away.name);
  health.good = true;
  await until('the primary serves again', async () => (await servedBy()) === home.name);
  assert.ok(health.saidYes >= rise, `back after ${health.saidYes} good checks`);
});

test('a check that flaps keeps the domain at the secondary', async () => {
  health.good = false;
  await until('the secondary serves', async () => (await servedBy()) === away.name);
  // Three times good, once bad.
  const before = health.asked;
  health.flaps = true;
  while (health.asked < before + 6 * 4) assert.equal(await servedBy(), away.name);
  Object.assign(health, { flaps: false, good: true });
  await until('the primary serves again', async () => (await servedBy()) === home.name);
});

test('the loss of the primary Region: no request of its domain fails, and it returns', async () => {
  await setRouting(failover('primary-ready'));
  await router.renew();
  await until('the primary serves', async () => (await servedBy()) === home.name);
  await lab.kill(home.name);
  for (let i = 0; i < 20; ++i) assert.equal(await servedBy(), away.name);
  await lab.startRegion(home.name);
  await until('the primary serves again', async () => (await servedBy()) === home.name);
});

test('a Region that is lost altogether: what is known of the rest can be written', async () => {
  await lab.kill(home.name);
  await assert.rejects(router.renew(), new RegExp(`${home.name} are not known`));
  await router.renew({ flags: ['--partial'] });
  await until('the secondary serves', async () => (await token(router.url)) === 200);
  assert.equal(await servedBy(), away.name);
  await lab.startRegion(home.name);
});

test("the lab's router obeys too, from its next start on, and after a promotion", async () => {
  const asked = { UserPoolId: pool.Id, RegionName: away.name };
  const promoted = () => call(away.api, 'PromoteUserPoolReplica', asked, { prefix: prefixes.symbolon });
  await until('the second Region is primary', async () => (await promoted()).status === 200);
  await setRouting(failover('primary-ready', home.name), lab.cognito(away.name));
  await lab.stop('router');
  await lab.startRegion('router');
  assert.equal(await servedBy(lab.router), away.name);
  await lab.kill(away.name);
  assert.equal(await servedBy(lab.router), home.name);
  assert.ok((await lab.cognito('router').send(new ListUserPoolsCommand({ MaxResults: 1 }))).UserPools);
});
