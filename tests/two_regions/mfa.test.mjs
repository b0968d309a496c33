// Sign-in with an authenticator app in a secondary Region whose primary is gone, and codes that are used up everywhere.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminUserGlobalSignOutCommand,
  AssociateSoftwareTokenCommand,
  GetUserCommand,
  RespondToAuthChallengeCommand,
  SetUserMFAPreferenceCommand,
  SetUserPoolMfaConfigCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Authenticator } from '../lib/authenticator.mjs';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { createClient, createUser, refresh, signIn } from '../lib/pools.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;
const here = lab.cognito();
const there = lab.cognito(secondary.name);
const pool = await createReplicatedPool(lab);
const client = await createClient(here, pool.Id);
const marker = await createUser(here, pool.Id);
await here.send(
  new SetUserPoolMfaConfigCommand({
    UserPoolId: pool.Id, MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration: { Enabled: true },
  }),
);

async function enrolledUser() {
  const username = await createUser(here, pool.Id);
  const { AccessToken } = await signIn(here, client, username);
  const { SecretCode } = await here.send(new AssociateSoftwareTokenCommand({ AccessToken }));
  const authenticator = new Authenticator(SecretCode);
  await here.send(new VerifySoftwareTokenCommand({ AccessToken, UserCode: authenticator.code() }));
  await here.send(
    new SetUserMFAPreferenceCommand({ AccessToken, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } }),
  );
  await untilCaughtUp(lab, pool.Id);
  return { username, authenticator };
}

async function signInWith(cognito, username, code) {
  const challenge = await signIn(cognito, client, username);
  assert.equal(challenge.ChallengeName, 'SOFTWARE_TOKEN_MFA');
  const { AuthenticationResult } = await cognito.send(
    new RespondToAuthChallengeCommand({
      ClientId: client.ClientId,
      ChallengeName: 'SOFTWARE_TOKEN_MFA',
      Session: challenge.Session,
      ChallengeResponses: { USERNAME: username, SOFTWARE_TOKEN_MFA_CODE: code },
    }),
  );
  return AuthenticationResult;
}
const used = ['ExpiredCodeException', 'Your software token has already been used once.'];

// Facts of one Region arrive in their order: whatever `from` said before this call is known in `to` afterwards.
async function untilFactsArrive(from, to) {
  const { AccessToken } = await signIn(to, client, marker);
  await from.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool.Id, Username: marker }));
  await until('a later fact is there', () =>
    to.send(new GetUserCommand({ AccessToken })).then(() => false, (error) => error.name === 'NotAuthorizedException'),
  );
}

test('a code that was used in one Region is refused in the other once that has heard of it', async () => {
  const { username, authenticator } = await enrolledUser();
  const code = authenticator.code();
  assert.ok((await signInWith(here, username, code)).AccessToken);
  await fails(signInWith(here, username, code), ...used);
  await untilFactsArrive(here, there);
  await fails(signInWith(there, username, code), ...used);
});

test('with the primary gone people sign in with their codes, and nothing of it is lost when it returns', async () => {
  const { username, authenticator } = await enrolledUser();
  await lab.kill(primary.name);
  const code = authenticator.code();
  const tokens = await signInWith(there, username, code);
  assert.equal((await there.send(new GetUserCommand({ AccessToken: tokens.AccessToken }))).Username, username);
  await fails(signInWith(there, username, code), ...used);
  await fails(
    there.send(new AssociateSoftwareTokenCommand({ AccessToken: tokens.AccessToken })),
    'OperationNotEnabledException',
    new RegExp(primary.name),
  );
  await lab.startRegion(primary.name);
  await untilFactsArrive(there, here);
  await fails(signInWith(here, username, code), ...used);
  assert.ok((await refresh(here, client, tokens.RefreshToken)).AccessToken);
  assert.ok((await refresh(there, client, tokens.RefreshToken)).AccessToken);
});

test('a code that two Regions took while they were apart gives nobody lasting access', async () => {
  const { username, authenticator } = await enrolledUser();
  const code = authenticator.code();
  // Each Region is alone when it takes the code.
  await lab.kill(primary.name);
  const away = await signInWith(there, username, code);
  await lab.kill(secondary.name);
  await lab.startRegion(primary.name);
  const home = await until('the primary is back', () => signInWith(here, username, code));
  assert.ok((await refresh(here, client, home.RefreshToken)).AccessToken);
  await lab.startRegion(secondary.name);
  for (const cognito of [here, there]) {
    for (const { RefreshToken, AccessToken } of [home, away]) {
      await until('the tokens are revoked', () =>
        refresh(cognito, client, RefreshToken).then(() => false, (error) => error.name === 'NotAuthorizedException'),
      );
      await fails(cognito.send(new GetUserCommand({ AccessToken })), 'NotAuthorizedException');
    }
  }
});
