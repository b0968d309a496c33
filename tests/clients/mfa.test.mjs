// Sign-in with an authenticator app, as the AWS SDK and amazon-cognito-identity-js lead people through it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminDeleteSoftwareTokenCommand,
  AdminGetUserAuthFactorsCommand,
  AdminGetUserCommand,
  AdminInitiateAuthCommand,
  AdminRespondToAuthChallengeCommand,
  AdminSetUserMFAPreferenceCommand,
  AssociateSoftwareTokenCommand,
  CreateUserPoolCommand,
  DescribeUserPoolCommand,
  GetUserCommand,
  GetUserPoolMfaConfigCommand,
  RespondToAuthChallengeCommand,
  SetUserMFAPreferenceCommand,
  SetUserPoolMfaConfigCommand,
  UpdateUserPoolCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as Identity from 'amazon-cognito-identity-js';
import { Authenticator } from '../lib/authenticator.mjs';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { claimsOf, createClient, createPool, createUser, password, secretHash, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
// A busy machine may be short of RSA keys for new pools for a while; the SDK tries again.
const cognito = lab.cognito(lab.primary.name, { maxAttempts: 4 });
after(() => lab.release());

async function poolWith(MfaConfiguration) {
  const pool = await createPool(cognito);
  await cognito.send(
    new SetUserPoolMfaConfigCommand({
      UserPoolId: pool.Id, MfaConfiguration, SoftwareTokenMfaConfiguration: { Enabled: true },
    }),
  );
  return { pool, client: await createClient(cognito, pool.Id) };
}
const optional = await poolWith('OPTIONAL');
const required = await poolWith('ON');

// The authenticator of a user who is signed in.
async function enrol(AccessToken, FriendlyDeviceName) {
  const { SecretCode } = await cognito.send(new AssociateSoftwareTokenCommand({ AccessToken }));
  assert.match(SecretCode, /^[A-Z2-7]{32,}$/);
  const authenticator = new Authenticator(SecretCode);
  const { Status } = await cognito.send(
    new VerifySoftwareTokenCommand({ AccessToken, UserCode: authenticator.code(), FriendlyDeviceName }),
  );
  assert.equal(Status, 'SUCCESS');
  await cognito.send(
    new SetUserMFAPreferenceCommand({ AccessToken, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } }),
  );
  return authenticator;
}

const respond = ({ client }, ChallengeName, Session, responses) =>
  cognito.send(
    new RespondToAuthChallengeCommand({
      ClientId: client.ClientId, ChallengeName, Session, ChallengeResponses: responses,
    }),
  );
const answer = (where, challenge, username, code) =>
  respond(where, 'SOFTWARE_TOKEN_MFA', challenge.Session, { USERNAME: username, SOFTWARE_TOKEN_MFA_CODE: code });

test('a user enrols, signs in with a code once, and no code works twice', async () => {
  const username = await createUser(cognito, optional.pool.Id);
  const { AccessToken } = await signIn(cognito, optional.client, username);
  await fails(
    cognito.send(new SetUserMFAPreferenceCommand({ AccessToken, SoftwareTokenMfaSettings: { Enabled: true } })),
    'InvalidParameterException',
    'User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA',
  );
  const authenticator = await enrol(AccessToken, 'a phone');
  const user = await cognito.send(new GetUserCommand({ AccessToken }));
  assert.deepEqual(user.UserMFASettingList, ['SOFTWARE_TOKEN_MFA']);
  assert.equal(user.PreferredMfaSetting, 'SOFTWARE_TOKEN_MFA');

  const challenge = await signIn(cognito, optional.client, username);
  assert.equal(challenge.ChallengeName, 'SOFTWARE_TOKEN_MFA');
  assert.equal(challenge.ChallengeParameters.FRIENDLY_DEVICE_NAME, 'a phone');
  assert.equal(challenge.ChallengeParameters.USER_ID_FOR_SRP, username);
  await fails(
    answer(optional, challenge, username, authenticator.wrongCode()),
    'CodeMismatchException',
    'Invalid code received for user',
  );
  const code = authenticator.code();
  const { AuthenticationResult } = await answer(optional, challenge, username, code);
  assert.equal(claimsOf(AuthenticationResult.AccessToken).username, username);
  await fails(
    answer(optional, challenge, username, code),
    'NotAuthorizedException',
    'Invalid session for the user, session can only be used once.',
  );
  await fails(
    answer(optional, await signIn(cognito, optional.client, username), username, code),
    'ExpiredCodeException',
    'Your software token has already been used once.',
  );
});

test('a pool that requires MFA leads a new user through setup', async () => {
  const username = await createUser(cognito, required.pool.Id);
  const challenge = await signIn(cognito, required.client, username);
  assert.equal(challenge.ChallengeName, 'MFA_SETUP');
  assert.deepEqual(JSON.parse(challenge.ChallengeParameters.MFAS_CAN_SETUP), ['SOFTWARE_TOKEN_MFA']);
  const { SecretCode, Session } = await cognito.send(
    new AssociateSoftwareTokenCommand({ Session: challenge.Session }),
  );
  const authenticator = new Authenticator(SecretCode);
  await fails(
    cognito.send(new VerifySoftwareTokenCommand({ Session, UserCode: authenticator.wrongCode() })),
    'EnableSoftwareTokenMFAException',
  );
  const verified = await cognito.send(new VerifySoftwareTokenCommand({ Session, UserCode: authenticator.code() }));
  assert.equal(verified.Status, 'SUCCESS');
  const { AuthenticationResult } = await respond(required, 'MFA_SETUP', verified.Session, { USERNAME: username });
  assert.ok(AuthenticationResult.RefreshToken);

  const next = await signIn(cognito, required.client, username);
  assert.ok((await answer(required, next, username, authenticator.code())).AuthenticationResult.AccessToken);
});

test('an administrator takes a lost authenticator away', async () => {
  const username = await createUser(cognito, required.pool.Id);
  const of = { UserPoolId: required.pool.Id, Username: username };
  const setup = await signIn(cognito, required.client, username);
  const { SecretCode, Session } = await cognito.send(new AssociateSoftwareTokenCommand({ Session: setup.Session }));
  const authenticator = new Authenticator(SecretCode);
  await cognito.send(new VerifySoftwareTokenCommand({ Session, UserCode: authenticator.code() }));

  // Where MFA is required the preference alone changes nothing.
  await cognito.send(new AdminSetUserMFAPreferenceCommand({ ...of, SoftwareTokenMfaSettings: { Enabled: false } }));
  const challenge = await cognito.send(
    new AdminInitiateAuthCommand({
      UserPoolId: required.pool.Id,
      ClientId: required.client.ClientId,
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: username, PASSWORD: password },
    }),
  );
  assert.equal(challenge.ChallengeName, 'SOFTWARE_TOKEN_MFA');
  const admin = await cognito.send(
    new AdminRespondToAuthChallengeCommand({
      UserPoolId: required.pool.Id,
      ClientId: required.client.ClientId,
      ChallengeName: 'SOFTWARE_TOKEN_MFA',
      Session: challenge.Session,
      ChallengeResponses: { USERNAME: username, SOFTWARE_TOKEN_MFA_CODE: authenticator.code() },
    }),
  );
  assert.ok(admin.AuthenticationResult.IdToken);
  await cognito.send(new AdminDeleteSoftwareTokenCommand(of));
  assert.equal((await signIn(cognito, required.client, username)).ChallengeName, 'MFA_SETUP');
  const factors = await cognito.send(new AdminGetUserAuthFactorsCommand(of));
  assert.deepEqual(factors.ConfiguredUserAuthFactors, ['PASSWORD']);
  assert.equal((await cognito.send(new AdminGetUserCommand(of))).PreferredMfaSetting, undefined);
});

test('with a client secret the answer needs the hash', async () => {
  const client = await createClient(cognito, optional.pool.Id, { GenerateSecret: true });
  const username = await createUser(cognito, optional.pool.Id);
  const authenticator = await enrol((await signIn(cognito, client, username)).AccessToken);
  const challenge = await signIn(cognito, client, username);
  const where = { client };
  const responses = { USERNAME: username, SOFTWARE_TOKEN_MFA_CODE: authenticator.code() };
  await fails(respond(where, 'SOFTWARE_TOKEN_MFA', challenge.Session, responses), 'NotAuthorizedException', /SECRET_HASH/);
  const { AuthenticationResult } = await respond(where, 'SOFTWARE_TOKEN_MFA', challenge.Session, {
    ...responses, SECRET_HASH: secretHash(client, username),
  });
  assert.ok(AuthenticationResult.AccessToken);
});

test('a right password does not win back the guesses at codes', async () => {
  const username = await createUser(cognito, optional.pool.Id);
  const authenticator = await enrol((await signIn(cognito, optional.client, username)).AccessToken);
  // Guess after guess, each with a right password before it. Locks double from a second on, so that sooner or later one
  // outlasts the next attempt, however slow the machine.
  const outcomes = [];
  while (outcomes.length < 14 && !outcomes.at(-1)?.startsWith('NotAuthorizedException')) {
    await signIn(cognito, optional.client, username)
      .then((challenge) => answer(optional, challenge, username, authenticator.wrongCode()))
      .then(() => outcomes.push('signed in'))
      .catch((error) => outcomes.push(`${error.name}: ${error.message}`));
  }
  assert.deepEqual(outcomes.slice(0, 5), Array(5).fill('CodeMismatchException: Invalid code received for user'));
  assert.equal(outcomes.at(-1), 'NotAuthorizedException: Password attempts exceeded');
});

test('the setting of the pool follows AWS\'s rules', async () => {
  const pool = await createPool(cognito);
  const config = () => cognito.send(new GetUserPoolMfaConfigCommand({ UserPoolId: pool.Id }));
  const set = (settings) => cognito.send(new SetUserPoolMfaConfigCommand({ UserPoolId: pool.Id, ...settings }));
  assert.equal((await config()).MfaConfiguration, 'OFF');
  for (const MfaConfiguration of ['ON', 'OPTIONAL']) {
    await fails(set({ MfaConfiguration }), 'InvalidParameterException', /Software Token MFA must be enabled/);
    await fails(
      cognito.send(new CreateUserPoolCommand({ PoolName: 'p', MfaConfiguration })), 'InvalidParameterException',
    );
    await fails(
      cognito.send(new UpdateUserPoolCommand({ UserPoolId: pool.Id, MfaConfiguration })), 'InvalidParameterException',
    );
  }
  await fails(
    set({ SoftwareTokenMfaConfiguration: { Enabled: false } }),
    'InvalidParameterException',
    "Invalid MFA configuration given, can't turn off MFA and configure an MFA together.",
  );
  await set({ MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration: { Enabled: true } });
  await cognito.send(new UpdateUserPoolCommand({ UserPoolId: pool.Id, MfaConfiguration: 'ON' }));
  const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }));
  assert.equal(UserPool.MfaConfiguration, 'ON');
  assert.equal((await config()).SoftwareTokenMfaConfiguration.Enabled, true);
  await set({ MfaConfiguration: 'OFF' });
  const off = await config();
  assert.equal(off.MfaConfiguration, 'OFF');
  assert.equal(off.SoftwareTokenMfaConfiguration, undefined);
});

// ---- amazon-cognito-identity-js ----

const identityUser = ({ pool, client }, Username) =>
  new Identity.CognitoUser({
    Username,
    Pool: new Identity.CognitoUserPool({ UserPoolId: pool.Id, ClientId: client.ClientId, endpoint: lab.primary.api }),
  });
const promised = (call) =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));
const associated = (user) =>
  new Promise((resolve, reject) => user.associateSoftwareToken({ associateSecretCode: resolve, onFailure: reject }));

// By SRP; `code` gives the code that is asked for, `setup` sets an authenticator up and gives its first code.
function authenticate(user, { code, setup } = {}) {
  const details = new Identity.AuthenticationDetails({ Username: user.getUsername(), Password: password });
  return new Promise((resolve, reject) => {
    const callbacks = {
      onSuccess: resolve,
      onFailure: reject,
      totpRequired: () => (code ? user.sendMFACode(code(), callbacks, 'SOFTWARE_TOKEN_MFA') : reject(new Error('a code is asked for'))),
      mfaSetup: () =>
        setup
          ? associated(user).then((secret) => user.verifySoftwareToken(setup(secret), 'a phone', callbacks), reject)
          : reject(new Error('setup is asked for')),
    };
    user.authenticateUser(details, callbacks);
  });
}

test('amazon-cognito-identity-js enrols, prefers and signs in by SRP and code', async () => {
  const username = await createUser(cognito, optional.pool.Id);
  const user = identityUser(optional, username);
  await authenticate(user);
  const authenticator = new Authenticator(await associated(user));
  await new Promise((onSuccess, onFailure) =>
    user.verifySoftwareToken(authenticator.code(), 'a phone', { onSuccess, onFailure }),
  );
  await promised((done) => user.setUserMfaPreference(null, { PreferredMfa: true, Enabled: true }, done));
  const shown = await promised((done) => user.getUserData(done, { bypassCache: true }));
  assert.equal(shown.PreferredMfaSetting, 'SOFTWARE_TOKEN_MFA');

  const again = identityUser(optional, username);
  const session = await authenticate(again, { code: () => authenticator.code() });
  assert.equal(session.isValid(), true);
  await promised((done) => again.setUserMfaPreference(null, { PreferredMfa: false, Enabled: false }, done));
  assert.equal((await authenticate(identityUser(optional, username))).isValid(), true);
});

test('amazon-cognito-identity-js sets MFA up in the middle of a sign-in', async () => {
  const username = await createUser(cognito, required.pool.Id);
  let authenticator;
  const session = await authenticate(identityUser(required, username), {
    setup: (secret) => (authenticator = new Authenticator(secret)).code(),
  });
  assert.equal(session.isValid(), true);
  const next = await authenticate(identityUser(required, username), { code: () => authenticator.code() });
  assert.equal(next.getIdToken().payload['cognito:username'], username);
});
