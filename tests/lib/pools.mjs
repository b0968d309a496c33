// Pools, clients and users for tests that are about something else.
import { createHmac, randomUUID } from 'node:crypto';
import {
  AdminCreateUserCommand,
  AdminSetUserPasswordCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  DescribeUserPoolClientCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { until } from './wait.mjs';

export const password = 'Correct-horse-7';
export const anyName = (prefix = 'name') => `${prefix}-${randomUUID()}`;

export async function createPool(cognito, settings = {}) {
  const { UserPool } = await cognito.send(
    new CreateUserPoolCommand({ PoolName: 'test', AutoVerifiedAttributes: ['email'], ...settings }),
  );
  return UserPool;
}

export const everyFlow = [
  'ALLOW_USER_PASSWORD_AUTH',
  'ALLOW_ADMIN_USER_PASSWORD_AUTH',
  'ALLOW_USER_SRP_AUTH',
  'ALLOW_REFRESH_TOKEN_AUTH',
];

export async function createClient(cognito, poolId, settings = {}) {
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId: poolId,
      ClientName: 'test',
      ExplicitAuthFlows: everyFlow,
      ...settings,
    }),
  );
  return UserPoolClient;
}

// A confirmed user whose password is `pass`.
export async function createUser(cognito, poolId, { username = anyName('user'), attributes = {}, pass = password } = {}) {
  const all = { email: `${username}@example.com`, email_verified: 'true', ...attributes };
  await cognito.send(
    new AdminCreateUserCommand({
      UserPoolId: poolId,
      Username: username,
      MessageAction: 'SUPPRESS',
      UserAttributes: Object.entries(all).map(([Name, Value]) => ({ Name, Value })),
    }),
  );
  await cognito.send(
    new AdminSetUserPasswordCommand({ UserPoolId: poolId, Username: username, Password: pass, Permanent: true }),
  );
  return username;
}

export function secretHash(client, username) {
  return createHmac('sha256', client.ClientSecret).update(username + client.ClientId).digest('base64');
}

// AuthenticationResult, or the challenge when there is one.
export async function signIn(cognito, client, username, { pass = password } = {}) {
  const answer = await cognito.send(
    new InitiateAuthCommand({
      AuthFlow: 'USER_PASSWORD_AUTH',
      ClientId: client.ClientId,
      AuthParameters: {
        USERNAME: username,
        PASSWORD: pass,
        ...(client.ClientSecret && { SECRET_HASH: secretHash(client, username) }),
      },
    }),
  );
  return answer.AuthenticationResult ?? answer;
}

export async function refresh(cognito, client, refreshToken, extra = {}) {
  const answer = await cognito.send(
    new InitiateAuthCommand({
      AuthFlow: 'REFRESH_TOKEN_AUTH',
      ClientId: client.ClientId,
      AuthParameters: { REFRESH_TOKEN: refreshToken, ...extra },
    }),
  );
  return answer.AuthenticationResult;
}

// The newest code that was sent to `destination`, once more than `after` messages have gone there.
export async function codeFor(lab, destination, { region, after = 0 } = {}) {
  const message = await until(`a code for ${destination}`, async () => {
    const messages = await lab.outbox(destination, region);
    return messages.length > after && messages.at(-1);
  });
  return message.code;
}

export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}
export function headerOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
}

export async function describeClient(cognito, client) {
  const { UserPoolClient } = await cognito.send(
    new DescribeUserPoolClientCommand({ UserPoolId: client.UserPoolId, ClientId: client.ClientId }),
  );
  return UserPoolClient;
}
