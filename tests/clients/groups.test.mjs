import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminAddUserToGroupCommand,
  AdminListGroupsForUserCommand,
  AdminRemoveUserFromGroupCommand,
  CreateGroupCommand,
  DeleteGroupCommand,
  GetGroupCommand,
  ListGroupsCommand,
  ListUsersInGroupCommand,
  UpdateGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, claimsOf, createClient, createPool, createUser, refresh, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const { Id: UserPoolId } = await createPool(cognito);
const client = await createClient(cognito, UserPoolId);

const group = async (settings = {}) => {
  const GroupName = anyName('group');
  await cognito.send(new CreateGroupCommand({ UserPoolId, GroupName, ...settings }));
  return GroupName;
};
const add = (GroupName, Username) => cognito.send(new AdminAddUserToGroupCommand({ UserPoolId, GroupName, Username }));
const groupsIn = (token) => claimsOf(token)['cognito:groups'];

test('a group is made, read, changed and deleted', async () => {
  const RoleArn = 'arn:aws:iam::000000000000:role/readers';
  const GroupName = await group({ Description: 'Readers', Precedence: 5, RoleArn });
  const get = async () => (await cognito.send(new GetGroupCommand({ UserPoolId, GroupName }))).Group;
  const read = await get();
  assert.equal(read.GroupName, GroupName);
  assert.equal(read.UserPoolId, UserPoolId);
  assert.equal(read.Description, 'Readers');
  assert.equal(read.Precedence, 5);
  assert.equal(read.RoleArn, RoleArn);
  assert.ok(read.CreationDate instanceof Date);
  await cognito.send(new UpdateGroupCommand({ UserPoolId, GroupName, Precedence: 7 }));
  assert.equal((await get()).Precedence, 7);
  await fails(
    cognito.send(new CreateGroupCommand({ UserPoolId, GroupName })), 'GroupExistsException',
    'A group with the name already exists.',
  );
  await cognito.send(new DeleteGroupCommand({ UserPoolId, GroupName }));
  await fails(get(), 'ResourceNotFoundException');
});

test('membership is listed from both sides, is idempotent, and ends', async () => {
  const GroupName = await group();
  const Username = await createUser(cognito, UserPoolId);
  await add(GroupName, Username);
  await add(GroupName, Username);
  const members = async () => {
    const { Users } = await cognito.send(new ListUsersInGroupCommand({ UserPoolId, GroupName }));
    return Users.map((user) => user.Username);
  };
  const groupsOf = async () => {
    const { Groups } = await cognito.send(new AdminListGroupsForUserCommand({ UserPoolId, Username }));
    return Groups.map((each) => each.GroupName);
  };
  assert.deepEqual(await members(), [Username]);
  assert.deepEqual(await groupsOf(), [GroupName]);
  await cognito.send(new AdminRemoveUserFromGroupCommand({ UserPoolId, GroupName, Username }));
  assert.deepEqual(await members(), []);
  assert.deepEqual(await groupsOf(), []);
});

test('tokens carry groups, in order of precedence, roles with them, and follow changes at refresh', async () => {
  const role = (name) => `arn:aws:iam::000000000000:role/${name}`;
  const second = await group({ Precedence: 20, RoleArn: role('second') });
  const first = await group({ Precedence: 10, RoleArn: role('first') });
  const Username = await createUser(cognito, UserPoolId);
  const before = await signIn(cognito, client, Username);
  assert.equal(groupsIn(before.IdToken), undefined);
  assert.equal(groupsIn(before.AccessToken), undefined);
  await add(second, Username);
  await add(first, Username);
  const tokens = await refresh(cognito, client, before.RefreshToken);
  assert.deepEqual(groupsIn(tokens.IdToken), [first, second]);
  assert.deepEqual(groupsIn(tokens.AccessToken), [first, second]);
  const id = claimsOf(tokens.IdToken);
  assert.deepEqual([...id['cognito:roles']].sort(), [role('first'), role('second')]);
  assert.equal(id['cognito:preferred_role'], role('first'));
  await cognito.send(new DeleteGroupCommand({ UserPoolId, GroupName: first }));
  assert.deepEqual(groupsIn((await refresh(cognito, client, before.RefreshToken)).AccessToken), [second]);
});

test('lists page', async () => {
  const { Id } = await createPool(cognito);
  const made = ['a', 'b', 'c', 'd', 'e'];
  for (const GroupName of made) await cognito.send(new CreateGroupCommand({ UserPoolId: Id, GroupName }));
  const seen = [];
  let NextToken;
  do {
    const page = await cognito.send(new ListGroupsCommand({ UserPoolId: Id, Limit: 2, NextToken }));
    assert.ok(page.Groups.length <= 2);
    seen.push(...page.Groups.map((each) => each.GroupName));
    NextToken = page.NextToken;
  } while (NextToken);
  assert.deepEqual(seen.sort(), made);
});

test('unknown groups and users are not found', async () => {
  const Username = await createUser(cognito, UserPoolId);
  const GroupName = await group();
  await fails(add(anyName(), Username), 'ResourceNotFoundException');
  await fails(add(GroupName, anyName()), 'UserNotFoundException', 'User does not exist.');
  await fails(
    cognito.send(new ListUsersInGroupCommand({ UserPoolId, GroupName: anyName() })), 'ResourceNotFoundException',
  );
});
