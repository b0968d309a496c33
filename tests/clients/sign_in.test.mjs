import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminCreateUserCommand,
  AdminInitiateAuthCommand,
  GetUserCommand,
  InitiateAuthCommand,
  RespondToAuthChallengeCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as Identity from 'amazon-cognito-identity-js';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, claimsOf, codeFor, createClient, createPool, createUser, password, secretHash, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito);
const client = await createClient(cognito, pool.Id);

// amazon-cognito-identity-js, as a browser would use it.
function identityPool(appClient = client, poolId = pool.Id) {
  return new Identity.CognitoUserPool({ UserPoolId: poolId, ClientId: appClient.ClientId, endpoint: lab.primary.api });
}
const identityUser = (Username, appClient, poolId) =>
  new Identity.CognitoUser({ Username, Pool: identityPool(appClient, poolId) });
function authenticate(user, pass, newPassword) {
  const details = new Identity.AuthenticationDetails({ Username: user.getUsername(), Password: pass });
  return new Promise((resolve, reject) => {
    const callbacks = {
      onSuccess: resolve,
      onFailure: reject,
      newPasswordRequired: () =>
        newPassword === undefined
          ? reject(new Error('a new password is asked for'))
          : user.completeNewPasswordChallenge(newPassword, {}, callbacks),
    };
    user.authenticateUser(details, callbacks);
  });
}
// AWS's exact words for these are not known.
const refused = (call) =>
  assert.rejects(call, (error) => ['NotAuthorizedException', 'InvalidParameterException'].includes(error.name));
const promised = (call) =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));

test('the password flow, by its three doors', async () => {
  const username = await createUser(cognito, pool.Id);
  const direct = await signIn(cognito, client, username);
  assert.equal(direct.TokenType, 'Bearer');
  assert.equal(direct.ExpiresIn, 3600);
  for (const AuthFlow of ['ADMIN_USER_PASSWORD_AUTH', 'ADMIN_NO_SRP_AUTH']) {
    const { AuthenticationResult } = await cognito.send(
      new AdminInitiateAuthCommand({
        UserPoolId: pool.Id,
        ClientId: client.ClientId,
        AuthFlow,
        AuthParameters: { USERNAME: username, PASSWORD: password },
      }),
    );
    assert.equal(claimsOf(AuthenticationResult.AccessToken).username, username);
  }
});

test('a wrong password is refused in the same words by every flow', async () => {
  const username = await createUser(cognito, pool.Id);
  await fails(signIn(cognito, client, username, { pass: 'Wrong-horse-7' }), 'NotAuthorizedException', 'Incorrect username or password.');
  await fails(authenticate(identityUser(username), 'Wrong-horse-7'), 'NotAuthorizedException', 'Incorrect username or password.');
});

test('amazon-cognito-identity-js signs up, confirms, signs in by SRP, refreshes and signs out', async () => {
  const username = anyName('srp');
  const email = new Identity.CognitoUserAttribute({ Name: 'email', Value: `${username}@example.com` });
  await promised((done) => identityPool().signUp(username, password, [email], [], done));
  const user = identityUser(username);
  await fails(authenticate(user, password), 'UserNotConfirmedException', 'User is not confirmed.');
  const code = await codeFor(lab, `${username}@example.com`);
  await promised((done) => user.confirmRegistration(code, false, done));

  const session = await authenticate(user, password);
  assert.equal(session.isValid(), true);
  assert.equal(session.getIdToken().payload['cognito:username'], username);
  const attributes = await promised((done) => user.getUserAttributes(done));
  assert.equal(attributes.find((each) => each.getName() === 'email').getValue(), `${username}@example.com`);

  const refreshed = await promised((done) => user.refreshSession(session.getRefreshToken(), done));
  assert.notEqual(refreshed.getAccessToken().getJwtToken(), session.getAccessToken().getJwtToken());
  assert.equal(refreshed.getIdToken().payload.sub, session.getIdToken().payload.sub);

  await promised((done) => user.changePassword(password, 'Another-horse-8', done));
  await assert.rejects(authenticate(identityUser(username), password));
  await authenticate(identityUser(username), 'Another-horse-8');
});

test('SRP works with passwords and names beyond ASCII, many times over', async () => {
  const username = `Jürgen-${anyName('ß')}`;
  const pass = 'Pferd-🐎-Größe-7';
  await createUser(cognito, pool.Id, { username, pass, attributes: { email: 'juergen@example.com' } });
  // Each run draws other salts' and keys' leading bytes; a padding mistake would show in some of them.
  for (let i = 0; i < 12; ++i) assert.equal((await authenticate(identityUser(username), pass)).isValid(), true);
});

test('SRP by e-mail address continues with the user\'s own name', async () => {
  const byEmail = await createPool(cognito, { UsernameAttributes: ['email'] });
  const emailClient = await createClient(cognito, byEmail.Id);
  const address = `${anyName('eve')}@example.com`;
  await createUser(cognito, byEmail.Id, { username: address, attributes: { email: address } });
  const session = await authenticate(identityUser(address, emailClient, byEmail.Id), password);
  assert.equal(session.getIdToken().payload['cognito:username'], session.getIdToken().payload.sub);
});

test('SRP leads to NEW_PASSWORD_REQUIRED where it must', async () => {
  const username = anyName('new');
  await cognito.send(
    new AdminCreateUserCommand({
      UserPoolId: pool.Id, Username: username, TemporaryPassword: 'Temporary-horse-1', MessageAction: 'SUPPRESS',
    }),
  );
  await authenticate(identityUser(username), 'Temporary-horse-1', 'Another-horse-8');
  await authenticate(identityUser(username), 'Another-horse-8');
});

test('an SRP exchange that is out of range, altered or stale is refused', async () => {
  const username = await createUser(cognito, pool.Id);
  const start = (SRP_A) =>
    cognito.send(
      new InitiateAuthCommand({
        AuthFlow: 'USER_SRP_AUTH', ClientId: client.ClientId, AuthParameters: { USERNAME: username, SRP_A },
      }),
    );
  // Congruent to zero modulo the group's prime: the proof would not depend on the password.
  const prime = new Identity.AuthenticationHelper(pool.Id.split('_')[1]).N.toString(16);
  for (const A of ['0', prime, 'not hexadecimal']) await refused(start(A));
  const challenge = await start('12345678901234567890');
  assert.equal(challenge.ChallengeName, 'PASSWORD_VERIFIER');
  const { SALT, SRP_B, SECRET_BLOCK, USER_ID_FOR_SRP } = challenge.ChallengeParameters;
  assert.match(SALT, /^[1-9a-f][0-9a-f]*$/);
  assert.match(SRP_B, /^[1-9a-f][0-9a-f]*$/);
  assert.equal(USER_ID_FOR_SRP, username);
  const respond = (responses) =>
    cognito.send(
      new RespondToAuthChallengeCommand({
        ClientId: client.ClientId,
        ChallengeName: 'PASSWORD_VERIFIER',
        ChallengeResponses: {
          USERNAME: username,
          PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
          PASSWORD_CLAIM_SIGNATURE: Buffer.alloc(32).toString('base64'),
          TIMESTAMP: 'Tue Nov 3 09:05:07 UTC 2026',
          ...responses,
        },
      }),
    );
  await fails(respond({}), 'NotAuthorizedException');
  const altered = Buffer.from(SECRET_BLOCK, 'base64');
  altered[altered.length - 1] ^= 1;
  await fails(respond({ PASSWORD_CLAIM_SECRET_BLOCK: altered.toString('base64') }), 'NotAuthorizedException');
  await refused(respond({ TIMESTAMP: 'yesterday' }));
});

test('with a client secret every step needs the hash of the name it uses', async () => {
  const secret = await createClient(cognito, pool.Id, { GenerateSecret: true });
  const username = await createUser(cognito, pool.Id);
  const start = (hash) =>
    cognito.send(
      new InitiateAuthCommand({
        AuthFlow: 'USER_SRP_AUTH',
        ClientId: secret.ClientId,
        AuthParameters: { USERNAME: username, SRP_A: '12345678901234567890', ...hash },
      }),
    );
  await fails(start({}), 'NotAuthorizedException', /SECRET_HASH was not received/);
  assert.equal((await start({ SECRET_HASH: secretHash(secret, username) })).ChallengeName, 'PASSWORD_VERIFIER');
});

test('tokens say who, for whom and by whom', async () => {
  const username = await createUser(cognito, pool.Id, { attributes: { name: 'Ann', phone_number: '+4930123456' } });
  const before = Math.floor(Date.now() / 1000) - 1;
  const { AccessToken, IdToken, RefreshToken } = await signIn(cognito, client, username);
  const access = claimsOf(AccessToken);
  const id = claimsOf(IdToken);
  const issuer = `${lab.primary.api}/${pool.Id}`;
  assert.equal(access.iss, issuer);
  assert.equal(id.iss, issuer);
  assert.equal(access.token_use, 'access');
  assert.equal(id.token_use, 'id');
  assert.equal(access.client_id, client.ClientId);
  assert.equal(access.aud, undefined);
  assert.equal(id.aud, client.ClientId);
  assert.equal(access.username, username);
  assert.equal(id['cognito:username'], username);
  assert.equal(access.sub, id.sub);
  assert.equal(access.scope, 'aws.cognito.signin.user.admin');
  assert.equal(access.origin_jti, id.origin_jti);
  assert.notEqual(access.jti, id.jti);
  assert.ok(access.auth_time >= before && access.iat >= before && access.exp === access.iat + 3600);
  assert.equal(id.email, `${username}@example.com`);
  assert.equal(id.email_verified, true);
  assert.equal(id.name, 'Ann');
  assert.match(RefreshToken, /^[A-Za-z0-9-_=.]+$/);
  assert.equal(RefreshToken.split('.').length, 5);
  const user = await cognito.send(new GetUserCommand({ AccessToken }));
  assert.equal(user.Username, username);
});
