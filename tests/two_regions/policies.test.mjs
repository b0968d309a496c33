// Users and their policies in two Regions: a change that is passed on to the primary is judged in both, each by its own
// name for the pool.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CreateGroupCommand } from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { account, Lab } from '../lib/lab.mjs';
import { anyName } from '../lib/pools.mjs';
import { createReplicatedPool } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const poolsIn = (region) => `arn:aws:cognito-idp:${region}:${account}:userpool/*`;
const keyOf = (name) => ({ id: `${name.toUpperCase()}KEY`, secret: `${name}-secret` });
const user = (name, region) => ({ keys: [keyOf(name)], policies: [[{ Effect: 'Allow', Action: 'cognito-idp:*', Resource: poolsIn(region) }]] });
const lab = await Lab.start({
  flags: ['--forward-writes'],
  users: { everywhere: user('everywhere', '*'), here: user('here', 'eu-central-1'), there: user('there', 'us-east-1') },
});
after(() => lab.release());
const [home, away] = lab.regions.map(({ name }) => name);
const pool = await createReplicatedPool(lab);

const createGroup = (name, region) => {
  const { id, secret } = keyOf(name);
  const cognito = lab.cognito(region, { credentials: { accessKeyId: id, secretAccessKey: secret } });
  return cognito.send(new CreateGroupCommand({ UserPoolId: pool.Id, GroupName: anyName('group') }));
};
const refusedBy = (region) => new RegExp(`on resource: arn:aws:cognito-idp:${region}:${account}:userpool/${pool.Id} because`);

test('a change that is passed on needs the consent of both Regions', async () => {
  await createGroup('everywhere', home);
  await createGroup('everywhere', away);
  await createGroup('here', home);
  await fails(createGroup('here', away), 'AccessDeniedException', refusedBy(away));
  await fails(createGroup('there', home), 'AccessDeniedException', refusedBy(home));
  await fails(createGroup('there', away), 'AccessDeniedException', refusedBy(home));
});

test('SIGHUP has users read again at once, and ends nothing', async () => {
  const reloads = async () => Number((await lab.metrics(away)).match(/^symbolon_iam_reloads_total\{outcome="ok"\} (\d+)$/m)[1]);
  const before = await reloads();
  process.kill(Number(await readFile(join(lab.dir, 'run', `${away}.pid`), 'utf8')), 'SIGHUP');
  await until('they are read again', async () => (await reloads()) > before);
  await createGroup('everywhere', away);
});
