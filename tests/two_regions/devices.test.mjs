// Sign-in by a remembered device in a secondary Region whose primary is gone, sightings that both Regions know, and
// devices that are forgotten everywhere.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminForgetDeviceCommand,
  AdminGetDeviceCommand,
  AssociateSoftwareTokenCommand,
  ForgetDeviceCommand,
  GetDeviceCommand,
  SetUserMFAPreferenceCommand,
  SetUserPoolMfaConfigCommand,
  UpdateDeviceStatusCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Authenticator } from '../lib/authenticator.mjs';
import { confirmedDevice, Device, signInBy, startSignIn } from '../lib/device.mjs';
import { fails } from '../lib/expect.mjs';
import { Lab } from '../lib/lab.mjs';
import { claimsOf, createClient, createUser, refresh } from '../lib/pools.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;
const here = lab.cognito();
const there = lab.cognito(secondary.name);
const pool = await createReplicatedPool(lab, { DeviceConfiguration: { ChallengeRequiredOnNewDevice: true } });
const client = await createClient(here, pool.Id);
await here.send(
  new SetUserPoolMfaConfigCommand({
    UserPoolId: pool.Id, MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration: { Enabled: true },
  }),
);

// A user who is asked for codes, but on the device.
async function userWithDevice() {
  const username = await createUser(here, pool.Id);
  const { device, tokens } = await confirmedDevice(here, client, username);
  const { AccessToken } = tokens;
  const { SecretCode } = await here.send(new AssociateSoftwareTokenCommand({ AccessToken }));
  await here.send(new VerifySoftwareTokenCommand({ AccessToken, UserCode: new Authenticator(SecretCode).code() }));
  await here.send(
    new SetUserMFAPreferenceCommand({ AccessToken, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } }),
  );
  await untilCaughtUp(lab, pool.Id);
  return { username, device, tokens };
}
async function lastSeen(cognito, username, { key }) {
  const shown = await cognito.send(
    new AdminGetDeviceCommand({ UserPoolId: pool.Id, Username: username, DeviceKey: key }),
  );
  return shown.Device.DeviceLastAuthenticatedDate.getTime();
}
const noDevice = ['ResourceNotFoundException', 'Device does not exist.'];

test('with the primary gone a device signs in without a code, and the primary knows of it when it returns', async () => {
  const { username, device, tokens } = await userWithDevice();
  const confirmed = await lastSeen(here, username, device);
  await lab.kill(primary.name);

  assert.equal((await startSignIn(there, client, username)).ChallengeName, 'SOFTWARE_TOKEN_MFA');
  const away = await signInBy(there, client, username, device);
  assert.equal(claimsOf(away.AccessToken).device_key, device.key);
  const { AccessToken } = away;
  await fails(device.lastProof(), 'NotAuthorizedException', /can only be used once/);
  assert.ok((await refresh(there, client, tokens.RefreshToken, { DEVICE_KEY: device.key })).AccessToken);
  await fails(refresh(there, client, tokens.RefreshToken), 'NotAuthorizedException', 'Invalid Refresh Token');
  const seen = await lastSeen(there, username, device);
  assert.ok(seen > confirmed, `${seen} after ${confirmed}`);
  await there.send(new GetDeviceCommand({ AccessToken, DeviceKey: device.key }));
  for (const change of [
    new ForgetDeviceCommand({ AccessToken, DeviceKey: device.key }),
    new UpdateDeviceStatusCommand({ AccessToken, DeviceKey: device.key, DeviceRememberedStatus: 'not_remembered' }),
  ]) {
    await fails(there.send(change), 'OperationNotEnabledException', new RegExp(primary.name));
  }

  await lab.startRegion(primary.name);
  await until('the sighting is told', async () =>
    (await lastSeen(here, username, device).catch(() => confirmed)) === seen,
  );
  assert.ok((await refresh(here, client, away.RefreshToken, { DEVICE_KEY: device.key })).AccessToken);
});

test('a device that is forgotten at the primary is unknown at the secondary', async () => {
  const { username, device, tokens } = await userWithDevice();
  const away = await signInBy(there, client, username, device);
  await here.send(
    new AdminForgetDeviceCommand({ UserPoolId: pool.Id, Username: username, DeviceKey: device.key }),
  );
  await untilCaughtUp(lab, pool.Id);
  await fails(startSignIn(there, client, username, device.key), ...noDevice);
  for (const { RefreshToken } of [tokens, away]) {
    await fails(
      refresh(there, client, RefreshToken, { DEVICE_KEY: device.key }), 'NotAuthorizedException', 'Invalid Refresh Token',
    );
  }
});

test('a secondary offers no device, and its tokens are good in both Regions without one', async () => {
  const username = await createUser(here, pool.Id);
  await untilCaughtUp(lab, pool.Id);
  const { AuthenticationResult } = await startSignIn(there, client, username);
  assert.equal(AuthenticationResult.NewDeviceMetadata, undefined);
  for (const cognito of [here, there]) {
    assert.ok((await refresh(cognito, client, AuthenticationResult.RefreshToken)).AccessToken);
  }
  await fails(
    new Device({ DeviceKey: `${secondary.name}_0`, DeviceGroupKey: '-' }).confirm(there, AuthenticationResult.AccessToken),
    'OperationNotEnabledException',
    new RegExp(primary.name),
  );
});

test('a proof that two Regions took while they were apart gives nobody lasting access', async () => {
  const { username, device } = await userWithDevice();
  await lab.kill(primary.name);
  const away = await signInBy(there, client, username, device);
  await lab.kill(secondary.name);
  await lab.startRegion(primary.name);
  const home = (await until('the primary is back', () => device.lastProof(here))).AuthenticationResult;
  const withKey = { DEVICE_KEY: device.key };
  assert.ok((await refresh(here, client, home.RefreshToken, withKey)).AccessToken);
  await lab.startRegion(secondary.name);
  for (const cognito of [here, there]) {
    for (const { RefreshToken } of [home, away]) {
      await until('the tokens are revoked', () =>
        refresh(cognito, client, RefreshToken, withKey).then(
          () => false, (error) => error.name === 'NotAuthorizedException',
        ),
      );
    }
  }
});
