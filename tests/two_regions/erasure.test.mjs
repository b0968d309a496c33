// A user is erased while a Region is down and the other crashes: the sealed records of the user are in no file of either
// Region any more, a certificate says so, and nobody else notices.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  AdminAddUserToGroupCommand,
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  CreateGroupCommand,
  GetUserCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { filesUnder, searchFiles } from '../lib/plants.mjs';
import { anyName, createClient, createUser, refresh, signIn } from '../lib/pools.mjs';
import { ask, createReplicatedPool, untilCaughtUp, verifyCopies } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const [home, away] = lab.regions.map(({ name }) => name);
const cognito = { [home]: lab.cognito(home, { maxAttempts: 8 }), [away]: lab.cognito(away, { maxAttempts: 8 }) };
const dataOf = (region) => join(lab.dir, 'regions', region, 'data');
const publicKeys = [home, away].flatMap((region) => ['--key', join(dataOf(region), 'audit', 'public_key')]);
const users = (...words) => lab.symbolon('users', ...words, '--dir', lab.dir);
const verify = (file, ...flags) =>
  lab.symbolon('certificate', 'verify', file, ...flags).then((said) => ({ status: 0, said }), (error) => ({
    status: error.code, said: `${error.stdout}${error.stderr}`,
  }));

const pool = await createReplicatedPool(lab);
const UserPoolId = pool.Id;
const client = await createClient(cognito[home], UserPoolId);
await cognito[home].send(new CreateGroupCommand({ UserPoolId, GroupName: 'staff' }));
const subOf = async (Username) => {
  const { UserAttributes } = await cognito[home].send(new AdminGetUserCommand({ UserPoolId, Username }));
  return UserAttributes.find(({ Name }) => Name === 'sub').Value;
};
const describe = async (ErasureId, region = home) => (await ask(lab, region, 'DescribeErasure', { UserPoolId, ErasureId })).Erasure;
const idIn = (said) => said.match(/[0-9a-f]{32}/)[0];

// The sealed records of users that entries of the log hold, by user key in hexadecimal: as a change (LogChange in
// storage/log.proto) stands in a file, key, digest and value one after the other.
function sealedUsers(region) {
  const kUser = Buffer.from([0x0a, 18, 0, 9]);
  const found = new Map();
  for (const file of filesUnder(dataOf(region))) {
    const octets = readFileSync(file);
    for (let at = octets.indexOf(kUser); at >= 0; at = octets.indexOf(kUser, at + 1)) {
      const digest = at + kUser.length + 16;
      if (octets[digest] !== 0x12 || octets[digest + 1] !== 32 || octets[digest + 34] !== 0x1a) continue;
      let size = 0;
      let value = digest + 35;
      for (let shift = 0; ; shift += 7) {
        const octet = octets[value++];
        size |= (octet & 0x7f) << shift;
        if (octet < 0x80) break;
      }
      const key = octets.subarray(at + kUser.length, digest).toString('hex');
      const sealed = Buffer.from(octets.subarray(value, value + size));
      if (sealed.length === size && size > 120) found.set(key, [...(found.get(key) ?? []), sealed]);
    }
  }
  return found;
}
// Of their middle, which is ciphertext.
const needlesOf = (name, sealed) => sealed.map((octets, i) => ({ what: `${name}, version ${i}`, octets: octets.subarray(60, 100) }));

// A user who was changed a few times; with what is stored of them.
async function plant(username) {
  const before = new Set(sealedUsers(home).keys());
  await createUser(cognito[home], UserPoolId, { username });
  await cognito[home].send(new AdminAddUserToGroupCommand({ UserPoolId, Username: username, GroupName: 'staff' }));
  for (const i of [1, 2, 3]) {
    const attributes = { email: `${username}-${i}@example.com`, email_verified: 'true', given_name: `Given ${i}` };
    await cognito[home].send(new AdminUpdateUserAttributesCommand({
      UserPoolId, Username: username, UserAttributes: Object.entries(attributes).map(([Name, Value]) => ({ Name, Value })),
    }));
  }
  await untilCaughtUp(lab, UserPoolId);
  const [key, ...others] = [...sealedUsers(home).keys()].filter((one) => !before.has(one));
  assert.ok(key && others.length === 0, 'one user came');
  return { username, sub: await subOf(username), needles: needlesOf(username, sealedUsers(home).get(key)) };
}
const stored = (who, region) => searchFiles(filesUnder(dataOf(region)), who.needles);

const bob = await plant(anyName('bob'));
const ann = await plant(anyName('ann'));
const carol = await plant(anyName('carol'));
const certificate = join(lab.dir, 'erased.json');
let tokens;
let id;

test('what is looked for is there', async () => {
  assert.ok(ann.needles.length >= 4, `${ann.needles.length} versions`);
  for (const region of [home, away]) assert.ok(stored(ann, region).length >= ann.needles.length, region);
  tokens = await signIn(cognito[home], client, ann.username);
  await signIn(cognito[away], client, ann.username);
});

test('a user nobody has, and an erasure nobody asked for, are refused', async () => {
  await assert.rejects(users('erase', UserPoolId, 'nobody'), /UserNotFoundException/);
  await assert.rejects(users('erase', UserPoolId, ann.username, '--already-deleted'), /is named by the sub/);
  await assert.rejects(users('erase', UserPoolId, ann.sub, '--already-deleted'), /is not deleted/);
  await assert.rejects(users('erasure', UserPoolId, '0'.repeat(32)), /ResourceNotFoundException/);
});

test('with a Region down the user is gone at once, nothing is erased yet, and that Region is named', async () => {
  await lab.stop(away);
  const begun = await ask(lab, home, 'EraseUser', { UserPoolId, Username: ann.username });
  id = begun.Erasure.ErasureId;
  assert.equal(begun.Erasure.Sub, ann.sub);
  await fails(cognito[home].send(new AdminGetUserCommand({ UserPoolId, Username: ann.username })), 'UserNotFoundException');
  const reasonOf = ({ Regions }, region) => Regions.find(({ Region }) => Region === region).Reason;
  const told = await until('the Region is named', async () => {
    const now = await describe(id);
    return reasonOf(now, away) && now;
  });
  assert.equal(told.Status, 'PENDING');
  assert.match(reasonOf(told, away), /not in reach/);
  assert.equal(told.Certificate, undefined);
  assert.ok(stored(ann, home).length > 0, 'the Region that is away will need the log');
});

test('a crash does not matter, and after the Region has returned it is final', { timeout: 180_000 }, async () => {
  await lab.kill(home);
  await lab.startRegion(home);
  assert.equal((await describe(id)).Status, 'PENDING');
  await lab.startRegion(away);
  await until('the erasure is final', async () => (await describe(id)).Status === 'FINAL', 90_000);
  await untilCaughtUp(lab, UserPoolId);
  assert.equal((await describe(id, away)).Status, 'FINAL');
  await users('erasure', UserPoolId, id, '--out', certificate);
  const { status, said } = await verify(certificate, ...publicKeys);
  assert.equal(status, 0, said);
  for (const part of [ann.sub, UserPoolId, home, away, 'logBodiesErased', 'remains: Copies of this Region', 'genuine, and FINAL']) {
    assert.ok(said.includes(part), `${part} in ${said}`);
  }
  assert.ok(!said.includes(ann.username) && !readFileSync(certificate).includes(ann.username));
});

test("none of the user's sealed records is in a file of either Region, and all of others' are", () => {
  for (const region of [home, away]) {
    assert.deepEqual(stored(ann, region), [], region);
    for (const other of [bob, carol]) assert.ok(stored(other, region).length >= other.needles.length, `${other.username} in ${region}`);
  }
});

test('the copies are equal, others sign in, and tokens of the user are refused', async () => {
  await verifyCopies(lab, UserPoolId);
  for (const region of [home, away]) {
    for (const other of [bob, carol]) await signIn(cognito[region], client, other.username);
    await fails(cognito[region].send(new GetUserCommand({ AccessToken: tokens.AccessToken })), 'UserNotFoundException');
    await fails(refresh(cognito[region], client, tokens.RefreshToken), 'NotAuthorizedException');
    await fails(signIn(cognito[region], client, ann.username), 'UserNotFoundException');
  }
});

test('a certificate that was altered is found', async () => {
  const text = readFileSync(certificate);
  const altered = join(lab.dir, 'altered.json');
  for (const at of [20, Math.floor(text.length / 2), text.length - 20]) {
    const octets = Buffer.from(text);
    octets[at] ^= 1;
    writeFileSync(altered, octets);
    assert.equal((await verify(altered)).status, 1, `octet ${at}`);
  }
});

test('who was deleted before is erased by the sub; another one of the name is not touched', { timeout: 180_000 }, async () => {
  await cognito[home].send(new AdminDeleteUserCommand({ UserPoolId, Username: carol.username }));
  await createUser(cognito[home], UserPoolId, { username: carol.username });
  const said = await users('erase', UserPoolId, carol.sub, '--already-deleted', '--out', certificate);
  assert.equal((await verify(certificate, ...publicKeys)).status, 0, said);
  await untilCaughtUp(lab, UserPoolId);
  for (const region of [home, away]) {
    assert.deepEqual(stored(carol, region), [], region);
    assert.ok(stored(bob, region).length > 0);
    await signIn(cognito[region], client, carol.username);
  }
  assert.notEqual(await subOf(carol.username), carol.sub);
  await verifyCopies(lab, UserPoolId);
});

test('erasures are listed, and the audit trail tells who asked, and no name', async () => {
  const listed = (await users('erasure', UserPoolId)).trim().split('\n');
  assert.equal(listed.length, 2);
  assert.ok(listed.every((line) => line.includes('erased')) && listed.some((line) => idIn(line) === id));
  const trail = await lab.symbolon('audit', 'export', '--dir', lab.dir);
  const lines = trail.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(lines.some(({ eventName, errorCode }) => eventName === 'EraseUser' && !errorCode));
  const issued = lines.filter(({ eventName }) => eventName === 'IssueCertificate').map(({ requestParameters: { order } }) => order);
  assert.deepEqual([...new Set(issued)].sort(), listed.map(idIn).sort());
  for (const who of [ann, carol]) assert.ok(!trail.includes(who.username));
});
