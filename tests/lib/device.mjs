// A user's device: its secret, and its part of DEVICE_SRP_AUTH, written from the AWS developer guide's formulas.
import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import {
  ConfirmDeviceCommand,
  InitiateAuthCommand,
  RespondToAuthChallengeCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { password, secretHash } from './pools.mjs';

// RFC 3526 §4.
const N = BigInt(
  '0xFFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF',
);
const g = 2n;

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const number = (octets) => BigInt(`0x${Buffer.from(octets).toString('hex') || '0'}`);
function pad(value) {
  let hex = value.toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  return Buffer.from(/^[89a-f]/.test(hex) ? `00${hex}` : hex, 'hex');
}
function power(base, exponent) {
  let result = 1n;
  for (let b = ((base % N) + N) % N, e = exponent; e > 0n; e >>= 1n, b = (b * b) % N) if (e & 1n) result = (result * b) % N;
  return result;
}
// "Tue Nov 3 09:05:07 UTC 2026"
function timestamp() {
  const [, day, date, month, year, time] = new Date().toUTCString().match(/^(\w+), 0?(\d+) (\w+) (\d+) ([\d:]+)/);
  return `${day} ${month} ${date} ${time} UTC ${year}`;
}

export class Device {
  #secret = randomBytes(40).toString('base64');
  #salt = randomBytes(16);

  // `metadata`: NewDeviceMetadata.
  constructor({ DeviceKey, DeviceGroupKey }) {
    this.key = DeviceKey;
    this.group = DeviceGroupKey;
  }

  get #x() {
    return number(sha256(pad(number(this.#salt)), sha256(`${this.group}${this.key}:${this.#secret}`)));
  }

  get verifierConfig() {
    return {
      PasswordVerifier: pad(power(g, this.#x)).toString('base64'),
      Salt: pad(number(this.#salt)).toString('base64'),
    };
  }

  // As one that has lost its secret.
  forgetSecret() {
    this.#secret = 'another';
  }

  async confirm(cognito, AccessToken, settings = {}) {
    return cognito.send(
      new ConfirmDeviceCommand({ AccessToken, DeviceKey: this.key, DeviceSecretVerifierConfig: this.verifierConfig, ...settings }),
    );
  }

  // Answers the challenge DEVICE_SRP_AUTH: the end of the sign-in.
  async prove(cognito, client, username, { Session }) {
    const names = {
      USERNAME: username,
      DEVICE_KEY: this.key,
      ...(client.ClientSecret && { SECRET_HASH: secretHash(client, username) }),
    };
    const respond = (ChallengeName, session, responses, to = cognito) =>
      to.send(
        new RespondToAuthChallengeCommand({
          ClientId: client.ClientId, ChallengeName, Session: session, ChallengeResponses: { ...names, ...responses },
        }),
      );
    const a = number(randomBytes(32));
    const A = power(g, a);
    const verifier = await respond('DEVICE_SRP_AUTH', Session, { SRP_A: A.toString(16) });
    const { SALT, SRP_B, SECRET_BLOCK } = verifier.ChallengeParameters;
    if (verifier.ChallengeName !== 'DEVICE_PASSWORD_VERIFIER') throw new Error(`unexpected ${verifier.ChallengeName}`);
    const B = BigInt(`0x${SRP_B}`);
    const u = number(sha256(pad(A), pad(B)));
    const k = number(sha256(pad(N), pad(g)));
    const x = number(sha256(pad(BigInt(`0x${SALT}`)), sha256(`${this.group}${this.key}:${this.#secret}`)));
    const S = power(B - k * power(g, x), a + u * x);
    const key = Buffer.from(hkdfSync('sha256', pad(S), pad(u), 'Caldera Derived Key', 16));
    const TIMESTAMP = timestamp();
    const signed = [`${this.group}${this.key}`, Buffer.from(SECRET_BLOCK, 'base64'), TIMESTAMP];
    const signature = signed.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest('base64');
    const answer = {
      PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK, PASSWORD_CLAIM_SIGNATURE: signature, TIMESTAMP,
    };
    // Sends it again, wherever.
    this.lastProof = (to) => respond('DEVICE_PASSWORD_VERIFIER', verifier.Session, answer, to);
    return (await this.lastProof()).AuthenticationResult;
  }
}

// By password; `deviceKey` of the device that is named. The whole answer.
export async function startSignIn(cognito, client, username, deviceKey) {
  return cognito.send(
    new InitiateAuthCommand({
      AuthFlow: 'USER_PASSWORD_AUTH',
      ClientId: client.ClientId,
      AuthParameters: {
        USERNAME: username,
        PASSWORD: password,
        ...(deviceKey && { DEVICE_KEY: deviceKey }),
        ...(client.ClientSecret && { SECRET_HASH: secretHash(client, username) }),
      },
    }),
  );
}

// A device of the user, confirmed, and the tokens of the sign-in that it was confirmed in.
export async function confirmedDevice(cognito, client, username, settings) {
  const { AuthenticationResult } = await startSignIn(cognito, client, username);
  const device = new Device(AuthenticationResult.NewDeviceMetadata);
  await device.confirm(cognito, AuthenticationResult.AccessToken, settings);
  return { device, tokens: AuthenticationResult };
}

// The tokens of a sign-in by password and device.
export async function signInBy(cognito, client, username, device) {
  const challenge = await startSignIn(cognito, client, username, device.key);
  if (challenge.ChallengeName !== 'DEVICE_SRP_AUTH') throw new Error(`unexpected ${challenge.ChallengeName}`);
  return device.prove(cognito, client, username, challenge);
}
