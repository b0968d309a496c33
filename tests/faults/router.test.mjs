// A router far from the preferred Region: packets that are lost on the way swing no traffic, and a Region that is cut off is
// left.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FarLab } from '../lib/far_lab.mjs';
import { HaProxy } from '../lib/haproxy.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const minutes = 60_000;
const [home, away] = ['eu-central-1', 'us-east-1'];
const place = 'router';
const port = 9400; // in a network namespace of its own

let lab;
let router;
before(async () => {
  lab = await FarLab.start([home, away], { places: [place] });
  const server = ({ name, api, operations }) => `${name}=${new URL(api).host}/${new URL(operations).port}`;
  const url = `http://${lab.network.address(place)}:${port}`;
  const configuration = await lab.symbolon(
    'router-config', '--server', server(lab.region(home)), '--server', server(lab.region(away)), '--bind', new URL(url).host,
  );
  router = await HaProxy.start(lab.dir, url, configuration, { enter: lab.network.enter(place) });
}, { timeout: 2 * minutes });
after(async () => {
  await router?.stop();
  await lab?.release();
});

// Each over a connection of its own, from the router to a Region too.
const requests = (count) =>
  inParallel(20, async () => {
    for (let i = 0; i < count / 20; ++i) assert.equal(await router.get(), 404);
  });

test('80 ms and 1 % loss: the preferred Region serves a thousand connections and is never lost', { timeout: 5 * minutes }, async (t) => {
  await requests(1_000);
  const { lost } = await lab.network.count();
  assert.ok(lost > 0);
  const { status, chkdown, stot, wredis } = await router.server(home);
  t.diagnostic(`${lost} packets lost, ${stot} requests at ${home}, ${wredis} sent again elsewhere`);
  assert.deepEqual({ status, chkdown }, { status: 'UP', chkdown: '0' });
  // Those that were sent again elsewhere are few.
  assert.ok(Number(stot) >= 990, stot);
});

test('the preferred Region is cut off: no request fails, and it returns when the network does', { timeout: 5 * minutes }, async () => {
  await lab.network.cut(place, home);
  await lab.network.cut(home, place);
  await requests(40);
  await until('the Region is lost', async () => (await router.server(home)).status.startsWith('DOWN'));
  await lab.network.heal();
  await until('the Region is back', async () => (await router.server(home)).status === 'UP', minutes);
  await requests(20);
});
