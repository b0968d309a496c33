// What people do for themselves: sign up, confirm, recover, change.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminGetUserCommand,
  ChangePasswordCommand,
  ConfirmForgotPasswordCommand,
  ConfirmSignUpCommand,
  DeleteUserCommand,
  ForgotPasswordCommand,
  GetUserCommand,
  ResendConfirmationCodeCommand,
  SignUpCommand,
  UpdateUserAttributesCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, codeFor, createClient, createPool, createUser, password, secretHash, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito, {
  Schema: [
    { Name: 'tenant', AttributeDataType: 'String', Mutable: false, StringAttributeConstraints: { MaxLength: '8' } },
    { Name: 'level', AttributeDataType: 'Number', Mutable: true, NumberAttributeConstraints: { MinValue: '1', MaxValue: '9' } },
  ],
});
const client = await createClient(cognito, pool.Id);
const ClientId = client.ClientId;

const emailOf = (username) => `${username}@example.com`;
const signUp = (username, settings = {}) =>
  cognito.send(
    new SignUpCommand({
      ClientId,
      Username: username,
      Password: password,
      UserAttributes: [{ Name: 'email', Value: emailOf(username) }],
      ...settings,
    }),
  );
const statusOf = async (username) =>
  (await cognito.send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username: username }))).UserStatus;

test('sign up, confirm with the code that was sent, sign in', async () => {
  const username = anyName('ann');
  const answer = await signUp(username);
  assert.equal(answer.UserConfirmed, false);
  assert.match(answer.UserSub, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(answer.CodeDeliveryDetails.DeliveryMedium, 'EMAIL');
  assert.equal(answer.CodeDeliveryDetails.AttributeName, 'email');
  assert.match(answer.CodeDeliveryDetails.Destination, /^a\*\*\*@e\*\*\*$/);
  assert.equal(await statusOf(username), 'UNCONFIRMED');
  await fails(signIn(cognito, client, username), 'UserNotConfirmedException', 'User is not confirmed.');

  const code = await codeFor(lab, emailOf(username));
  assert.match(code, /^\d{6}$/);
  const wrong = code === '000000' ? '111111' : '000000';
  const confirm = (ConfirmationCode) =>
    cognito.send(new ConfirmSignUpCommand({ ClientId, Username: username, ConfirmationCode }));
  await fails(confirm(wrong), 'CodeMismatchException', 'Invalid verification code provided, please try again.');
  await confirm(code);
  assert.equal(await statusOf(username), 'CONFIRMED');
  await fails(confirm(code), 'NotAuthorizedException');

  const { AccessToken } = await signIn(cognito, client, username);
  const user = await cognito.send(new GetUserCommand({ AccessToken }));
  assert.equal(user.Username, username);
  const attributes = Object.fromEntries(user.UserAttributes.map(({ Name, Value }) => [Name, Value]));
  assert.deepEqual(attributes, { sub: answer.UserSub, email: emailOf(username), email_verified: 'true' });
});

test('a name that is taken is refused, also when it is not confirmed', async () => {
  const username = anyName('bob');
  await signUp(username);
  await fails(signUp(username), 'UsernameExistsException', 'User already exists');
});

test('a password against the policy is refused at sign-up', async () => {
  for (const Password of ['Short-7', 'nouppercase-7', 'NOLOWERCASE-7', 'No-number-here', 'NoSymbol77']) {
    await fails(signUp(anyName(), { Password }), 'InvalidPasswordException', /^Password did not conform with policy: /);
  }
});

test('attributes that the schema does not allow are refused', async () => {
  const attributes = (UserAttributes) => signUp(anyName(), { UserAttributes });
  await fails(attributes([{ Name: 'custom:unknown', Value: 'x' }]), 'InvalidParameterException');
  await fails(attributes([{ Name: 'custom:tenant', Value: 'longer than 8' }]), 'InvalidParameterException');
  await fails(attributes([{ Name: 'custom:level', Value: '10' }]), 'InvalidParameterException');
  await fails(attributes([{ Name: 'custom:level', Value: 'many' }]), 'InvalidParameterException');
  await fails(attributes([{ Name: 'email', Value: 'no address' }]), 'InvalidParameterException');
});

test('an unconfirmed person gets another code, a confirmed one does not', async () => {
  const username = anyName('cat');
  await signUp(username);
  const first = await codeFor(lab, emailOf(username));
  const resend = () => cognito.send(new ResendConfirmationCodeCommand({ ClientId, Username: username }));
  const { CodeDeliveryDetails } = await resend();
  assert.equal(CodeDeliveryDetails.DeliveryMedium, 'EMAIL');
  const second = await codeFor(lab, emailOf(username), { after: 1 });
  assert.match(first, /^\d{6}$/);
  await cognito.send(new ConfirmSignUpCommand({ ClientId, Username: username, ConfirmationCode: second }));
  await fails(resend(), 'InvalidParameterException');
});

test('a forgotten password is replaced with a code, and the old one and old sessions end', async () => {
  const username = await createUser(cognito, pool.Id);
  const { AccessToken } = await signIn(cognito, client, username);
  const { CodeDeliveryDetails } = await cognito.send(new ForgotPasswordCommand({ ClientId, Username: username }));
  assert.equal(CodeDeliveryDetails.DeliveryMedium, 'EMAIL');
  const code = await codeFor(lab, emailOf(username));
  const confirm = (ConfirmationCode, Password = 'Another-horse-8') =>
    cognito.send(new ConfirmForgotPasswordCommand({ ClientId, Username: username, ConfirmationCode, Password }));
  await fails(confirm(code === '000000' ? '111111' : '000000'), 'CodeMismatchException');
  await fails(confirm(code, 'short'), 'InvalidPasswordException');
  await confirm(code);
  await fails(confirm(code), 'ExpiredCodeException', 'Invalid code provided, please request a code again.');
  await fails(signIn(cognito, client, username), 'NotAuthorizedException', 'Incorrect username or password.');
  assert.ok((await signIn(cognito, client, username, { pass: 'Another-horse-8' })).AccessToken);
  assert.ok(AccessToken);
});

test('a password is not reset for somebody without a verified address', async () => {
  const username = await createUser(cognito, pool.Id, { attributes: { email_verified: 'false' } });
  await fails(
    cognito.send(new ForgotPasswordCommand({ ClientId, Username: username })), 'InvalidParameterException',
    'Cannot reset password for the user as there is no registered/verified email or phone_number',
  );
});

test('a person changes the password with the old one', async () => {
  const username = await createUser(cognito, pool.Id);
  const { AccessToken } = await signIn(cognito, client, username);
  const change = (PreviousPassword, ProposedPassword) =>
    cognito.send(new ChangePasswordCommand({ AccessToken, PreviousPassword, ProposedPassword }));
  await fails(change('Wrong-horse-7', 'Another-horse-8'), 'NotAuthorizedException', 'Incorrect username or password.');
  await fails(change(password, 'weak'), 'InvalidPasswordException');
  await change(password, 'Another-horse-8');
  await fails(signIn(cognito, client, username), 'NotAuthorizedException', 'Incorrect username or password.');
  assert.ok((await signIn(cognito, client, username, { pass: 'Another-horse-8' })).AccessToken);
});

test('a person changes attributes; a changed address must be verified again', async () => {
  const username = await createUser(cognito, pool.Id, { attributes: { 'custom:tenant': 'acme' } });
  const { AccessToken } = await signIn(cognito, client, username);
  const update = (attributes) =>
    cognito.send(
      new UpdateUserAttributesCommand({
        AccessToken,
        UserAttributes: Object.entries(attributes).map(([Name, Value]) => ({ Name, Value })),
      }),
    );
  const read = async () => {
    const { UserAttributes } = await cognito.send(new GetUserCommand({ AccessToken }));
    return Object.fromEntries(UserAttributes.map(({ Name, Value }) => [Name, Value]));
  };
  assert.deepEqual((await update({ name: 'Ann Example', 'custom:level': '3' })).CodeDeliveryDetailsList ?? [], []);
  assert.equal((await read()).name, 'Ann Example');
  const { CodeDeliveryDetailsList } = await update({ email: `new-${emailOf(username)}` });
  assert.equal(CodeDeliveryDetailsList[0].AttributeName, 'email');
  assert.equal((await read()).email, `new-${emailOf(username)}`);
  assert.equal((await read()).email_verified, 'false');
  await update({ name: '' });
  assert.equal((await read()).name, undefined);
  await fails(update({ 'custom:tenant': 'other' }), 'InvalidParameterException');
  await fails(update({ email_verified: 'true' }), 'NotAuthorizedException');
});

test('attributes that the client may not write are refused', async () => {
  const username = await createUser(cognito, pool.Id);
  const narrow = await createClient(cognito, pool.Id, { WriteAttributes: ['name'] });
  const { AccessToken } = await signIn(cognito, narrow, username);
  const update = (Name) =>
    cognito.send(new UpdateUserAttributesCommand({ AccessToken, UserAttributes: [{ Name, Value: 'x' }] }));
  await update('name');
  await fails(update('nickname'), 'NotAuthorizedException');
});

test('a person who deleted the account is gone, with the token', async () => {
  const username = await createUser(cognito, pool.Id);
  const { AccessToken } = await signIn(cognito, client, username);
  await cognito.send(new DeleteUserCommand({ AccessToken }));
  await fails(cognito.send(new GetUserCommand({ AccessToken })), 'UserNotFoundException');
  await fails(signIn(cognito, client, username), 'UserNotFoundException', 'User does not exist.');
});

test('public calls of a client with a secret need its hash', async () => {
  const secret = await createClient(cognito, pool.Id, { GenerateSecret: true });
  const username = anyName('dan');
  const withSecret = (SecretHash) => signUp(username, { ClientId: secret.ClientId, SecretHash });
  await fails(withSecret(undefined), 'NotAuthorizedException', /SECRET_HASH was not received/);
  await fails(withSecret(Buffer.alloc(32).toString('base64')), 'NotAuthorizedException', /Unable to verify secret hash/);
  await withSecret(secretHash(secret, username));
});

test('where only administrators may make users, sign-up is refused', async () => {
  const closed = await createPool(cognito, { AdminCreateUserConfig: { AllowAdminCreateUserOnly: true } });
  const closedClient = await createClient(cognito, closed.Id);
  await fails(
    signUp(anyName(), { ClientId: closedClient.ClientId }), 'NotAuthorizedException',
    'SignUp is not permitted for this user pool',
  );
});

test('where the e-mail address is the name, sub becomes the user name and the address signs in', async () => {
  const byEmail = await createPool(cognito, { UsernameAttributes: ['email'], UsernameConfiguration: { CaseSensitive: false } });
  const emailClient = await createClient(cognito, byEmail.Id);
  const address = `${anyName('eve')}@example.com`;
  await fails(signUp('no-address', { ClientId: emailClient.ClientId }), 'InvalidParameterException', /email/);
  const { UserSub } = await signUp(address, { ClientId: emailClient.ClientId, UserAttributes: [] });
  const code = await codeFor(lab, address);
  await cognito.send(new ConfirmSignUpCommand({ ClientId: emailClient.ClientId, Username: address, ConfirmationCode: code }));
  const { AccessToken } = await signIn(cognito, emailClient, address.toUpperCase());
  const user = await cognito.send(new GetUserCommand({ AccessToken }));
  assert.equal(user.Username, UserSub);
  await fails(
    signUp(address, { ClientId: emailClient.ClientId, UserAttributes: [] }), 'UsernameExistsException',
  );
});

test('an alias signs in once it is verified, and belongs to one person', async () => {
  const aliases = await createPool(cognito, { AliasAttributes: ['email'] });
  const aliasClient = await createClient(cognito, aliases.Id);
  const first = anyName('fay');
  const second = anyName('gus');
  const address = emailOf(first);
  const join = async (username, seen) => {
    await signUp(username, { ClientId: aliasClient.ClientId, UserAttributes: [{ Name: 'email', Value: address }] });
    return codeFor(lab, address, { after: seen });
  };
  const confirm = (Username, ConfirmationCode, more = {}) =>
    cognito.send(new ConfirmSignUpCommand({ ClientId: aliasClient.ClientId, Username, ConfirmationCode, ...more }));
  await confirm(first, await join(first, 0));
  assert.ok((await signIn(cognito, aliasClient, address)).AccessToken);
  const code = await join(second, 1);
  await fails(confirm(second, code), 'AliasExistsException');
  await confirm(second, code, { ForceAliasCreation: true });
  const { AccessToken } = await signIn(cognito, aliasClient, address);
  assert.equal((await cognito.send(new GetUserCommand({ AccessToken }))).Username, second);
});
