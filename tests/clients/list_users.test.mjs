import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { AdminDisableUserCommand, ListUsersCommand } from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { createPool, createUser } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const { Id: UserPoolId } = await createPool(cognito);
const people = [];
for (let i = 0; i < 7; ++i) {
  const username = `person-${i}`;
  await createUser(cognito, UserPoolId, {
    username,
    attributes: {
      given_name: i % 2 === 0 ? 'Even' : 'Odd',
      family_name: 'Family "Quoted"',
      name: `Name ${i}`,
      preferred_username: `preferred-${i}`,
      phone_number: `+4930123450${i}`,
    },
  });
  people.push(username);
}

const list = (settings = {}) => cognito.send(new ListUsersCommand({ UserPoolId, ...settings }));
const names = async (settings) => (await list(settings)).Users.map((user) => user.Username).sort();
const attribute = (user, name) => user.Attributes.find((each) => each.Name === name)?.Value;

test('everybody is listed, with attributes and state', async () => {
  const { Users } = await list();
  assert.deepEqual(Users.map((user) => user.Username).sort(), people);
  const user = Users.find((each) => each.Username === 'person-3');
  assert.equal(attribute(user, 'email'), 'person-3@example.com');
  assert.equal(user.UserStatus, 'CONFIRMED');
  assert.equal(user.Enabled, true);
  assert.ok(user.UserCreateDate instanceof Date);
  assert.ok(user.UserLastModifiedDate instanceof Date);
});

test('pages are bounded and miss nobody', async () => {
  const seen = [];
  let PaginationToken;
  let pages = 0;
  do {
    const page = await list({ Limit: 3, PaginationToken });
    assert.ok(page.Users.length <= 3);
    seen.push(...page.Users.map((user) => user.Username));
    PaginationToken = page.PaginationToken;
    ++pages;
  } while (PaginationToken);
  assert.deepEqual(seen.sort(), people);
  assert.ok(pages >= 3);
});

test('AttributesToGet narrows what comes back', async () => {
  const { Users } = await list({ AttributesToGet: ['email'] });
  for (const user of Users) assert.deepEqual(user.Attributes.map((each) => each.Name), ['email']);
});

test('every searchable attribute is found by equality', async () => {
  const { Users } = await list({ Filter: 'username = "person-2"' });
  const sub = attribute(Users[0], 'sub');
  for (const filter of [
    `sub = "${sub}"`,
    'email = "person-2@example.com"',
    'phone_number = "+49301234502"',
    'name = "Name 2"',
    'preferred_username = "preferred-2"',
  ]) {
    assert.deepEqual(await names({ Filter: filter }), ['person-2'], filter);
  }
  assert.deepEqual(await names({ Filter: 'given_name = "Odd"' }), ['person-1', 'person-3', 'person-5']);
  assert.deepEqual(await names({ Filter: 'family_name = "Family \\"Quoted\\""' }), people);
  assert.deepEqual(await names({ Filter: 'cognito:user_status = "CONFIRMED"' }), people);
  assert.deepEqual(await names({ Filter: 'username = "nobody"' }), []);
});

test('the state filters by Enabled and Disabled', async () => {
  await cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'person-6' }));
  assert.deepEqual(await names({ Filter: 'status = "Disabled"' }), ['person-6']);
  assert.equal((await names({ Filter: 'status = "Enabled"' })).length, 6);
});

test('filtered lists page too', async () => {
  const seen = [];
  let PaginationToken;
  do {
    const page = await list({ Limit: 1, Filter: 'given_name = "Even"', PaginationToken });
    seen.push(...page.Users.map((user) => user.Username));
    PaginationToken = page.PaginationToken;
  } while (PaginationToken);
  assert.deepEqual(seen.sort(), ['person-0', 'person-2', 'person-4', 'person-6']);
});

test('wrong filters and tokens are refused', async () => {
  const refuse = (settings, message) => fails(list(settings), 'InvalidParameterException', message);
  await refuse({ Filter: 'custom:foo = "x"' }, /Invalid search attribute: custom:foo/);
  await refuse({ Filter: 'email' }, /parsing filter/);
  await refuse({ Filter: 'email = person' }, /parsing filter/);
  await refuse({ Filter: 'email = "a" and name = "b"' }, /parsing filter/);
  await refuse({ Limit: 61 });
  await refuse({ PaginationToken: 'no-such-token' });
});
