// A node of the previous release and one of today's replicate with each other, whichever is primary, and one is upgraded to the
// other while the pool is in use.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminDisableUserCommand,
  AdminGetUserCommand,
  AdminUserGlobalSignOutCommand,
  ChangePasswordCommand,
  ConfirmSignUpCommand,
  GetUserCommand,
  ListUserPoolReplicasCommand,
  RevokeTokenCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { anyName, codeFor, createClient, createUser, password, refresh, signIn } from '../lib/pools.mjs';
import { call, prefixes } from '../lib/raw.mjs';
import { createReplicatedPool, describeReplication, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';
import { MixedLab, previous, todays } from './programs.mjs';

const old = await previous();
const [first, second] = ['eu-central-1', 'us-east-1'];

// A lab with a pool in both Regions, and what people do there.
class Scene {
  static async begin(programs) {
    const scene = new Scene();
    scene.mixed = await MixedLab.start(programs);
    after(() => scene.mixed.release());
    scene.lab = scene.mixed.lab;
    scene.sdk = Object.fromEntries([first, second].map((region) => [region, scene.lab.cognito(region)]));
    scene.pool = await createReplicatedPool(scene.lab);
    scene.client = await createClient(scene.sdk[first], scene.pool.Id);
    scene.primary = first;
    await untilCaughtUp(scene.lab, scene.pool.Id);
    return scene;
  }

  get secondary() {
    return this.primary === first ? second : first;
  }

  async own(region, operation, request = {}) {
    const answer = await call(this.lab.endpoint(region), operation, { UserPoolId: this.pool.Id, ...request }, { prefix: prefixes.symbolon });
    if (answer.status !== 200) throw Object.assign(new Error(`${answer.error}: ${answer.message}`), { name: answer.error });
    return answer.body;
  }

  async untilEqual() {
    await until('both Regions are at the same position', async () => {
      const [a, b] = await Promise.all([first, second].map((region) => describeReplication(this.lab, region, this.pool.Id)));
      const troubled = [a, b].some((told) => told.Role === 'SECONDARY' && told.Problem);
      return a.Epoch === b.Epoch && a.Sequence === b.Sequence && a.PrimaryRegion === b.PrimaryRegion && !troubled;
    });
  }

  // Signs up and confirms at the primary, signs in in both Regions; tokens of each are good in the other.
  async aPersonComes() {
    const username = anyName('person');
    const email = `${username}@example.com`;
    const at = this.sdk[this.primary];
    const who = { ClientId: this.client.ClientId, Username: username };
    await at.send(new SignUpCommand({ ...who, Password: password, UserAttributes: [{ Name: 'email', Value: email }] }));
    const ConfirmationCode = await codeFor(this.lab, email, { region: this.primary });
    await at.send(new ConfirmSignUpCommand({ ...who, ConfirmationCode }));
    await this.untilEqual();
    for (const [here, there] of [[first, second], [second, first]]) {
      const tokens = await signIn(this.sdk[here], this.client, username);
      assert.ok((await refresh(this.sdk[there], this.client, tokens.RefreshToken)).AccessToken);
      const { Username } = await this.sdk[there].send(new GetUserCommand({ AccessToken: tokens.AccessToken }));
      assert.equal(Username, username);
    }
    await fails(this.sdk[this.secondary].send(new SignUpCommand({ ...who, Username: anyName(), Password: password })),
      'OperationNotEnabledException');
    return username;
  }

  async aPasswordChanges(username) {
    const { AccessToken } = await signIn(this.sdk[this.primary], this.client, username);
    const ProposedPassword = `${password}-changed`;
    await this.sdk[this.primary].send(
      new ChangePasswordCommand({ AccessToken, PreviousPassword: password, ProposedPassword }));
    await this.untilEqual();
    for (const cognito of Object.values(this.sdk)) {
      await fails(signIn(cognito, this.client, username), 'NotAuthorizedException');
      assert.ok((await signIn(cognito, this.client, username, { pass: ProposedPassword })).AccessToken);
    }
  }

  async untilRefused(region, RefreshToken) {
    await until(`${region} refuses the refresh token`, async () => {
      try {
        await refresh(this.sdk[region], this.client, RefreshToken);
        return false;
      } catch (error) {
        return error.name === 'NotAuthorizedException';
      }
    });
  }

  // Facts, either way, one of them while the primary is dead.
  async tokensAreRevoked(username) {
    for (const [here, there] of [[first, second], [second, first]]) {
      const { RefreshToken } = await signIn(this.sdk[here], this.client, username);
      await this.sdk[here].send(new RevokeTokenCommand({ ClientId: this.client.ClientId, Token: RefreshToken }));
      await this.untilRefused(there, RefreshToken);
    }
    const { RefreshToken } = await signIn(this.sdk[this.primary], this.client, username);
    await this.untilEqual();
    await this.lab.kill(this.primary);
    assert.ok((await signIn(this.sdk[this.secondary], this.client, username)).AccessToken);
    await this.sdk[this.secondary].send(new AdminUserGlobalSignOutCommand({ UserPoolId: this.pool.Id, Username: username }));
    await fails(refresh(this.sdk[this.secondary], this.client, RefreshToken), 'NotAuthorizedException');
    await this.lab.startRegion(this.primary);
    await this.untilRefused(this.primary, RefreshToken);
  }

  // A Region that has just come back may take a moment to be reached; asking again changes nothing that is done.
  async promote(to, how = {}) {
    const promoted = await until(`${to} is promoted`, () => this.own(to, 'PromoteUserPoolReplica', { RegionName: to, ...how }));
    assert.equal(promoted.Primary, to);
    this.primary = to;
    return promoted;
  }
  async untilLed() {
    await until(`both Regions say that ${this.primary} is primary`, async () => {
      const told = await Promise.all(Object.values(this.sdk).map((cognito) =>
        cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: this.pool.Id }))));
      return told.every(({ UserPoolReplicas }) =>
        UserPoolReplicas.every(({ RegionName, Role }) => (Role === 'PRIMARY') === (RegionName === this.primary)));
    });
    await this.untilEqual();
  }

  async thePrimaryDiesForGood() {
    const former = this.primary;
    await this.lab.kill(former);
    await this.promote(this.secondary, { Force: true });
    await createUser(this.sdk[this.primary], this.pool.Id);
    await this.lab.startRegion(former);
    await this.untilLed();
  }

  // Of what the previous release does not know, one of today's says which Region is the reason.
  async cannotVerify(today) {
    const previous = today === first ? second : first;
    await this.own(today, 'StartReplicationVerification');
    const { Outcome, Regions } = await until('the verification has ended', async () => {
      const { Verification } = await this.own(today, 'DescribeReplicationVerification');
      return Verification.Status === 'DONE' && Verification;
    });
    assert.equal(Outcome, 'INCOMPLETE');
    const told = Regions.find(({ Region }) => Region === previous);
    assert.equal(told.Compared, false);
    assert.ok(told.Problem);
  }

  async everybodyIsThere(usernames) {
    for (const cognito of Object.values(this.sdk)) {
      for (const Username of usernames) await cognito.send(new AdminGetUserCommand({ UserPoolId: this.pool.Id, Username }));
    }
  }
}

for (const [title, programs] of [
  ['previous primary, today\'s secondary', { [first]: old, [second]: todays }],
  ['today\'s primary, previous secondary', { [first]: todays, [second]: old }],
]) {
  test(`${title}: sign-up, sign-in, password, revocation, kill, promotions`, async () => {
    const scene = await Scene.begin(programs);
    const people = [await scene.aPersonComes()];
    await scene.aPasswordChanges(people[0]);
    people.push(await scene.aPersonComes());
    await scene.tokensAreRevoked(people[1]);
    for (const to of [second, first]) {
      await scene.promote(to);
      await scene.untilLed();
      people.push(await scene.aPersonComes());
      await scene.own(to, 'SetReplicationDurability', { Mode: 'SYNC' });
      people.push(await createUser(scene.sdk[to], scene.pool.Id));
      await scene.own(to, 'SetReplicationDurability', { Mode: 'ASYNC' });
    }
    await scene.cannotVerify(programs[first] === todays ? first : second);
    await scene.thePrimaryDiesForGood();
    people.push(await scene.aPersonComes());
    await scene.thePrimaryDiesForGood();
    people.push(await scene.aPersonComes());
    await scene.everybodyIsThere(people);
  });
}

test('two previous nodes become today\'s, one after the other, and the primary moves out of the way each time', async () => {
  const scene = await Scene.begin({ [first]: old, [second]: old });
  const people = [await scene.aPersonComes()];
  const before = await signIn(scene.sdk[first], scene.client, people[0]);
  const revoked = await signIn(scene.sdk[second], scene.client, people[0]);
  await scene.sdk[second].send(new RevokeTokenCommand({ ClientId: scene.client.ClientId, Token: revoked.RefreshToken }));
  await scene.untilRefused(first, revoked.RefreshToken);

  await scene.mixed.restartWith(second, todays);
  people.push(await scene.aPersonComes());
  // A fact of a kind that the previous release does not know: it keeps it all the same.
  const disabled = await scene.aPersonComes();
  await scene.sdk[second].send(new AdminDisableUserCommand({ UserPoolId: scene.pool.Id, Username: disabled }));
  await fails(signIn(scene.sdk[second], scene.client, disabled), 'NotAuthorizedException', /disabled/);
  await scene.promote(second);
  await scene.untilLed();
  await scene.mixed.restartWith(first, todays);
  await scene.untilEqual();
  await until('the upgraded Region refuses who was disabled meanwhile', () =>
    signIn(scene.sdk[first], scene.client, disabled).then(() => false, (error) => /disabled/.test(error.message)));
  people.push(await scene.aPersonComes());
  await scene.promote(first);
  await scene.untilLed();

  people.push(await scene.aPersonComes());
  await scene.everybodyIsThere(people);
  for (const region of [first, second]) {
    await scene.untilRefused(region, revoked.RefreshToken);
    assert.ok((await refresh(scene.sdk[region], scene.client, before.RefreshToken)).AccessToken);
  }
});
