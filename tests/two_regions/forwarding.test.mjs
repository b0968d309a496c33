// A secondary that passes changes on to the primary: everything works in every Region, and what became of a change is
// told truly when the primary is stopped, dead or changing.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AssociateSoftwareTokenCommand,
  ConfirmForgotPasswordCommand,
  ConfirmSignUpCommand,
  CreateGroupCommand,
  CreateUserPoolCommand,
  ForgotPasswordCommand,
  GetUserCommand,
  ListUsersCommand,
  RespondToAuthChallengeCommand,
  SetUserPoolMfaConfigCommand,
  SignUpCommand,
  UpdateUserAttributesCommand,
  UpdateUserPoolReplicaCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Authenticator } from '../lib/authenticator.mjs';
import { Lab } from '../lib/lab.mjs';
import { anyName, codeFor, createClient, createUser, password, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const lab = await Lab.start({ flags: ['--forward-writes'] });
after(() => lab.release());
const [home, away] = lab.regions;
const sdk = { [home.name]: lab.cognito(), [away.name]: lab.cognito(away.name) };
const pool = await createReplicatedPool(lab);
const client = await createClient(sdk[home.name], pool.Id);
const someone = await createUser(sdk[home.name], pool.Id);

const signUp = (cognito, Username) =>
  cognito.send(
    new SignUpCommand({
      ClientId: client.ClientId,
      Username,
      Password: password,
      UserAttributes: [{ Name: 'email', Value: `${Username}@example.com` }],
    }),
  );
const exists = (region, Username) =>
  sdk[region.name].send(new AdminGetUserCommand({ UserPoolId: pool.Id, Username })).then(
    () => true,
    (error) => {
      assert.equal(error.name, 'UserNotFoundException', error.message);
      return false;
    },
  );

async function forwarded(region, outcome) {
  const line = `symbolon_forwarded_requests_total{outcome="${outcome}"} `;
  return Number((await lab.metrics(region.name)).split('\n').find((text) => text.startsWith(line)).slice(line.length));
}

async function promote(to) {
  const asked = { UserPoolId: pool.Id, RegionName: to.name };
  const answer = await call(lab.endpoint(to.name), 'PromoteUserPoolReplica', asked, { prefix: prefixes.symbolon });
  assert.equal(answer.status, 200, answer.message);
}

// Reads after it ask for no position: the Region that was asked for a change has it when it answers.
test('a user is made, confirmed, signed in, changed and rescued through the secondary alone', async () => {
  const cognito = sdk[away.name];
  const username = anyName();
  await signUp(cognito, username);
  const ConfirmationCode = await codeFor(lab, username);
  await cognito.send(new ConfirmSignUpCommand({ ClientId: client.ClientId, Username: username, ConfirmationCode }));
  const { AccessToken } = await signIn(cognito, client, username);

  await cognito.send(
    new UpdateUserAttributesCommand({ AccessToken, UserAttributes: [{ Name: 'nickname', Value: 'Nick' }] }),
  );
  const { UserAttributes } = await cognito.send(new GetUserCommand({ AccessToken }));
  assert.equal(UserAttributes.find(({ Name }) => Name === 'nickname').Value, 'Nick');

  await cognito.send(new ForgotPasswordCommand({ ClientId: client.ClientId, Username: username }));
  await cognito.send(
    new ConfirmForgotPasswordCommand({
      ClientId: client.ClientId,
      Username: username,
      ConfirmationCode: await codeFor(lab, username, { after: 1 }),
      Password: 'Rescued-horse-8',
    }),
  );
  await signIn(cognito, client, username, { pass: 'Rescued-horse-8' });
  await assert.rejects(signIn(cognito, client, username), { name: 'NotAuthorizedException' });
});

test('somebody who must have an authenticator sets it up at the secondary, in the middle of a sign-in', async () => {
  const strict = await createReplicatedPool(lab);
  const at = sdk[away.name];
  await at.send(
    new SetUserPoolMfaConfigCommand({
      UserPoolId: strict.Id, MfaConfiguration: 'ON', SoftwareTokenMfaConfiguration: { Enabled: true },
    }),
  );
  const app = await createClient(at, strict.Id);
  const Username = await createUser(at, strict.Id);
  const respond = (ChallengeName, Session, responses) =>
    at.send(
      new RespondToAuthChallengeCommand({
        ClientId: app.ClientId, ChallengeName, Session, ChallengeResponses: { USERNAME: Username, ...responses },
      }),
    );
  const setup = await signIn(at, app, Username);
  assert.equal(setup.ChallengeName, 'MFA_SETUP');
  const associated = await at.send(new AssociateSoftwareTokenCommand({ Session: setup.Session }));
  const authenticator = new Authenticator(associated.SecretCode);
  const verified = await at.send(
    new VerifySoftwareTokenCommand({ Session: associated.Session, UserCode: authenticator.code() }),
  );
  assert.ok((await respond('MFA_SETUP', verified.Session)).AuthenticationResult.AccessToken);
  const challenge = await signIn(at, app, Username);
  const { AuthenticationResult } = await respond('SOFTWARE_TOKEN_MFA', challenge.Session, {
    SOFTWARE_TOKEN_MFA_CODE: authenticator.code(),
  });
  assert.ok(AuthenticationResult.AccessToken);
});

test('an administrator works at the secondary, and a new password is chosen there', async () => {
  const cognito = sdk[away.name];
  const Username = anyName();
  await cognito.send(
    new AdminCreateUserCommand({
      UserPoolId: pool.Id,
      Username,
      TemporaryPassword: password,
      MessageAction: 'SUPPRESS',
    }),
  );
  const challenge = await signIn(cognito, client, Username);
  assert.equal(challenge.ChallengeName, 'NEW_PASSWORD_REQUIRED');
  const { AuthenticationResult } = await cognito.send(
    new RespondToAuthChallengeCommand({
      ClientId: client.ClientId,
      ChallengeName: 'NEW_PASSWORD_REQUIRED',
      Session: challenge.Session,
      ChallengeResponses: { USERNAME: Username, NEW_PASSWORD: 'Chosen-horse-8' },
    }),
  );
  assert.ok(AuthenticationResult.AccessToken);
  await signIn(sdk[home.name], client, Username, { pass: 'Chosen-horse-8' });

  // A client that is made here serves here at once.
  const made = await createClient(cognito, pool.Id, { ClientName: 'made at the secondary' });
  await signIn(cognito, made, Username, { pass: 'Chosen-horse-8' });
  await cognito.send(
    new UpdateUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName: away.name, Status: 'ACTIVE' }),
  );
});

test('the answer is the primary\'s: its errors, its position, and the asked Region\'s request id', async () => {
  const asked = { UserPoolId: pool.Id, GroupName: anyName('group') };
  const made = await call(away.api, 'CreateGroup', asked);
  assert.equal(made.status, 200, made.message);
  assert.match(made.headers.get('x-symbolon-position'), new RegExp(`^\\d+@1\\.${home.name}\\..*/${pool.Id}$`));
  assert.match(made.headers.get('x-amzn-requestid'), /^[0-9a-f-]{36}$/);
  const again = await call(away.api, 'CreateGroup', asked);
  assert.equal(again.status, 400);
  assert.equal(again.error, 'GroupExistsException');
  const metrics = await lab.metrics(away.name);
  assert.match(metrics, /symbolon_requests_total\{operation="CreateGroup",outcome="GroupExistsException"\} 1/);
  assert.ok((await forwarded(away, 'answered')) > 0);
  assert.equal(await forwarded(home, 'answered'), 0);
  assert.equal((await describeReplication(lab, away.name, pool.Id)).ForwardsWrites, true);
});

test('what concerns the Region itself is not passed on', async () => {
  const before = await forwarded(away, 'answered');
  const { UserPool } = await sdk[away.name].send(new CreateUserPoolCommand({ PoolName: 'of this Region' }));
  assert.ok(UserPool.Id.startsWith(away.name));
  assert.equal(await forwarded(away, 'answered'), before);
});

test('a planned promotion under load: clients of either Region see no failure that the SDK does not hide', async () => {
  const clients = [home, away].map((region) => lab.cognito(region.name, { maxAttempts: 3 }));
  const viaRouter = lab.cognito('router', { maxAttempts: 3 });
  const acknowledged = [];
  let ending = false;
  let longestMs = 0;
  const load = inParallel(6, async (worker) => {
    const cognito = [...clients, viaRouter][worker % 3];
    while (!ending) {
      const name = anyName('load');
      const before = performance.now();
      await signUp(cognito, name);
      longestMs = Math.max(longestMs, performance.now() - before);
      acknowledged.push(name);
    }
  });
  load.catch(() => {});
  const more = async (count) => {
    const target = acknowledged.length + count;
    await Promise.race([load, until(`${count} more sign-ups`, () => acknowledged.length >= target, 60_000)]);
  };
  await more(60);
  for (const to of [away, home, away]) {
    await promote(to);
    await more(60);
  }
  ending = true;
  await load;
  console.log(`${acknowledged.length} sign-ups, the slowest in ${longestMs.toFixed(0)} ms`);
  for (const region of lab.regions) {
    await until('every acknowledged user is there', async () => {
      const names = new Set();
      let PaginationToken;
      do {
        const page = await sdk[region.name].send(new ListUsersCommand({ UserPoolId: pool.Id, PaginationToken }));
        for (const user of page.Users) names.add(user.Username);
        PaginationToken = page.PaginationToken;
      } while (PaginationToken);
      return acknowledged.every((name) => names.has(name));
    });
  }
});

test('the router prefers a secondary, and everything works', async () => {
  // The pool's primary is in the other Region since the last promotion.
  assert.equal((await describeReplication(lab, home.name, pool.Id)).Role, 'SECONDARY');
  const cognito = lab.cognito('router');
  const before = await forwarded(home, 'answered');
  const username = anyName();
  await signUp(cognito, username);
  await cognito.send(
    new ConfirmSignUpCommand({
      ClientId: client.ClientId,
      Username: username,
      ConfirmationCode: await codeFor(lab, username, { region: away.name }),
    }),
  );
  await signIn(cognito, client, username);
  await cognito.send(new CreateGroupCommand({ UserPoolId: pool.Id, GroupName: anyName('group') }));
  assert.equal(await forwarded(home, 'answered'), before + 3);
  await promote(home);
});

test('the primary hangs: the outcome is unknown, later requests are refused, and it tells when it goes on', async () => {
  const hanging = anyName('hanging');
  await lab.suspend(home.name);
  try {
    const error = await signUp(sdk[away.name], hanging).then(
      () => assert.fail('nobody can have done it'),
      (thrown) => thrown,
    );
    assert.equal(error.name, 'WriteUnconfirmedException', error.message);
    assert.equal(error.$metadata.httpStatusCode, 409);
    assert.match(error.message, new RegExp(`passed on to Region ${home.name}`));
    // It has been silent for long enough to be taken for lost: no more waiting.
    const refused = await signUp(sdk[away.name], anyName()).then(
      () => assert.fail('nobody can have done it'),
      (thrown) => thrown,
    );
    assert.equal(refused.name, 'ServiceUnavailableException', refused.message);
    assert.match(refused.message, /^Nothing was changed: SignUp/);
  } finally {
    await lab.resume(home.name);
  }
  assert.equal(await forwarded(away, 'unknown'), 1);
  await until('the secondary passes on again', () => signUp(sdk[away.name], anyName()));
  // It was done once, or not at all; nobody sent it twice.
  if (await exists(home, hanging)) await until('it is here too', () => exists(away, hanging));
});

test('the primary is dead: refused as a thing to try again, and tried again it works', async () => {
  await lab.kill(home.name);
  await until('the broken connection has been noticed', async () => {
    const error = await signUp(sdk[away.name], anyName()).then(
      () => assert.fail('nobody can have done it'),
      (thrown) => thrown,
    );
    if (error.name === 'WriteUnconfirmedException') return false;
    assert.equal(error.name, 'ServiceUnavailableException', error.message);
    assert.equal(error.$metadata.httpStatusCode, 503);
    assert.match(error.message, new RegExp(`${home.name}, which cannot be reached`));
    return true;
  });
  // What a secondary may do alone it does.
  assert.ok((await signIn(sdk[away.name], client, someone)).AccessToken);
  await lab.startRegion(home.name);
  const patient = anyName('patient');
  await until('it is done', () => signUp(sdk[away.name], patient));
  assert.ok(await exists(home, patient));
});
