import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminConfirmSignUpCommand,
  AdminCreateUserCommand,
  AdminDeleteUserCommand,
  AdminDisableUserCommand,
  AdminEnableUserCommand,
  AdminGetUserCommand,
  AdminInitiateAuthCommand,
  AdminRespondToAuthChallengeCommand,
  AdminSetUserPasswordCommand,
  AdminUpdateUserAttributesCommand,
  GetUserCommand,
  RespondToAuthChallengeCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, codeFor, createClient, createPool, createUser, password, refresh, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito, { Schema: [{ Name: 'given_name', Required: true, Mutable: true }] });
const client = await createClient(cognito, pool.Id);
const UserPoolId = pool.Id;
const temporary = 'Temporary-horse-1';

const create = (Username, settings = {}) =>
  cognito.send(
    new AdminCreateUserCommand({
      UserPoolId,
      Username,
      TemporaryPassword: temporary,
      MessageAction: 'SUPPRESS',
      UserAttributes: [{ Name: 'email', Value: `${Username}@example.com` }],
      ...settings,
    }),
  );
const get = (Username) => cognito.send(new AdminGetUserCommand({ UserPoolId, Username }));
const byName = (attributes) => Object.fromEntries(attributes.map(({ Name, Value }) => [Name, Value]));

test('a user made by an administrator sets a password, and the attributes that are required, at the first sign-in', async () => {
  const username = anyName('ann');
  const { User } = await create(username);
  assert.equal(User.UserStatus, 'FORCE_CHANGE_PASSWORD');
  assert.equal(User.Enabled, true);

  const challenge = await signIn(cognito, client, username, { pass: temporary });
  assert.equal(challenge.ChallengeName, 'NEW_PASSWORD_REQUIRED');
  assert.equal(challenge.ChallengeParameters.USER_ID_FOR_SRP, username);
  assert.equal(JSON.parse(challenge.ChallengeParameters.userAttributes).email, `${username}@example.com`);
  assert.deepEqual(JSON.parse(challenge.ChallengeParameters.requiredAttributes), ['userAttributes.given_name']);

  const respond = (Session, responses) =>
    cognito.send(
      new RespondToAuthChallengeCommand({
        ClientId: client.ClientId,
        ChallengeName: 'NEW_PASSWORD_REQUIRED',
        Session,
        ChallengeResponses: { USERNAME: username, ...responses },
      }),
    );
  await fails(respond(challenge.Session, { NEW_PASSWORD: 'weak', 'userAttributes.given_name': 'Ann' }), 'InvalidPasswordException');
  const again = await signIn(cognito, client, username, { pass: temporary });
  await fails(respond(again.Session, { NEW_PASSWORD: password }), 'InvalidParameterException');
  const third = await signIn(cognito, client, username, { pass: temporary });
  const { AuthenticationResult } = await respond(third.Session, {
    NEW_PASSWORD: password,
    'userAttributes.given_name': 'Ann',
  });
  assert.ok(AuthenticationResult.IdToken);
  const user = await get(username);
  assert.equal(user.UserStatus, 'CONFIRMED');
  assert.equal(byName(user.UserAttributes).given_name, 'Ann');
  await fails(signIn(cognito, client, username, { pass: temporary }), 'NotAuthorizedException', 'Incorrect username or password.');
  assert.ok((await signIn(cognito, client, username)).AccessToken);
});

test('a session is honoured once', async () => {
  const username = anyName('bob');
  await create(username);
  const { Session } = await signIn(cognito, client, username, { pass: temporary });
  const respond = () =>
    cognito.send(
      new RespondToAuthChallengeCommand({
        ClientId: client.ClientId,
        ChallengeName: 'NEW_PASSWORD_REQUIRED',
        Session,
        ChallengeResponses: { USERNAME: username, NEW_PASSWORD: password, 'userAttributes.given_name': 'Bob' },
      }),
    );
  await respond();
  await fails(respond(), 'NotAuthorizedException', /^Invalid session for the user/);
});

test('the same by the administrator\'s own sign-in', async () => {
  const username = anyName('cat');
  await create(username);
  const challenge = await cognito.send(
    new AdminInitiateAuthCommand({
      UserPoolId,
      ClientId: client.ClientId,
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: username, PASSWORD: temporary },
    }),
  );
  assert.equal(challenge.ChallengeName, 'NEW_PASSWORD_REQUIRED');
  const { AuthenticationResult } = await cognito.send(
    new AdminRespondToAuthChallengeCommand({
      UserPoolId,
      ClientId: client.ClientId,
      ChallengeName: 'NEW_PASSWORD_REQUIRED',
      Session: challenge.Session,
      ChallengeResponses: { USERNAME: username, NEW_PASSWORD: password, 'userAttributes.given_name': 'Cat' },
    }),
  );
  assert.ok(AuthenticationResult.RefreshToken);
});

test('the invitation carries the temporary password, and can be sent again', async () => {
  const username = anyName('dan');
  await create(username, { MessageAction: undefined, TemporaryPassword: undefined, DesiredDeliveryMediums: ['EMAIL'] });
  const first = await codeFor(lab, `${username}@example.com`);
  assert.equal((await signIn(cognito, client, username, { pass: first })).ChallengeName, 'NEW_PASSWORD_REQUIRED');
  await create(username, { MessageAction: 'RESEND', TemporaryPassword: undefined });
  const second = await codeFor(lab, `${username}@example.com`, { after: 1 });
  assert.equal((await signIn(cognito, client, username, { pass: second })).ChallengeName, 'NEW_PASSWORD_REQUIRED');
});

test('a name that is taken is refused, and somebody unknown is not found', async () => {
  const username = anyName('eve');
  await create(username);
  await fails(create(username), 'UsernameExistsException');
  await fails(get(anyName()), 'UserNotFoundException', 'User does not exist.');
  await fails(create(anyName(), { MessageAction: 'RESEND' }), 'UserNotFoundException');
  await fails(create(anyName(), { TemporaryPassword: 'weak' }), 'InvalidPasswordException');
});

test('an administrator confirms somebody who signed up', async () => {
  const username = anyName('fay');
  await cognito.send(
    new SignUpCommand({
      ClientId: client.ClientId,
      Username: username,
      Password: password,
      UserAttributes: [
        { Name: 'email', Value: `${username}@example.com` },
        { Name: 'given_name', Value: 'Fay' },
      ],
    }),
  );
  await cognito.send(new AdminConfirmSignUpCommand({ UserPoolId, Username: username }));
  const user = await get(username);
  assert.equal(user.UserStatus, 'CONFIRMED');
  assert.notEqual(byName(user.UserAttributes).email_verified, 'true');
  assert.ok((await signIn(cognito, client, username)).AccessToken);
});

test('a password that an administrator sets is temporary unless it is permanent', async () => {
  const username = await createUser(cognito, UserPoolId);
  const set = (Password, Permanent) =>
    cognito.send(new AdminSetUserPasswordCommand({ UserPoolId, Username: username, Password, Permanent }));
  await set('Another-horse-8', false);
  assert.equal((await get(username)).UserStatus, 'FORCE_CHANGE_PASSWORD');
  await set('Third-horse-9', true);
  assert.equal((await get(username)).UserStatus, 'CONFIRMED');
  assert.ok((await signIn(cognito, client, username, { pass: 'Third-horse-9' })).AccessToken);
  await fails(set('weak', true), 'InvalidPasswordException');
});

test('attributes that an administrator sets; an empty value removes one', async () => {
  const username = await createUser(cognito, UserPoolId);
  const update = (attributes) =>
    cognito.send(
      new AdminUpdateUserAttributesCommand({
        UserPoolId,
        Username: username,
        UserAttributes: Object.entries(attributes).map(([Name, Value]) => ({ Name, Value })),
      }),
    );
  await update({ nickname: 'Gus', email: 'gus@example.com', email_verified: 'true' });
  assert.equal(byName((await get(username)).UserAttributes).nickname, 'Gus');
  assert.equal(byName((await get(username)).UserAttributes).email_verified, 'true');
  await update({ nickname: '' });
  assert.equal(byName((await get(username)).UserAttributes).nickname, undefined);
  await fails(update({ shoe_size: '43' }), 'InvalidParameterException');
});

test('a disabled user has no sign-in, no refresh and no token, until enabled', async () => {
  const username = await createUser(cognito, UserPoolId);
  const { AccessToken, RefreshToken } = await signIn(cognito, client, username);
  await cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: username }));
  assert.equal((await get(username)).Enabled, false);
  await fails(signIn(cognito, client, username), 'NotAuthorizedException', 'User is disabled.');
  await fails(refresh(cognito, client, RefreshToken), 'NotAuthorizedException');
  await fails(cognito.send(new GetUserCommand({ AccessToken })), 'NotAuthorizedException');
  await cognito.send(new AdminEnableUserCommand({ UserPoolId, Username: username }));
  assert.ok((await signIn(cognito, client, username)).AccessToken);
});

test('a deleted user is gone, and the name is free again', async () => {
  const username = await createUser(cognito, UserPoolId);
  const { RefreshToken } = await signIn(cognito, client, username);
  await cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username: username }));
  await fails(get(username), 'UserNotFoundException');
  await fails(refresh(cognito, client, RefreshToken), 'NotAuthorizedException');
  await createUser(cognito, UserPoolId, { username });
  await fails(refresh(cognito, client, RefreshToken), 'NotAuthorizedException');
});
