import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AdminAddUserToGroupCommand,
  AdminGetUserCommand,
  AdminInitiateAuthCommand,
  AdminListGroupsForUserCommand,
  AdminUserGlobalSignOutCommand,
  CreateGroupCommand,
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  DescribeUserPoolCommand,
  GetUserCommand,
  ListUserPoolReplicasCommand,
  ListUserPoolsCommand,
  ListUsersCommand,
  RevokeTokenCommand,
  SignUpCommand,
  UpdateUserPoolCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as Identity from 'amazon-cognito-identity-js';
import * as jose from 'jose';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, createClient, createPool, createUser, password, refresh, signIn } from '../lib/pools.mjs';
import {
  createReplicatedPool, describeReplication, multiRegionKey, replicaStatus, untilCaughtUp, untilReplica,
} from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.shared();
const here = lab.cognito();
const there = lab.cognito(lab.secondary.name);
const RegionName = lab.secondary.name;
after(() => lab.release());

let pool;
let client;
before(async () => {
  pool = await createReplicatedPool(lab);
  client = await createClient(here, pool.Id);
});

test('a replica needs a multi-Region key that its Region holds', async () => {
  const create = (UserPoolId) => here.send(new CreateUserPoolReplicaCommand({ UserPoolId, RegionName }));
  const plain = await createPool(here);
  await fails(create(plain.Id), 'InvalidParameterException');
});

test('a replica is made, activated, put to rest, and deleted only when it rests', async () => {
  const KmsKeyArn = await multiRegionKey(lab);
  const { Id: UserPoolId } = await createPool(here, { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } });
  const { UserPoolReplica } = await here.send(new CreateUserPoolReplicaCommand({ UserPoolId, RegionName }));
  assert.equal(UserPoolReplica.RegionName, RegionName);
  assert.equal(UserPoolReplica.Role, 'SECONDARY');
  assert.equal(UserPoolReplica.Status, 'CREATING');
  await untilReplica(here, UserPoolId, RegionName, 'INACTIVE');
  await assert.rejects(
    here.send(new CreateUserPoolReplicaCommand({ UserPoolId, RegionName })),
    (error) => error.$metadata.httpStatusCode === 400,
  );

  const { UserPoolReplicas } = await here.send(new ListUserPoolReplicasCommand({ UserPoolId }));
  const primary = UserPoolReplicas.find((replica) => replica.RegionName === lab.primary.name);
  assert.equal(primary.Role, 'PRIMARY');
  assert.equal(primary.Status, 'ACTIVE');

  // At rest it answers administrators who read, and nobody else.
  const appClient = await createClient(here, UserPoolId);
  const username = await createUser(here, UserPoolId);
  await untilCaughtUp(lab, UserPoolId);
  assert.equal((await there.send(new AdminGetUserCommand({ UserPoolId, Username: username }))).Username, username);
  await fails(signIn(there, appClient, username), 'OperationNotEnabledException');

  const set = (Status) => here.send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName, Status }));
  await set('ACTIVE');
  await until('people sign in there', () => signIn(there, appClient, username));
  await fails(here.send(new DeleteUserPoolReplicaCommand({ UserPoolId, RegionName })), 'InvalidParameterException');
  await set('INACTIVE');
  await untilReplica(here, UserPoolId, RegionName, 'INACTIVE');
  await until('nobody signs in there', async () =>
    signIn(there, appClient, username).then(
      () => false,
      (error) => error.name === 'OperationNotEnabledException',
    ),
  );
  const deleting = await here.send(new DeleteUserPoolReplicaCommand({ UserPoolId, RegionName }));
  assert.equal(deleting.UserPoolReplica.Status, 'DELETING');
  await until('the replica is gone', async () => (await replicaStatus(here, UserPoolId, RegionName)) === undefined);
  await until('its Region has forgotten the pool', () =>
    there.send(new DescribeUserPoolCommand({ UserPoolId })).then(
      () => false,
      (error) => error.name === 'ResourceNotFoundException',
    ),
  );
});

test('users, groups, clients and settings arrive; both Regions describe the same pool', async () => {
  const username = await createUser(here, pool.Id, { attributes: { name: 'Ann' } });
  await here.send(new CreateGroupCommand({ UserPoolId: pool.Id, GroupName: 'readers' }));
  await here.send(new AdminAddUserToGroupCommand({ UserPoolId: pool.Id, GroupName: 'readers', Username: username }));
  await untilCaughtUp(lab, pool.Id);
  const read = (from) => from.send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username: username }));
  const [ours, theirs] = [await read(here), await read(there)];
  assert.deepEqual(theirs.UserAttributes, ours.UserAttributes);
  const { Groups } = await there.send(new AdminListGroupsForUserCommand({ UserPoolId: pool.Id, Username: username }));
  assert.deepEqual(Groups.map((group) => group.GroupName), ['readers']);
  const { Users } = await there.send(new ListUsersCommand({ UserPoolId: pool.Id, Filter: `username = "${username}"` }));
  assert.equal(Users.length, 1);
  const { UserPool } = await there.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }));
  assert.equal(UserPool.Id, pool.Id);
  assert.equal(UserPool.Arn, pool.Arn.replace(lab.primary.name, RegionName));
  const { UserPools } = await there.send(new ListUserPoolsCommand({ MaxResults: 60 }));
  const listed = UserPools.find((each) => each.Id === pool.Id);
  assert.ok(listed.ReplicaRegions.includes(RegionName));
});

test('tokens of each Region are good in the other, refresh tokens too, and one JWKS verifies both', async () => {
  const username = await createUser(here, pool.Id);
  await untilCaughtUp(lab, pool.Id);
  const ours = await signIn(here, client, username);
  const theirs = await signIn(there, client, username);
  for (const [tokens, other, otherRegion] of [
    [ours, there, lab.secondary],
    [theirs, here, lab.primary],
  ]) {
    const keys = jose.createRemoteJWKSet(new URL(`${otherRegion.api}/${pool.Id}/.well-known/jwks.json`));
    // The issuer names the Region where the pool was born, whoever signs.
    await jose.jwtVerify(tokens.IdToken, keys, { issuer: `${lab.primary.api}/${pool.Id}`, audience: client.ClientId });
    assert.equal((await other.send(new GetUserCommand({ AccessToken: tokens.AccessToken }))).Username, username);
    const refreshed = await refresh(other, client, tokens.RefreshToken);
    await jose.jwtVerify(refreshed.AccessToken, keys);
  }
});

test('a sign-in by SRP that began in one Region is finished in the other', async () => {
  const username = await createUser(here, pool.Id);
  await untilCaughtUp(lab, pool.Id);
  for (const [first, second] of [
    [lab.primary, lab.secondary],
    [lab.secondary, lab.primary],
  ]) {
    const userPool = new Identity.CognitoUserPool({
      UserPoolId: pool.Id, ClientId: client.ClientId, endpoint: first.api,
    });
    const send = userPool.client.request.bind(userPool.client);
    const asked = [];
    userPool.client.request = (operation, parameters, done) => {
      asked.push([operation, userPool.client.endpoint]);
      send(operation, parameters, (...answer) => {
        userPool.client.endpoint = second.api;
        done(...answer);
      });
    };
    const session = await new Promise((onSuccess, onFailure) =>
      new Identity.CognitoUser({ Username: username, Pool: userPool }).authenticateUser(
        new Identity.AuthenticationDetails({ Username: username, Password: password }), { onSuccess, onFailure },
      ),
    );
    assert.deepEqual(asked, [
      ['InitiateAuth', first.api],
      ['RespondToAuthChallenge', second.api],
    ]);
    assert.equal(session.getIdToken().payload['cognito:username'], username);
  }
});

test('what only the primary may do is refused by name', async () => {
  const { ClientId } = client;
  const refused = (command) => fails(there.send(command), 'OperationNotEnabledException', new RegExp(lab.primary.name));
  await refused(new SignUpCommand({ ClientId, Username: anyName(), Password: password }));
  await refused(new CreateGroupCommand({ UserPoolId: pool.Id, GroupName: 'x' }));
  await refused(new CreateUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName: 'ap-south-1' }));
});

test('a revocation and a sign-out in the secondary are obeyed in the primary', async () => {
  const username = await createUser(here, pool.Id);
  await untilCaughtUp(lab, pool.Id);
  const revoked = await signIn(here, client, username);
  await there.send(new RevokeTokenCommand({ Token: revoked.RefreshToken, ClientId: client.ClientId }));
  const refuses = (tokens) => () =>
    refresh(here, client, tokens.RefreshToken).then(
      () => false,
      (error) => error.name === 'NotAuthorizedException',
    );
  await until('the revocation arrives', refuses(revoked));
  const signedOut = await signIn(here, client, username);
  await there.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool.Id, Username: username }));
  await until('the sign-out arrives', refuses(signedOut));
  const { AuthenticationResult } = await there.send(
    new AdminInitiateAuthCommand({
      UserPoolId: pool.Id,
      ClientId: client.ClientId,
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: username, PASSWORD: password },
    }),
  );
  assert.ok((await refresh(here, client, AuthenticationResult.RefreshToken)).AccessToken);
});

test('roles, positions and lag are told by the operation and by the tool', async () => {
  await untilCaughtUp(lab, pool.Id);
  const ours = await describeReplication(lab, lab.primary.name, pool.Id);
  const theirs = await describeReplication(lab, RegionName, pool.Id);
  assert.equal(ours.Role, 'PRIMARY');
  assert.equal(theirs.Role, 'SECONDARY');
  assert.equal(theirs.Epoch, ours.Epoch);
  const member = ours.Members.find((each) => each.Region === RegionName);
  assert.equal(member.Status, 'ACTIVE');
  await until('no lag is left', async () => {
    const { Members } = await describeReplication(lab, lab.primary.name, pool.Id);
    return Members.find((each) => each.Region === RegionName).LagEntries === 0;
  });
  assert.ok(member.Connected);
  assert.ok(Math.abs(member.LastContact - Date.now() / 1000) < 60);
  for (const [told, region] of [[ours, RegionName], [theirs, lab.primary.name]]) {
    const { ClockDifferenceSeconds } = told.Members.find((each) => each.Region === region);
    assert.ok(Math.abs(ClockDifferenceSeconds) < 60, `${region}: ${ClockDifferenceSeconds}`);
  }
  assert.match(member.AppliedPosition, new RegExp(`^${member.AppliedSequence}@1\\.${lab.primary.name}\\.[0-9a-f]{32}/${pool.Id}$`));
  assert.equal(theirs.PrimaryRegion, lab.primary.name);
  assert.deepEqual(ours.Durability, { Mode: 'ASYNC' });
  const shown = await lab.symbolon('replication', 'status', '--dir', lab.dir);
  assert.match(shown, new RegExp(pool.Id));
  assert.match(shown, /PRIMARY[^]*SECONDARY/);
  const watched = await lab.symbolon('replication', 'status', '--watch', '--every', '0.1', '--times', '3', '--dir', lab.dir);
  assert.equal(watched.match(new RegExp(`${pool.Id} ${RegionName} ACTIVE sequence \\d+, lag `, 'g')).length, 3);
});

test('the live view shows lag and contact on a terminal of 80 columns, and itself on one that does not know its size', async () => {
  const draw = async (size) => {
    const watch = ['replication', 'status', '--watch', '--every', '0.1', '--times', '2', '--dir', lab.dir];
    const drawn = (await lab.symbolonOnTerminal(size, ...watch)).split('\r\n');
    return drawn.map((line) => line.replace(/\x1b\[[0-9]*[A-Z]|\r/g, ''));
  };
  // Other pools of the lab are shown too.
  const tall = await draw({ rows: 5_000, columns: 80 });
  const own = tall.flatMap((line, at) => (line === pool.Id ? [tall.slice(at, at + 4)] : []));
  assert.equal(own.length, 2, tall.join('\n'));
  const row = new RegExp(`^ *${RegionName} +SECONDARY +ACTIVE +\\d+ +\\d+ +\\d+ entr(y|ies), \\d+\\.\\d+ s +\\d+\\.\\d s ago$`);
  for (const lines of own) assert.ok(lines.some((line) => row.test(line)), lines.join('\n'));
  assert.ok(tall.every((line) => line.length <= 80), tall.join('\n'));
  const unknown = await draw({ rows: 0, columns: 0 });
  assert.equal(unknown.filter((line) => /^ +REGION +ROLE +STATUS +EPOCH +SEQUENCE +LAG +CONTACT$/.test(line)).length, 2, unknown.join('\n'));
});

test('under a replica, the key may not go back to an AWS-owned one', async () => {
  await fails(
    here.send(new UpdateUserPoolCommand({ UserPoolId: pool.Id, KeyConfiguration: { KeyType: 'AWS_OWNED_KEY' } })),
    'InvalidParameterException',
    'Using an AWS owned KMS key is not supported for a user pool with multi-region replication enabled.',
  );
});
