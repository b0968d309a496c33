// Remembered devices, as the AWS SDK and amazon-cognito-identity-js use them.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminForgetDeviceCommand,
  AdminGetDeviceCommand,
  AdminInitiateAuthCommand,
  AdminListDevicesCommand,
  AdminUpdateDeviceStatusCommand,
  AssociateSoftwareTokenCommand,
  DescribeUserPoolCommand,
  ForgetDeviceCommand,
  GetDeviceCommand,
  GetTokensFromRefreshTokenCommand,
  ListDevicesCommand,
  SetUserMFAPreferenceCommand,
  SetUserPoolMfaConfigCommand,
  UpdateDeviceStatusCommand,
  UpdateUserPoolCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as Identity from 'amazon-cognito-identity-js';
import { Authenticator } from '../lib/authenticator.mjs';
import { confirmedDevice, Device, signInBy, startSignIn } from '../lib/device.mjs';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { claimsOf, createClient, createPool, createUser, password, refresh } from '../lib/pools.mjs';

const lab = await Lab.shared();
// A busy machine may be short of RSA keys for new pools for a while; the SDK tries again.
const cognito = lab.cognito(lab.primary.name, { maxAttempts: 4 });
after(() => lab.release());

async function poolWith(DeviceConfiguration) {
  const pool = await createPool(cognito, { DeviceConfiguration });
  await cognito.send(
    new SetUserPoolMfaConfigCommand({
      UserPoolId: pool.Id, MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration: { Enabled: true },
    }),
  );
  return { pool, client: await createClient(cognito, pool.Id) };
}
// Devices are remembered at once and stand for the second factor; or only when the user wants it.
const always = await poolWith({ ChallengeRequiredOnNewDevice: true });
const opted = await poolWith({ ChallengeRequiredOnNewDevice: true, DeviceOnlyRememberedOnUserPrompt: true });

async function enrol(AccessToken) {
  const { SecretCode } = await cognito.send(new AssociateSoftwareTokenCommand({ AccessToken }));
  const authenticator = new Authenticator(SecretCode);
  await cognito.send(new VerifySoftwareTokenCommand({ AccessToken, UserCode: authenticator.code() }));
  await cognito.send(
    new SetUserMFAPreferenceCommand({ AccessToken, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } }),
  );
  return authenticator;
}
const noDevice = ['ResourceNotFoundException', 'Device does not exist.'];
const invalidToken = ['NotAuthorizedException', 'Invalid Refresh Token'];
const attributes = ({ Device: { DeviceAttributes } }) =>
  Object.fromEntries(DeviceAttributes.map(({ Name, Value }) => [Name, Value]));

test('the setting of the pool is shown, changed and taken away', async () => {
  const pool = await createPool(cognito);
  const shown = async () =>
    (await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool.Id }))).UserPool.DeviceConfiguration;
  const set = (settings) => cognito.send(new UpdateUserPoolCommand({ UserPoolId: pool.Id, ...settings }));
  assert.equal(await shown(), undefined);
  await set({ DeviceConfiguration: { DeviceOnlyRememberedOnUserPrompt: true } });
  const expected = { ChallengeRequiredOnNewDevice: false, DeviceOnlyRememberedOnUserPrompt: true };
  assert.deepEqual(await shown(), expected);
  await set({ AutoVerifiedAttributes: ['email'] });
  assert.deepEqual(await shown(), expected);
  await set({ DeviceConfiguration: {} });
  assert.equal(await shown(), undefined);
});

test('a device is confirmed, signs in without a code, is shown and is forgotten', async () => {
  const username = await createUser(cognito, always.pool.Id);
  const { AuthenticationResult } = await startSignIn(cognito, always.client, username);
  const { AccessToken, NewDeviceMetadata } = AuthenticationResult;
  assert.match(NewDeviceMetadata.DeviceKey, new RegExp(`^${lab.primary.name}_[0-9a-f-]{36}$`));
  assert.equal(claimsOf(AccessToken).device_key, NewDeviceMetadata.DeviceKey);
  const device = new Device(NewDeviceMetadata);
  const { UserConfirmationNecessary } = await device.confirm(cognito, AccessToken, { DeviceName: 'a phone' });
  assert.equal(UserConfirmationNecessary, false);
  await fails(device.confirm(cognito, AccessToken), 'DeviceKeyExistsException');

  await enrol(AccessToken);
  assert.equal((await startSignIn(cognito, always.client, username)).ChallengeName, 'SOFTWARE_TOKEN_MFA');
  const before = Date.now();
  const tokens = await signInBy(cognito, always.client, username, device);
  assert.equal(tokens.NewDeviceMetadata, undefined);
  assert.equal(claimsOf(tokens.AccessToken).device_key, device.key);
  await fails(device.lastProof(), 'NotAuthorizedException', /can only be used once/);

  const own = await cognito.send(new GetDeviceCommand({ AccessToken, DeviceKey: device.key }));
  assert.deepEqual(attributes(own), { device_status: 'valid', device_name: 'a phone' });
  assert.ok(own.Device.DeviceCreateDate instanceof Date);
  assert.ok(own.Device.DeviceLastAuthenticatedDate.getTime() >= before - 1000);
  const { Devices } = await cognito.send(new ListDevicesCommand({ AccessToken }));
  assert.deepEqual(Devices, [own.Device]);

  await cognito.send(new ForgetDeviceCommand({ AccessToken, DeviceKey: device.key }));
  await fails(startSignIn(cognito, always.client, username, device.key), ...noDevice);
  await fails(device.confirm(cognito, AccessToken), 'DeviceKeyExistsException');
  await fails(refresh(cognito, always.client, tokens.RefreshToken, { DEVICE_KEY: device.key }), ...invalidToken);
});

test('a refresh token is good on its confirmed device only', async () => {
  const username = await createUser(cognito, always.pool.Id);
  const { AuthenticationResult } = await startSignIn(cognito, always.client, username);
  const { AccessToken, RefreshToken, NewDeviceMetadata } = AuthenticationResult;
  const device = new Device(NewDeviceMetadata);
  const withKey = { DEVICE_KEY: device.key };
  await fails(refresh(cognito, always.client, RefreshToken, withKey), ...invalidToken);
  await device.confirm(cognito, AccessToken);
  const fresh = await refresh(cognito, always.client, RefreshToken, withKey);
  assert.equal(claimsOf(fresh.AccessToken).device_key, device.key);
  const other = (await confirmedDevice(cognito, always.client, username)).device;
  for (const extra of [{}, { DEVICE_KEY: other.key }]) {
    await fails(refresh(cognito, always.client, RefreshToken, extra), ...invalidToken);
  }
  const tokens = (DeviceKey) =>
    cognito.send(new GetTokensFromRefreshTokenCommand({ ClientId: always.client.ClientId, RefreshToken, DeviceKey }));
  await fails(tokens(), ...invalidToken);
  await fails(tokens(other.key), ...invalidToken);
  assert.ok((await tokens(device.key)).AuthenticationResult.AccessToken);
});

test('an administrator sees, changes and forgets devices, and signs users in without', async () => {
  const username = await createUser(cognito, opted.pool.Id);
  const of = { UserPoolId: opted.pool.Id, Username: username };
  const { device, tokens } = await confirmedDevice(cognito, opted.client, username);
  const { AccessToken } = tokens;
  const ofDevice = { ...of, DeviceKey: device.key };
  assert.deepEqual((await cognito.send(new ListDevicesCommand({ AccessToken }))).Devices, []);
  const status = async () =>
    attributes(await cognito.send(new AdminGetDeviceCommand(ofDevice)))['dev:device_remembered_status'];
  assert.equal(await status(), 'not_remembered');
  await cognito.send(new AdminUpdateDeviceStatusCommand({ ...ofDevice, DeviceRememberedStatus: 'remembered' }));
  assert.equal(await status(), 'remembered');
  await cognito.send(
    new UpdateDeviceStatusCommand({ AccessToken, DeviceKey: device.key, DeviceRememberedStatus: 'not_remembered' }),
  );
  await fails(cognito.send(new GetDeviceCommand({ AccessToken, DeviceKey: device.key })), ...noDevice);

  for (let i = 0; i < 2; ++i) await confirmedDevice(cognito, opted.client, username);
  const listed = [];
  let PaginationToken;
  do {
    const page = await cognito.send(new AdminListDevicesCommand({ ...of, Limit: 2, PaginationToken }));
    assert.ok(page.Devices.length <= 2);
    listed.push(...page.Devices.map(({ DeviceKey }) => DeviceKey));
    ({ PaginationToken } = page);
  } while (PaginationToken);
  assert.equal(new Set(listed).size, 3);
  assert.ok(listed.includes(device.key));

  const admin = await cognito.send(
    new AdminInitiateAuthCommand({
      UserPoolId: opted.pool.Id,
      ClientId: opted.client.ClientId,
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: username, PASSWORD: password },
    }),
  );
  assert.equal(admin.AuthenticationResult.NewDeviceMetadata, undefined);
  assert.ok((await refresh(cognito, opted.client, admin.AuthenticationResult.RefreshToken)).AccessToken);
  await cognito.send(new AdminForgetDeviceCommand(ofDevice));
  await fails(cognito.send(new AdminGetDeviceCommand(ofDevice)), ...noDevice);
  await fails(cognito.send(new AdminForgetDeviceCommand({ ...ofDevice, Username: 'nobody' })), 'UserNotFoundException');
});

test('a device with another secret, or of somebody else, is refused', async () => {
  const [username, other] = [await createUser(cognito, always.pool.Id), await createUser(cognito, always.pool.Id)];
  const { device, tokens } = await confirmedDevice(cognito, always.client, username);
  await fails(startSignIn(cognito, always.client, other, device.key), ...noDevice);
  const ofOther = (await startSignIn(cognito, always.client, other)).AuthenticationResult;
  await fails(device.confirm(cognito, ofOther.AccessToken), 'InvalidParameterException', 'Invalid device key given.');
  await fails(
    cognito.send(new ForgetDeviceCommand({ AccessToken: ofOther.AccessToken, DeviceKey: device.key })), ...noDevice,
  );
  device.forgetSecret();
  await fails(
    signInBy(cognito, always.client, username, device), 'NotAuthorizedException', 'Incorrect username or password.',
  );
  await fails(
    new Device({ DeviceKey: 'eu_0' }).confirm(cognito, tokens.AccessToken),
    'InvalidParameterException',
    'Invalid device key given.',
  );
});

test('with a client secret each answer needs the hash', async () => {
  const client = await createClient(cognito, always.pool.Id, { GenerateSecret: true });
  const username = await createUser(cognito, always.pool.Id);
  const { device } = await confirmedDevice(cognito, client, username);
  const challenge = await startSignIn(cognito, client, username, device.key);
  await fails(
    device.prove(cognito, { ...client, ClientSecret: undefined }, username, challenge),
    'NotAuthorizedException',
    /SECRET_HASH/,
  );
  assert.ok((await device.prove(cognito, client, username, challenge)).AccessToken);
});

// ---- amazon-cognito-identity-js ----

// What a browser keeps.
class Storage {
  #items = new Map();
  setItem(key, value) {
    this.#items.set(key, value);
  }
  getItem(key) {
    return this.#items.get(key) ?? null;
  }
  removeItem(key) {
    this.#items.delete(key);
  }
  clear() {
    this.#items.clear();
  }
}
const userIn = ({ pool, client }, Username, storage) =>
  new Identity.CognitoUser({
    Username,
    Storage: storage,
    Pool: new Identity.CognitoUserPool({
      UserPoolId: pool.Id, ClientId: client.ClientId, endpoint: lab.primary.api, Storage: storage,
    }),
  });
const called = (call) => new Promise((onSuccess, onFailure) => call({ onSuccess, onFailure }));

// By SRP, or by password. `code` gives the code that is asked for; none must be where it is left out.
function authenticate(user, { code, flow } = {}) {
  if (flow) user.setAuthenticationFlowType(flow);
  const details = new Identity.AuthenticationDetails({ Username: user.getUsername(), Password: password });
  return new Promise((resolve, reject) => {
    const callbacks = {
      onSuccess: (session, asksUser) => resolve({ session, asksUser }),
      onFailure: reject,
      totpRequired: () =>
        code ? user.sendMFACode(code(), callbacks, 'SOFTWARE_TOKEN_MFA') : reject(new Error('a code is asked for')),
    };
    user.authenticateUser(details, callbacks);
  });
}

test('amazon-cognito-identity-js remembers its browser, which needs no code from then on', async () => {
  const username = await createUser(cognito, always.pool.Id);
  const browser = new Storage();
  const first = userIn(always, username, browser);
  const { session, asksUser } = await authenticate(first);
  assert.equal(asksUser, undefined);
  const authenticator = await enrol(session.getAccessToken().getJwtToken());

  for (const flow of ['USER_SRP_AUTH', 'USER_PASSWORD_AUTH']) {
    const again = userIn(always, username, browser);
    assert.equal((await authenticate(again, { flow })).session.isValid(), true);
    const { Devices } = await called((on) => again.listDevices(10, null, on));
    assert.equal(Devices.length, 1);
    assert.equal((await called((on) => again.getDevice(on))).Device.DeviceKey, Devices[0].DeviceKey);
    const refreshed = await new Promise((resolve, reject) =>
      again.refreshSession(again.getSignInUserSession().getRefreshToken(), (error, fresh) =>
        error ? reject(error) : resolve(fresh),
      ),
    );
    assert.equal(refreshed.isValid(), true);
  }
  await assert.rejects(authenticate(userIn(always, username, new Storage())), /a code is asked for/);

  // Forgotten elsewhere, the browser finds out by itself and becomes a new device.
  const user = userIn(always, username, browser);
  await authenticate(user);
  const { DeviceKey } = (await called((on) => user.getDevice(on))).Device;
  await cognito.send(new AdminForgetDeviceCommand({ UserPoolId: always.pool.Id, Username: username, DeviceKey }));
  await assert.rejects(authenticate(userIn(always, username, browser)), /a code is asked for/);
  const back = userIn(always, username, browser);
  await authenticate(back, { code: () => authenticator.code() });
  assert.notEqual((await called((on) => back.getDevice(on))).Device.DeviceKey, DeviceKey);
  assert.equal((await authenticate(userIn(always, username, browser))).session.isValid(), true);
});

test('amazon-cognito-identity-js asks where users are to be asked', async () => {
  const username = await createUser(cognito, opted.pool.Id);
  const browser = new Storage();
  const user = userIn(opted, username, browser);
  const { session, asksUser } = await authenticate(user);
  assert.equal(asksUser, true);
  await enrol(session.getAccessToken().getJwtToken());
  await assert.rejects(authenticate(userIn(opted, username, browser)), /a code is asked for/);
  await called((on) => user.setDeviceStatusRemembered(on));
  assert.equal((await authenticate(userIn(opted, username, browser))).session.isValid(), true);
  await called((on) => user.setDeviceStatusNotRemembered(on));
  await assert.rejects(authenticate(userIn(opted, username, browser)), /a code is asked for/);
  await called((on) => user.forgetDevice(on));
  await assert.rejects(authenticate(userIn(opted, username, browser)), /a code is asked for/);
});
