// Users who come from an OpenID Connect provider: the API by the SDK, a real provider, openid-client as the application.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AdminDeleteUserCommand,
  AdminDisableUserCommand,
  AdminGetUserCommand,
  AdminListGroupsForUserCommand,
  AdminSetUserPasswordCommand,
  ChangePasswordCommand,
  CreateIdentityProviderCommand,
  CreateUserPoolClientCommand,
  DeleteIdentityProviderCommand,
  DescribeIdentityProviderCommand,
  DescribeUserPoolClientCommand,
  GetIdentityProviderByIdentifierCommand,
  GetUserCommand,
  GlobalSignOutCommand,
  ListIdentityProvidersCommand,
  ListUsersCommand,
  UpdateIdentityProviderCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import * as openid from 'openid-client';
import { fails } from '../lib/expect.mjs';
import {
  authorize, authorizeUrl, callback, challengeOf, createCodeClient, createDomain, createProvider, domainUrl, mapping,
  newVerifier, scope, signInByProvider, tokenRequest,
} from '../lib/federation.mjs';
import { Browser, clientSecret, IdentityProvider } from '../lib/identity_provider.mjs';
import { Lab } from '../lib/lab.mjs';
import { claimsOf, createPool, signIn } from '../lib/pools.mjs';

const lab = await Lab.shared();
after(() => lab.release());
const cognito = lab.cognito();
// A node that has no spare RSA key yet asks to try again.
const patient = lab.cognito(lab.primary.name, { maxAttempts: 8 });
const pool = await createPool(patient);
const UserPoolId = pool.Id;
const base = domainUrl(lab.primary, await createDomain(cognito, pool));
const redirectUris = [`${base}/oauth2/idpresponse`];
const idp = await IdentityProvider.start({ redirectUris });
const quiet = await IdentityProvider.start({ redirectUris, inIdToken: false });
after(() => Promise.all([idp.stop(), quiet.stop()]));
await createProvider(cognito, pool, idp, { IdpIdentifiers: ['idp.example'] });
await createProvider(cognito, pool, quiet, { name: 'Quiet' });
const client = await createCodeClient(cognito, pool, { SupportedIdentityProviders: ['Partner', 'Quiet'], LogoutURLs: ['https://app.example/bye'] });
const partner = { identity_provider: 'Partner' };
const attributesOf = (list) => Object.fromEntries(list.map(({ Name, Value }) => [Name, Value]));
const userOf = async (Username) => cognito.send(new AdminGetUserCommand({ UserPoolId, Username }));

test('providers are made, shown, changed, listed, found by an identifier and deleted', async () => {
  const ProviderName = 'Another';
  const made = await createProvider(cognito, pool, idp, { name: ProviderName, IdpIdentifiers: ['another.example'] });
  assert.equal(made.ProviderType, 'OIDC');
  assert.deepEqual(made.AttributeMapping, { ...mapping, username: 'sub' });
  assert.equal(made.ProviderDetails.client_secret, clientSecret);
  await fails(createProvider(cognito, pool, idp, { name: ProviderName }), 'DuplicateProviderException');
  await fails(createProvider(cognito, pool, idp, { name: 'Third', IdpIdentifiers: ['ANOTHER.example'] }), 'DuplicateProviderException');
  const found = await cognito.send(new GetIdentityProviderByIdentifierCommand({ UserPoolId, IdpIdentifier: 'another.example' }));
  assert.equal(found.IdentityProvider.ProviderName, ProviderName);
  await cognito.send(new UpdateIdentityProviderCommand({ UserPoolId, ProviderName, AttributeMapping: { email: 'mail' }, IdpIdentifiers: ['new.example'] }));
  const { IdentityProvider: shown } = await cognito.send(new DescribeIdentityProviderCommand({ UserPoolId, ProviderName }));
  assert.deepEqual(shown.AttributeMapping, { email: 'mail', username: 'sub' });
  assert.deepEqual(shown.IdpIdentifiers, ['new.example']);
  assert.equal(shown.ProviderDetails.oidc_issuer, idp.issuer);
  await fails(cognito.send(new GetIdentityProviderByIdentifierCommand({ UserPoolId, IdpIdentifier: 'another.example' })), 'ResourceNotFoundException');
  const { Providers } = await cognito.send(new ListIdentityProvidersCommand({ UserPoolId }));
  assert.deepEqual(Providers.map((each) => each.ProviderName).sort(), ['Another', 'Partner', 'Quiet']);
  await cognito.send(new DeleteIdentityProviderCommand({ UserPoolId, ProviderName }));
  await fails(cognito.send(new DescribeIdentityProviderCommand({ UserPoolId, ProviderName })), 'ResourceNotFoundException');
});

test('what is not there yet, or makes no sense, is refused', async () => {
  const create = (changes, details = {}) =>
    cognito.send(new CreateIdentityProviderCommand({
      UserPoolId, ProviderName: 'Refused', ProviderType: 'OIDC', ProviderDetails: { ...idp.details, ...details }, ...changes,
    }));
  const refused = (promise, pattern) => fails(promise, 'InvalidParameterException', pattern);
  for (const ProviderType of ['SAML', 'Google', 'Facebook', 'LoginWithAmazon', 'SignInWithApple'])
    await refused(create({ ProviderType }), /not available yet/);
  await refused(create({}, { oidc_issuer: 'http://idp.example' }), /https/);
  await refused(create({}, { oidc_issuer: 'https://user@idp.example' }), /https/);
  await refused(create({}, { jwks_uri: 'file:///etc/passwd' }), /https/);
  await refused(create({}, { authorize_scopes: 'email' }), /openid/);
  await refused(create({}, { client_id: '' }), /client_id/);
  await refused(create({}, { unheard_of: 'x' }), /unheard_of/);
  await refused(create({ AttributeMapping: { 'custom:none': 'x' } }), /custom:none/);
  await refused(create({ AttributeMapping: { username: 'email' } }), /username/);
  await refused(createCodeClient(cognito, pool, { SupportedIdentityProviders: ['Nobody'] }), /does not exist/);
  await refused(createCodeClient(cognito, pool, { AllowedOAuthFlows: ['implicit'] }), /not available/);
  for (const url of ['http://app.example/cb', 'https://app.example/cb#x', 'javascript:alert(1)'])
    await refused(createCodeClient(cognito, pool, { CallbackURLs: [url] }), /CallbackURLs/);
  const { UserPoolClient: shown } = await cognito.send(new DescribeUserPoolClientCommand({ UserPoolId, ClientId: client.ClientId }));
  assert.deepEqual(shown.AllowedOAuthFlows, ['code']);
  assert.deepEqual(shown.SupportedIdentityProviders, ['Partner', 'Quiet']);
});

test('openid-client signs a user in, and gets tokens that it verifies', async () => {
  const config = await openid.discovery(
    new URL(`${lab.primary.api}/${pool.Id}`), client.ClientId, undefined, openid.None(), { execute: [openid.allowInsecureRequests] },
  );
  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  const expectedState = openid.randomState();
  const expectedNonce = openid.randomNonce();
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: callback, scope, state: expectedState, nonce: expectedNonce, identity_provider: 'Partner',
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
  });
  const browser = new Browser();
  const end = await browser.follow(url.href, callback);
  // It made the user.
  assert.ok(browser.lastHeaders.get('x-symbolon-position').endsWith(`/${pool.Id}`));
  const tokens = await openid.authorizationCodeGrant(config, end, { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true });
  const claims = tokens.claims();
  assert.equal(claims['cognito:username'], 'Partner_alice');
  assert.equal(claims.email, 'alice@idp.example');
  assert.equal(claims.email_verified, true);
  assert.deepEqual(claims['cognito:groups'], [`${pool.Id}_Partner`]);
  assert.equal(claims.identities.length, 1);
  const [{ userId, providerName, providerType, primary, dateCreated }] = claims.identities;
  assert.deepEqual([userId, providerName, providerType, primary], ['alice', 'Partner', 'OIDC', 'true']);
  assert.match(dateCreated, /^\d{13}$/);
  const access = claimsOf(tokens.access_token);
  assert.equal(access.scope, scope);
  assert.equal(access.version, 2);
  assert.equal(access.sub, claims.sub);

  const user = await cognito.send(new GetUserCommand({ AccessToken: tokens.access_token }));
  assert.equal(user.Username, 'Partner_alice');
  assert.equal(attributesOf(user.UserAttributes).given_name, 'Alice');
  const seen = await userOf('Partner_alice');
  assert.equal(seen.UserStatus, 'EXTERNAL_PROVIDER');
  assert.equal(JSON.parse(attributesOf(seen.UserAttributes).identities)[0].userId, 'alice');
  const { Groups } = await cognito.send(new AdminListGroupsForUserCommand({ UserPoolId, Username: 'Partner_alice' }));
  assert.deepEqual(Groups.map((group) => group.GroupName), [`${pool.Id}_Partner`]);

  const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal(claimsOf(fresh.access_token).scope, scope);
  assert.equal(claimsOf(fresh.id_token).sub, claims.sub);
});

test('a second sign-in is the same user, with the attributes as the provider has them now', async () => {
  idp.people.bob = { email: 'bob@idp.example', email_verified: true, given_name: 'Bob' };
  idp.account = 'bob';
  const first = claimsOf((await signInByProvider(base, client, partner)).id_token);
  idp.people.bob = { email: 'robert@idp.example', email_verified: false, given_name: 'Robert' };
  const second = claimsOf((await signInByProvider(base, client, partner)).id_token);
  assert.equal(second.sub, first.sub);
  assert.deepEqual([second.email, second.email_verified, second.given_name], ['robert@idp.example', false, 'Robert']);
  const { Users } = await cognito.send(new ListUsersCommand({ UserPoolId, Filter: 'email = "robert@idp.example"' }));
  assert.deepEqual(Users.map((user) => user.Username), ['Partner_bob']);
  idp.account = 'alice';
});

test('claims that only the userInfo endpoint tells are mapped too', async () => {
  quiet.account = 'alice';
  const claims = claimsOf((await signInByProvider(base, client, { identity_provider: 'Quiet' })).id_token);
  assert.deepEqual([claims['cognito:username'], claims.email, claims.email_verified], ['Quiet_alice', 'alice@idp.example', true]);
});

test('an identifier leads to its provider, and a client of one provider needs to name none', async () => {
  const { answer } = await authorize(base, client, { idp_identifier: 'idp.example' });
  assert.ok(answer.code);
  const single = await createCodeClient(cognito, pool);
  assert.ok((await signInByProvider(base, single)).id_token);
});

test('a code is good once, for its client, its redirect_uri and its verifier', async () => {
  const redeem = (answer, changes = {}) =>
    tokenRequest(base, {
      grant_type: 'authorization_code', client_id: client.ClientId, code: answer.code, redirect_uri: callback, ...changes,
    });
  const { verifier, answer } = await authorize(base, client, partner);
  const other = await createCodeClient(cognito, pool);
  for (const changes of [
    {}, { code_verifier: newVerifier() }, { code_verifier: verifier, redirect_uri: `${callback}/` },
    { code_verifier: verifier, client_id: other.ClientId }, { code_verifier: verifier, code: `${answer.code}x` },
  ]) {
    const { status, error } = await redeem(answer, changes);
    assert.deepEqual([status, error], [400, 'invalid_grant'], JSON.stringify(changes));
  }
  const tokens = await redeem(answer, { code_verifier: verifier });
  assert.equal(tokens.status, 200);
  // A second use ends what came of the first.
  assert.equal((await redeem(answer, { code_verifier: verifier })).error, 'invalid_grant');
  await fails(cognito.send(new GetUserCommand({ AccessToken: tokens.access_token })), 'NotAuthorizedException', /revoked/);
  assert.equal((await tokenRequest(base, { grant_type: 'refresh_token', client_id: client.ClientId, refresh_token: tokens.refresh_token })).error, 'invalid_grant');
});

test('a client with a secret has to prove it', async () => {
  const { UserPoolClient: secretive } = await cognito.send(new CreateUserPoolClientCommand({
    UserPoolId, ClientName: 'secretive', GenerateSecret: true, AllowedOAuthFlows: ['code'], AllowedOAuthFlowsUserPoolClient: true,
    AllowedOAuthScopes: ['openid'], CallbackURLs: [callback], SupportedIdentityProviders: ['Partner'],
  }));
  const { verifier, answer } = await authorize(base, secretive, { scope: 'openid' });
  const form = { grant_type: 'authorization_code', client_id: secretive.ClientId, code: answer.code, redirect_uri: callback, code_verifier: verifier };
  assert.equal((await tokenRequest(base, form)).error, 'invalid_client');
  assert.equal((await tokenRequest(base, { ...form, client_secret: 'wrong' })).error, 'invalid_client');
  assert.equal((await tokenRequest(base, { ...form, client_secret: secretive.ClientSecret })).status, 200);
});

test('a request with a wrong client or redirect_uri is sent nowhere, any other error goes back', async () => {
  const browser = new Browser();
  for (const changes of [{ client_id: 'nobody' }, { redirect_uri: 'https://evil.example/' }, { redirect_uri: `${callback}?x=1` }]) {
    const response = await browser.get(authorizeUrl(base, client, { ...partner, ...changes }));
    assert.equal(response.status, 400);
    assert.equal(response.headers.get('location'), null);
  }
  const errorOf = async (changes) => (await authorize(base, client, { ...partner, ...changes })).answer;
  assert.equal((await errorOf({ response_type: 'token' })).error, 'unauthorized_client');
  assert.equal((await errorOf({ scope: 'openid other/scope' })).error, 'invalid_scope');
  assert.equal((await errorOf({ scope: 'email' })).error, 'invalid_scope');
  assert.equal((await errorOf({ code_challenge_method: 'plain' })).error, 'invalid_request');
  assert.equal((await errorOf({ prompt: 'none' })).error, 'login_required');
  assert.equal((await errorOf({ identity_provider: 'COGNITO' })).error, 'invalid_request');
  assert.equal((await errorOf({ identity_provider: 'Nobody' })).error, 'invalid_request');
  const { state, answer } = await authorize(base, client, { ...partner, max_age: '0' });
  assert.deepEqual([answer.error, answer.state], ['invalid_request', state]);
});

test('an answer of the provider counts once, and in the browser that went there', async () => {
  const browser = new Browser();
  const url = authorizeUrl(base, client, { ...partner, code_challenge: challengeOf(newVerifier()), code_challenge_method: 'S256' });
  const back = await browser.follow(url, redirectUris[0]);
  assert.equal((await new Browser().get(back.href)).status, 400);
  const altered = new URL(back);
  altered.searchParams.set('state', `${back.searchParams.get('state')}A`);
  assert.equal((await browser.get(altered.href)).status, 400);
  const foreign = new URL(back);
  foreign.searchParams.set('iss', 'https://other.example');
  assert.match((await browser.get(foreign.href)).headers.get('location'), /error=invalid_request/);
  assert.match((await browser.get(back.href)).headers.get('location'), /[?&]code=/);
  assert.match((await browser.get(back.href)).headers.get('location'), /error=/);
});

test('a provider that is not there, or says no, is an error for the application', async () => {
  await createProvider(cognito, pool, { details: { ...idp.details, oidc_issuer: 'http://127.0.0.1:1' } }, { name: 'Gone' });
  const lost = await createCodeClient(cognito, pool, { SupportedIdentityProviders: ['Gone'] });
  const { answer } = await authorize(base, lost);
  assert.equal(answer.error, 'invalid_request');
  assert.match(answer.error_description, /cannot be reached/);
  const wrong = { ...idp.details, client_secret: 'not the secret of this client at all' };
  await createProvider(cognito, pool, { details: wrong }, { name: 'Wrong' });
  const refused = await createCodeClient(cognito, pool, { SupportedIdentityProviders: ['Wrong'] });
  assert.match((await authorize(base, refused)).answer.error_description, /^Wrong Error - 401 error getting token$/);
});

test('a user of a provider has no password and no name but their own here', async () => {
  const tokens = await signInByProvider(base, client, partner);
  await fails(cognito.send(new AdminSetUserPasswordCommand({ UserPoolId, Username: 'Partner_alice', Password: 'Correct-horse-7', Permanent: true })), 'InvalidParameterException');
  await fails(cognito.send(new ChangePasswordCommand({ AccessToken: tokens.access_token, ProposedPassword: 'Correct-horse-7' })), 'InvalidParameterException');
  await fails(signIn(cognito, await createCodeClient(cognito, pool), 'Partner_alice'), 'NotAuthorizedException');
  const aliases = await createPool(patient, { AliasAttributes: ['email'] });
  const aliasBase = domainUrl(lab.primary, await createDomain(cognito, aliases));
  const own = await IdentityProvider.start({ redirectUris: [`${aliasBase}/oauth2/idpresponse`] });
  after(() => own.stop());
  await createProvider(cognito, aliases, own);
  await signInByProvider(aliasBase, await createCodeClient(cognito, aliases));
  await fails(cognito.send(new AdminGetUserCommand({ UserPoolId: aliases.Id, Username: 'alice@idp.example' })), 'UserNotFoundException');
});

test('sign-outs and disabling end what came of a provider, deletion makes somebody new', async () => {
  idp.people.carol = { email: 'carol@idp.example' };
  idp.account = 'carol';
  const first = await signInByProvider(base, client, partner);
  await cognito.send(new GlobalSignOutCommand({ AccessToken: first.access_token }));
  await fails(cognito.send(new GetUserCommand({ AccessToken: first.access_token })), 'NotAuthorizedException');
  const second = await signInByProvider(base, client, partner);
  await cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'Partner_carol' }));
  await fails(cognito.send(new GetUserCommand({ AccessToken: second.access_token })), 'NotAuthorizedException');
  assert.equal((await authorize(base, client, partner)).answer.error, 'access_denied');
  await cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username: 'Partner_carol' }));
  const third = await signInByProvider(base, client, partner);
  assert.notEqual(claimsOf(third.id_token).sub, claimsOf(first.id_token).sub);
  await fails(cognito.send(new GetUserCommand({ AccessToken: second.access_token })), 'UserNotFoundException');
  assert.ok((await cognito.send(new GetUserCommand({ AccessToken: third.access_token }))).Username);
  idp.account = 'alice';
});

test('/logout sends the browser to a LogoutURL of the client, and nowhere else', async () => {
  const browser = new Browser();
  const to = (uri) => browser.get(`${base}/logout?${new URLSearchParams({ client_id: client.ClientId, logout_uri: uri })}`);
  assert.equal((await to('https://app.example/bye')).headers.get('location'), 'https://app.example/bye');
  assert.equal((await to('https://evil.example/')).status, 400);
  const again = await browser.get(`${base}/logout?${new URLSearchParams({ client_id: client.ClientId, redirect_uri: callback, response_type: 'code', scope: 'openid' })}`);
  assert.match(again.headers.get('location'), /\/oauth2\/authorize\?/);
});
