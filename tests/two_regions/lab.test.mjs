// The lab itself: what its commands say and do.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Lab } from '../lib/lab.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;

const ready = async (region) => (await fetch(`${region.operations}/health/ready`)).status === 200;
const pidOf = async (name) => Number(await readFile(join(lab.dir, 'run', `${name}.pid`), 'utf8'));
const status = async () => lab.symbolon('lab', 'status', '--dir', lab.dir);
const stateOf = async (name) => (await status()).match(new RegExp(`^${name} +(\\w+)`, 'm'))[1];

test('every Region serves, and the router answers for them', async () => {
  for (const region of lab.regions) {
    assert.equal(await ready(region), true);
    assert.equal(await stateOf(region.name), 'ready');
  }
  const direct = await fetch(primary.api);
  const routed = await fetch(lab.router);
  assert.equal(routed.status, direct.status);
});

test('a Region that dies stays dead until it is started, and the router goes on without it', async () => {
  process.kill(await pidOf(primary.name), 'SIGKILL');
  await until('its death is noticed', async () => (await stateOf(primary.name)) === 'down');
  await assert.rejects(ready(primary));
  const answer = await fetch(lab.router);
  assert.ok(answer.status < 500, `the router answers ${answer.status}`);
  await lab.startRegion(primary.name);
  assert.equal(await ready(primary), true);
});

test('a Region can be started in the moment in which it died', async () => {
  for (let i = 0; i < 5; ++i) {
    const pid = await pidOf(primary.name);
    process.kill(pid, 'SIGKILL');
    await lab.startRegion(primary.name);
    assert.equal(await ready(primary), true);
    assert.notEqual(await pidOf(primary.name), pid);
  }
});

test('stop asks a Region to end, kill does not ask', async () => {
  await lab.stop(secondary.name);
  assert.match(await status(), new RegExp(`^${secondary.name} +down +ended$`, 'm'));
  await lab.startRegion(secondary.name);
  await lab.kill(secondary.name);
  assert.match(await status(), new RegExp(`^${secondary.name} +down +was killed by signal 9`, 'm'));
  await lab.startRegion(secondary.name);
});

test('the router can be lost too', async () => {
  await lab.kill('router');
  await assert.rejects(fetch(lab.router));
  await lab.startRegion('router');
  assert.ok((await fetch(lab.router)).status < 500);
});

test('what cannot be done is said', async () => {
  await assert.rejects(lab.kill('mars-north-1'), /this lab has no "mars-north-1", it has: /);
  await assert.rejects(lab.symbolon('lab', 'up', '--dir', lab.dir), /a lab is running in .* already/);
  await assert.rejects(lab.symbolon('lab', 'status', '--dir', join(lab.dir, 'logs')), /no lab is running/);
});

test('ports that are taken are named, with the flag that moves each', async () => {
  const flags = ['--router-port', new URL(lab.router).port, '--api-ports', lab.regions.map((region) => new URL(region.api).port).join()];
  await assert.rejects(Lab.start({ flags }), (error) => {
    assert.match(error.message, /another program holds ports of this lab/);
    assert.match(error.message, /\(router\) is in use; --router-port moves it/);
    assert.match(error.message, /API\) is in use; --api-ports moves it/);
    return true;
  });
});

test('a lab whose supervisor is killed leaves nothing running, and starts again', async () => {
  const members = [...lab.regions.map((region) => region.name), 'router'];
  const pids = await Promise.all(members.map(pidOf));
  await lab.killSupervisor();
  const gone = (pid) => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };
  await until('every program is gone', () => pids.every(gone));
  await lab.up();
  assert.equal(await ready(primary), true);
});

test('the end: symbolon lab down', async () => {
  await lab.symbolon('lab', 'down', '--dir', lab.dir);
  await assert.rejects(ready(primary));
  await assert.rejects(fetch(lab.router));
});
