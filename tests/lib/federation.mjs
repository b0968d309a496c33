// Pools whose users come from an identity provider, and application that takes them.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  CreateIdentityProviderCommand,
  CreateUserPoolDomainCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { Browser } from './identity_provider.mjs';
import { createClient } from './pools.mjs';

export const callback = 'http://localhost/callback';
export const scope = 'openid email profile aws.cognito.signin.user.admin';
export const mapping = {
  email: 'email', email_verified: 'email_verified', given_name: 'given_name', family_name: 'family_name',
};

export async function createDomain(cognito, pool) {
  const Domain = `d-${pool.Id.split('_')[1].toLowerCase()}-${randomBytes(3).toString('hex')}`;
  await cognito.send(new CreateUserPoolDomainCommand({ UserPoolId: pool.Id, Domain }));
  return Domain;
}

export const domainUrl = (region, domain) => `${region.api}/_domain/${domain}`;

export async function createProvider(cognito, pool, idp, { name = 'Partner', ...settings } = {}) {
  const { IdentityProvider } = await cognito.send(
    new CreateIdentityProviderCommand({
      UserPoolId: pool.Id,
      ProviderName: name,
      ProviderType: 'OIDC',
      ProviderDetails: idp.details,
      AttributeMapping: mapping,
      ...settings,
    }),
  );
  return IdentityProvider;
}

export function createCodeClient(cognito, pool, settings = {}) {
  return createClient(cognito, pool.Id, {
    AllowedOAuthFlows: ['code'],
    AllowedOAuthFlowsUserPoolClient: true,
    AllowedOAuthScopes: scope.split(' '),
    CallbackURLs: [callback],
    SupportedIdentityProviders: ['Partner'],
    ...settings,
  });
}

export const newVerifier = () => randomBytes(32).toString('base64url');
export const challengeOf = (verifier) => createHash('sha256').update(verifier).digest('base64url');

export function authorizeUrl(base, client, parameters = {}) {
  const query = new URLSearchParams({
    response_type: 'code', client_id: client.ClientId, redirect_uri: callback, scope, ...parameters,
  });
  return `${base}/oauth2/authorize?${query}`;
}

export async function tokenRequest(base, parameters, headers = {}) {
  const response = await fetch(`${base}/oauth2/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(parameters).toString(),
  });
  return { status: response.status, ...(await response.json()) };
}

// Through authorize, the provider and back: the callback's parameters, and what redeems the code.
export async function authorize(base, client, parameters = {}, browser = new Browser()) {
  const verifier = newVerifier();
  const state = randomUUID();
  const end = await browser.follow(
    authorizeUrl(base, client, {
      state, code_challenge: challengeOf(verifier), code_challenge_method: 'S256', ...parameters,
    }),
    callback,
  );
  return { verifier, state, answer: Object.fromEntries(end.searchParams) };
}

export async function signInByProvider(base, client, parameters = {}, browser = new Browser()) {
  const { verifier, answer } = await authorize(base, client, parameters, browser);
  if (!answer.code) throw new Error(`no code: ${JSON.stringify(answer)}`);
  const tokens = await tokenRequest(base, {
    grant_type: 'authorization_code',
    client_id: client.ClientId,
    code: answer.code,
    redirect_uri: callback,
    code_verifier: verifier,
  });
  if (tokens.status !== 200) throw new Error(`no tokens: ${JSON.stringify(tokens)}`);
  return tokens;
}
