// A real OpenID Connect provider (oidc-provider by panva) on a port of its own, which signs in whom a test names; and a
// browser without a screen, which goes where it is sent.
import { createServer } from 'node:http';
import * as jose from 'jose';
import { Provider } from 'oidc-provider';

export const clientId = 'symbolon';
export const clientSecret = 'the-secret-of-symbolon-at-its-provider';

export class IdentityProvider {
  #server;
  #provider;
  // Who is at the keyboard.
  account = 'alice';
  // By account: claims beside "sub".
  people = { alice: { email: 'alice@idp.example', email_verified: true, given_name: 'Alice', family_name: 'A' } };
  requests = [];

  // `inIdToken`: claims stand in the ID token; otherwise the userInfo endpoint tells them.
  static async start({ redirectUris, inIdToken = true, settings = {} }) {
    const idp = new IdentityProvider();
    const { privateKey } = await jose.generateKeyPair('RS256', { extractable: true });
    idp.jwk = { ...(await jose.exportJWK(privateKey)), kid: 'first', use: 'sig', alg: 'RS256' };
    idp.#server = createServer((request, response) => idp.#handle(request, response));
    await new Promise((resolve) => idp.#server.listen(0, '127.0.0.1', resolve));
    idp.issuer = `http://127.0.0.1:${idp.#server.address().port}`;
    idp.#provider = new Provider(idp.issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: redirectUris,
          token_endpoint_auth_method: 'client_secret_post',
        },
      ],
      jwks: { keys: [idp.jwk] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['given_name', 'family_name'] },
      conformIdTokenClaims: !inIdToken,
      cookies: { keys: ['a key of this test'] },
      features: { devInteractions: { enabled: false } },
      pkce: { required: () => false },
      interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
      findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, ...idp.people[id] }) }),
      // Nobody is asked for consent.
      loadExistingGrant: async (context) => {
        const grant = new context.oidc.provider.Grant({
          clientId: context.oidc.client.clientId,
          accountId: context.oidc.session.accountId,
        });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
      ...settings,
    });
    return idp;
  }

  async #handle(request, response) {
    this.requests.push(request.url);
    try {
      if (request.url.startsWith('/interaction/')) {
        await this.#provider.interactionFinished(request, response, { login: { accountId: this.account } });
        return;
      }
      await this.#provider.callback()(request, response);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  }

  // For CreateIdentityProvider.
  get details() {
    return {
      client_id: clientId,
      client_secret: clientSecret,
      attributes_request_method: 'GET',
      oidc_issuer: this.issuer,
      authorize_scopes: 'openid email profile',
    };
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

// Keeps cookies, by origin, and follows redirections until one leaves for a URL that begins with `until`.
export class Browser {
  #cookies = new Map();

  async get(url) {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map();
    this.#cookies.set(origin, jar);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      if (value) jar.set(name, value);
      else jar.delete(name);
    }
    this.lastHeaders = response.headers;
    return response;
  }

  // The URL at which the browser ends.
  async follow(url, until) {
    for (let steps = 0; steps < 20; ++steps) {
      if (url.startsWith(until)) return new URL(url);
      const response = await this.get(url);
      const location = response.headers.get('location');
      if (!location) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
      url = new URL(location, url).href;
    }
    throw new Error('redirections without end');
  }
}
