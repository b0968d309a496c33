// When the router leaves the preferred Region, and when it does not: a connection that fails now and then, a Region that is
// gone, and one that comes and goes. Between HAProxy and the preferred Region is a relay that can refuse.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { connect, createServer as createSocketServer } from 'node:net';
import { after, before, test } from 'node:test';
import { HaProxy } from '../lib/haproxy.mjs';
import { Lab } from '../lib/lab.mjs';
import { until } from '../lib/wait.mjs';

const rise = 8;
const lab = await Lab.start();
const { primary, secondary } = lab;

function listen(server, port = 0) {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server.address().port)));
}

// To a Region's API; counts connections. While it does not listen, connections are refused.
class ApiRelay {
  connections = 0;
  #sockets = new Set();
  #port = 0;
  #server = createSocketServer((near) => {
    this.connections += 1;
    const far = connect(Number(new URL(primary.api).port), '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.once('close', () => this.#sockets.delete(from));
    }
  });
  async listen() {
    this.#port = await listen(this.#server, this.#port);
    return this.#port;
  }
  async refuse() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
const relay = new ApiRelay();

// To a Region's operations port, with answers of its own to probes if they are to be bad.
const probes = { asked: 0, inARow: 0, isGood: () => true };
const operations = createServer((asked, response) => {
  probes.asked += 1;
  const good = probes.isGood(probes.asked);
  probes.inARow = good ? probes.inARow + 1 : 0;
  if (!good) return void response.writeHead(503).end();
  request(`${primary.operations}${asked.url}`, (answer) => answer.pipe(response.writeHead(answer.statusCode)))
    .once('error', () => response.destroy())
    .end();
});

let router;
before(async () => {
  const bound = createSocketServer();
  const url = `http://127.0.0.1:${await listen(bound)}`;
  await new Promise((resolve) => bound.close(resolve));
  router = await HaProxy.start(lab.dir, url, await lab.symbolon(
    'router-config',
    '--server', `${primary.name}=127.0.0.1:${await relay.listen()}/${await listen(operations)}`,
    '--server', `${secondary.name}=${new URL(secondary.api).host}/${new URL(secondary.operations).port}`,
    '--bind', new URL(url).host, '--probe-interval-ms', '100', '--fall', '2', '--rise', String(rise),
  ));
});
after(async () => {
  await router?.stop();
  operations.closeAllConnections();
  operations.close();
  await relay.refuse().catch(() => {});
  await lab.release();
});

// Whether a request, over a connection of its own, was served by the preferred Region. Some Region serves it.
async function isServedThere() {
  const before = relay.connections;
  assert.equal(await router.get(), 404);
  return relay.connections > before;
}
const home = () => router.server(primary.name);

test('a single connection that is refused: the request is served elsewhere, the preferred Region stays', async () => {
  assert.equal(await isServedThere(), true);
  for (let i = 0; i < 10; ++i) {
    await relay.refuse();
    assert.equal(await isServedThere(), false);
    await relay.listen();
    assert.equal(await isServedThere(), true);
  }
  const { status, chkdown } = await home();
  assert.deepEqual({ status, chkdown }, { status: 'UP', chkdown: '0' });
});

test('the preferred Region is gone: no request fails, it is lost after a few, and it returns', async () => {
  await relay.refuse();
  probes.isGood = () => false;
  for (let i = 0; i < 20; ++i) assert.equal(await isServedThere(), false);
  await until('the preferred Region is lost', async () => (await home()).status.startsWith('DOWN'));
  await relay.listen();
  probes.isGood = () => true;
  await until('the preferred Region serves again', isServedThere);
  assert.ok(probes.inARow >= rise, `back after ${probes.inARow} good probes`);
});

test('a Region that comes and goes is held out until it has been good for long', async () => {
  probes.isGood = () => false;
  await until('the other Region serves', async () => !(await isServedThere()));
  // Good for less than it takes, then bad.
  const begun = probes.asked;
  probes.isGood = (asked) => asked % rise !== 0;
  while (probes.asked < begun + 4 * rise) assert.equal(await isServedThere(), false);
  probes.isGood = () => true;
  await until('the preferred Region serves again', isServedThere);
  assert.ok(probes.inARow >= rise, `back after ${probes.inARow} good probes`);
});
