// A Region is lost for good: certificates end without it, say so, and never that it has confirmed; pools lose their
// replica there, and can be deleted.
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  DeleteUserPoolCommand,
  DeleteUserPoolReplicaCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Lab } from '../lib/lab.mjs';
import { createClient, createUser, signIn } from '../lib/pools.mjs';
import { ask, createReplicatedPool, replicaStatus, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions.map(({ name }) => name);
const cognito = lab.cognito(home, { maxAttempts: 8 });
const publicKey = ['--key', join(lab.dir, 'regions', home, 'data', 'audit', 'public_key')];
const pool = await createReplicatedPool(lab);
const shredded = await createReplicatedPool(lab);
const UserPoolId = pool.Id;
const client = await createClient(cognito, UserPoolId);
const [ann, bob] = [await createUser(cognito, UserPoolId), await createUser(cognito, UserPoolId)];
for (const { Id } of [pool, shredded]) await untilCaughtUp(lab, Id);
const deleteReplica = () => cognito.send(new DeleteUserPoolReplicaCommand({ UserPoolId, RegionName: away }));
const erasure = async () => (await ask(lab, home, 'DescribeErasure', { UserPoolId, ErasureId })).Erasure;
const shredding = async () => (await ask(lab, home, 'DescribeShredding', { UserPoolId: shredded.Id })).Shredding;
const ofAway = ({ Regions }) => Regions.find(({ Region }) => Region === away);
let ErasureId;

async function untilFinal(describe) {
  let told;
  await until('it has ended', async () => (told = await describe()).Status === 'FINAL', 60_000)
    .catch((cause) => assert.fail(`${cause.message}: ${JSON.stringify(told?.Regions)}, ${cause.cause}`));
  return told;
}

// The exit status, and what it said.
async function verify(certificate) {
  const file = join(lab.dir, 'certificate.json');
  await writeFile(file, certificate);
  return lab.symbolon('certificate', 'verify', file, ...publicKey).then((said) => ({ status: 0, said }), (error) => ({
    status: error.code, said: `${error.stdout}${error.stderr}`,
  }));
}

test('a Region is lost: a user is erased, and the certificate waits for it', async () => {
  await lab.kill(away);
  await rm(join(lab.dir, 'regions', away, 'data'), { recursive: true });
  ErasureId = (await ask(lab, home, 'EraseUser', { UserPoolId, Username: ann })).Erasure.ErasureId;
  await until('the erasure waits', async () => /not in reach/.test(ofAway(await erasure()).Reason));
});

test('a replica there that is deleted cannot leave, since nobody says that it has', async () => {
  await cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName: away, Status: 'INACTIVE' }));
  await deleteReplica();
  assert.equal(await replicaStatus(cognito, UserPoolId, away), 'DELETING');
  assert.equal((await erasure()).Status, 'PENDING');
});

test('declared gone, it leaves the pool, and certificates end and name it', { timeout: 180_000 }, async () => {
  await lab.stop(home);
  const file = join(lab.dir, 'regions', home, 'symbolond.toml');
  const text = await readFile(file, 'utf8');
  const without = text
    .replace(new RegExp(`\\n\\[\\[regions\\]\\]\\nname = "${away}"\\n(?:[a-z_]+ = .*\\n)*`), '\n')
    .replace('[keys]\n', `[keys]\nforgotten_regions = ["${away}"]\n`);
  assert.ok(!without.includes(`name = "${away}"`) && without.includes('forgotten_regions'));
  await writeFile(file, without);
  await lab.startRegion(home);
  await until('the replica has left', async () => (await replicaStatus(cognito, UserPoolId, away)) === undefined);
  const erased = await untilFinal(erasure);
  await ask(lab, home, 'ShredUserPool', { UserPoolId: shredded.Id, Confirmation: shredded.Id });
  const shred = await untilFinal(shredding);
  for (const told of [erased, shred]) {
    assert.equal(ofAway(told).State, 'REMOVED');
    assert.match(ofAway(told).Reason, /has not confirmed anything/);
    assert.ok(told.Certificate.includes('"state":"FINAL_EXCEPT_REMOVED"'));
    const { status, said } = await verify(told.Certificate);
    assert.equal(status, 4, said);
    assert.ok(said.includes(`${away}: REMOVED, NOT CONFIRMED`), said);
  }
  const [audited] = (await lab.symbolon('audit', 'export', '--dir', lab.dir, '--region', home, '--event', 'IssueCertificate'))
    .trim().split('\n').map((line) => JSON.parse(line)).filter(({ requestParameters: told }) => told.userPoolId === UserPoolId);
  assert.deepEqual(audited.requestParameters.removedRegions, [away]);
});

test('the pool serves on, and can be deleted: nothing of it stays in the store', async () => {
  await signIn(cognito, client, bob);
  await cognito.send(new DeleteUserPoolCommand({ UserPoolId }));
  await until('both pools have left the store', async () => {
    const metrics = await (await fetch(`${lab.region(home).operations}/metrics`)).text();
    const has = (id) => metrics.includes(`symbolon_log_sequence{pool="${id}"}`);
    return metrics.includes('symbolon_ready 1') && !has(UserPoolId) && !has(shredded.Id);
  });
});
