// What a stranger learns about who exists, with PreventUserExistenceErrors LEGACY and ENABLED.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  ConfirmForgotPasswordCommand,
  ConfirmSignUpCommand,
  ForgotPasswordCommand,
  InitiateAuthCommand,
  ResendConfirmationCodeCommand,
  RespondToAuthChallengeCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, createClient, createPool, createUser, password, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito);
const legacy = await createClient(cognito, pool.Id);
const hiding = await createClient(cognito, pool.Id, { PreventUserExistenceErrors: 'ENABLED' });

const srp = (client, username) =>
  cognito.send(
    new InitiateAuthCommand({
      AuthFlow: 'USER_SRP_AUTH',
      ClientId: client.ClientId,
      AuthParameters: { USERNAME: username, SRP_A: '12345678901234567890' },
    }),
  );
const forgot = ({ ClientId }, Username) => cognito.send(new ForgotPasswordCommand({ ClientId, Username }));
const confirmForgot = ({ ClientId }, Username) =>
  cognito.send(new ConfirmForgotPasswordCommand({ ClientId, Username, ConfirmationCode: '123456', Password: password }));
const resend = ({ ClientId }, Username) => cognito.send(new ResendConfirmationCodeCommand({ ClientId, Username }));
const confirm = ({ ClientId }, Username) =>
  cognito.send(new ConfirmSignUpCommand({ ClientId, Username, ConfirmationCode: '123456' }));

test('LEGACY says that nobody is there', async () => {
  const nobody = anyName('nobody');
  await fails(signIn(cognito, legacy, nobody), 'UserNotFoundException', 'User does not exist.');
  await fails(srp(legacy, nobody), 'UserNotFoundException', 'User does not exist.');
  await fails(forgot(legacy, nobody), 'UserNotFoundException', 'Username/client id combination not found.');
  await fails(confirmForgot(legacy, nobody), 'UserNotFoundException');
  await fails(resend(legacy, nobody), 'UserNotFoundException');
  await fails(confirm(legacy, nobody), 'UserNotFoundException');
});

test('ENABLED answers for nobody as for somebody', async () => {
  const nobody = anyName('nobody');
  await fails(signIn(cognito, hiding, nobody), 'NotAuthorizedException', 'Incorrect username or password.');
  const simulated = await forgot(hiding, nobody);
  assert.equal(simulated.CodeDeliveryDetails.DeliveryMedium, 'EMAIL');
  assert.match(simulated.CodeDeliveryDetails.Destination, /^.\*\*\*@.\*\*\*$/);
  assert.deepEqual((await forgot(hiding, nobody)).CodeDeliveryDetails, simulated.CodeDeliveryDetails);
  assert.ok((await resend(hiding, nobody)).CodeDeliveryDetails.Destination);
  const answers = ['CodeMismatchException', 'ExpiredCodeException', 'NotAuthorizedException'];
  for (const call of [confirmForgot, confirm]) {
    await assert.rejects(call(hiding, nobody), (error) => answers.includes(error.name));
  }
});

test('ENABLED gives nobody a salt that stays, and fails at the proof', async () => {
  const nobody = anyName('nobody');
  const first = await srp(hiding, nobody);
  const second = await srp(hiding, nobody);
  assert.equal(first.ChallengeName, 'PASSWORD_VERIFIER');
  assert.equal(first.ChallengeParameters.SALT, second.ChallengeParameters.SALT);
  assert.notEqual(first.ChallengeParameters.SRP_B, second.ChallengeParameters.SRP_B);
  const somebody = await srp(hiding, await createUser(cognito, pool.Id));
  assert.deepEqual(Object.keys(first.ChallengeParameters).sort(), Object.keys(somebody.ChallengeParameters).sort());
  const blockSize = (challenge) => Buffer.from(challenge.ChallengeParameters.SECRET_BLOCK, 'base64').length;
  assert.ok(Math.abs(blockSize(first) - blockSize(somebody)) <= 64);
  await fails(
    cognito.send(
      new RespondToAuthChallengeCommand({
        ClientId: hiding.ClientId,
        ChallengeName: 'PASSWORD_VERIFIER',
        ChallengeResponses: {
          USERNAME: first.ChallengeParameters.USER_ID_FOR_SRP,
          PASSWORD_CLAIM_SECRET_BLOCK: first.ChallengeParameters.SECRET_BLOCK,
          PASSWORD_CLAIM_SIGNATURE: Buffer.alloc(32, 7).toString('base64'),
          TIMESTAMP: srpTimestamp(),
        },
      }),
    ),
    'NotAuthorizedException', 'Incorrect username or password.',
  );
});

test('an existing name is told at sign-up, whatever the setting', async () => {
  const username = await createUser(cognito, pool.Id);
  for (const { ClientId } of [legacy, hiding]) {
    await fails(
      cognito.send(new SignUpCommand({ ClientId, Username: username, Password: password })), 'UsernameExistsException',
      'User already exists',
    );
  }
});

function srpTimestamp() {
  const [weekday, day, month, year, time] = new Date().toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${Number(day)} ${time} UTC ${year}`;
}
