// A Region is lost for good: certificates end without it, say so, and never that it has confirmed; pools lose their
// replica there, and can be deleted; those that were born there keep their issuer.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import {
  DeleteUserPoolCommand,
  DeleteUserPoolReplicaCommand,
  GetUserCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms';
import * as jose from 'jose';
import { Lab, program } from '../lib/lab.mjs';
import { claimsOf, createClient, createPool, createUser, refresh, signIn } from '../lib/pools.mjs';
import { addReplica, ask, createReplicatedPool, replicaStatus, untilCaughtUp, untilEqual } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);

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

// Pools that are made in the Region that will be lost, with tokens of before.
const born = await Promise.all(['ORIGINAL', 'UPDATED'].map(async (Type) => {
  const there = lab.cognito(away, { maxAttempts: 8 });
  const kms = lab.kms(away, { maxAttempts: 8 });
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ MultiRegion: true }));
  await kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata.KeyId, ReplicaRegion: home }));
  const { Id } = await createPool(there, {
    KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata.Arn }, IssuerConfiguration: { Type },
  });
  await addReplica(lab, Id, home, { cognito: there });
  const app = await createClient(there, Id);
  const username = await createUser(there, Id);
  const tokens = await signIn(there, app, username);
  await untilEqual(lab, Id);
  const issuer = `${Type === 'UPDATED' ? lab.router : lab.endpoint(away)}/${Id}`;
  assert.equal(claimsOf(tokens.AccessToken).iss, issuer);
  return { Id, app, username, tokens, issuer };
}));

// What those who take the tokens see, in the Region that is left.
async function keepTheirIssuer() {
  for (const { Id, app, username, tokens, issuer } of born) {
    const wellKnown = `${lab.endpoint(home)}/${Id}/.well-known`;
    const discovered = await (await fetch(`${wellKnown}/openid-configuration`)).json();
    assert.equal(discovered.issuer, issuer);
    const keys = jose.createRemoteJWKSet(new URL(`${wellKnown}/jwks.json`));
    const fresh = [await signIn(cognito, app, username), await refresh(cognito, app, tokens.RefreshToken)];
    for (const { AccessToken, IdToken } of [tokens, ...fresh]) {
      await jose.jwtVerify(AccessToken, keys, { issuer });
      await jose.jwtVerify(IdToken, keys, { issuer, audience: app.ClientId });
      assert.equal((await cognito.send(new GetUserCommand({ AccessToken }))).Username, username);
    }
  }
}

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

test('pools that were made there are promoted, and keep their issuer', async () => {
  for (const { Id } of born) await ask(lab, home, 'PromoteUserPoolReplica', { UserPoolId: Id, RegionName: home, Force: true });
  await keepTheirIssuer();
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
  const text = (await readFile(file, 'utf8')).replace('[keys]\n', `[keys]\nforgotten_regions = ["${away}"]\n`);
  const row = new RegExp(`\\n\\[\\[regions\\]\\]\\nname = "${away}"\\n(?:[a-z_]+ = .*\\n)*`);
  const [told] = text.match(row);
  // Without its name the issuer of pools that were made there would be another.
  await writeFile(file, text.replace(row, '\n'));
  await assert.rejects(run(program('symbolond'), ['--config', file], { timeout: 60_000 }), ({ stderr }) =>
    stderr.includes(`made in Region ${away}, which [[regions]] does not name`) && stderr.includes(`name = "${away}"`));
  const withoutAddress = told.replace(/^replication = .*\n/m, '');
  assert.notEqual(withoutAddress, told);
  await writeFile(file, text.replace(told, withoutAddress));
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

test('pools that were made there keep their issuer without it', keepTheirIssuer);

test('the pool serves on, and can be deleted: nothing of it stays in the store', async () => {
  await signIn(cognito, client, bob);
  await cognito.send(new DeleteUserPoolCommand({ UserPoolId }));
  await until('both pools have left the store', async () => {
    const metrics = await (await fetch(`${lab.region(home).operations}/metrics`)).text();
    const has = (id) => metrics.includes(`symbolon_log_sequence{pool="${id}"}`);
    return metrics.includes('symbolon_ready 1') && !has(UserPoolId) && !has(shredded.Id);
  });
});
