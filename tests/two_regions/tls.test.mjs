// Regions whose APIs speak TLS alone: the commands that call them go through, and refuse whoever they cannot be sure of.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Lab } from '../lib/lab.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';

const lab = await Lab.start();
const elsewhere = await mkdtemp(join(tmpdir(), 'symbolon-another-authority-'));
after(async () => {
  await lab.release();
  await rm(elsewhere, { recursive: true, force: true });
});
const [home, away] = lab.regions;
const pool = await createReplicatedPool(lab);
await untilCaughtUp(lab, pool.Id);

// The lab's certificates are for localhost and 127.0.0.1.
const certificates = join(lab.dir, 'certificates');
for (const { name } of lab.regions) {
  const file = join(lab.dir, 'regions', name, 'symbolond.toml');
  const [certificate, key] = ['crt', 'key'].map((kind) => JSON.stringify(join(certificates, `${name}.${kind}`)));
  const text = await readFile(file, 'utf8');
  await lab.stop(name);
  await writeFile(file, text.replace('[api]\n', `[api]\ntls.certificate = ${certificate}\ntls.key = ${key}\n`));
  await lab.startRegion(name);
}
const url = (region, host = '127.0.0.1') => `https://${host}:${new URL(region.api).port}`;
const trusting = (AWS_CA_BUNDLE) => (...words) => lab.symbolonByApi({ AWS_CA_BUNDLE }, ...words);
const symbolon = trusting(join(certificates, 'ca.crt'));
const everywhere = lab.regions.map((region) => `${region.name}=${url(region)}`).join();

test('what an operator does by the API is done over TLS', async () => {
  const one = ['--endpoint', url(home)];
  assert.match(await symbolon('replication', 'durability', pool.Id, 'async', ...one), /ASYNC/);
  assert.match(await symbolon('replication', 'verify', pool.Id, ...one), /equal/);
  assert.match(await symbolon('replication', 'suffix', pool.Id, ...one), /"Suffixes":\[\]/);
  assert.match(await symbolon('keys', 'status', pool.Id, '--endpoint', everywhere), new RegExp(`${away.name} +open`));
  assert.match(await symbolon('keys', 'withdraw', pool.Id, '--endpoint', everywhere), new RegExp(`^${away.name}: .* is disabled; the pool was locked`, 'm'));
  assert.match(await symbolon('keys', 'restore', pool.Id, '--endpoint', everywhere), new RegExp(`^${home.name}: .* is enabled; the pool was open`, 'm'));
  assert.match(await symbolon('replication', 'drill', pool.Id, '--settle', '0.5', '--endpoint', everywhere), /PASSED/);
  const promote = (from, to) =>
    symbolon('replication', 'promote', '--all-of', from.name, '--to', to.name, '--endpoint', url(from, 'localhost'));
  assert.match(await promote(home, away), new RegExp(`^${pool.Id}: ${away.name} is primary`));
  assert.match(await promote(away, home), new RegExp(`^${pool.Id}: ${home.name} is primary`));
});

test('a server that cannot be verified is refused, and says why', async () => {
  await lab.symbolon('lab', 'init', '--dir', elsewhere);
  const ask = (tool, endpoint) => tool('replication', 'durability', pool.Id, 'async', '--endpoint', endpoint);
  const untrusted = { code: 1, stderr: /its certificate is not accepted: / };
  await assert.rejects(ask(trusting(join(elsewhere, 'certificates/ca.crt')), url(home)), untrusted);
  await assert.rejects(ask(trusting(''), url(home)), untrusted); // the system's authorities
  // 127.0.0.1 in another spelling, which no certificate has.
  await assert.rejects(ask(symbolon, url(home, '127.1')), { code: 1, stderr: /its certificate is not accepted: hostname mismatch/ });
  await assert.rejects(ask(symbolon, new URL(home.api).host), { code: 1, stderr: /does not answer/ });
});
