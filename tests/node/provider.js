// An OpenID provider that nobody here wrote (npm oidc-provider), on loopback, and a user who signs in at it.
// The provider's part is configuration and two forms; the user's part is a script that fills them in.

import http from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import * as client from 'openid-client';
import { Provider } from 'oidc-provider';
import { walk } from './browser.js';
import { canary, closeServer, listen } from './world.js';

const APPLICATION = 'booking-app';
const CLIENT = { id: APPLICATION, secret: 'a secret of the booking app, known to the provider' };
const CALLBACK = 'http://127.0.0.1/callback';
// How the user signed in, with the passkey and with a code in its place.
const LEVELS = { acr: 'phr', amr: ['pwd', 'hwk', 'mfa'] };
const CODE = '123456';
const LEVELS_BY_CODE = { amr: ['pwd', 'otp', 'mfa'] };
const USER = { name: 'ann', password: 'correct horse battery staple', passkey: 'touched' };

export async function startProvider() {
  const server = http.createServer();
  const issuer = await listen(server);
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      redirect_uris: [CALLBACK],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      application_type: 'native',
      id_token_signed_response_alg: 'ES256',
      require_auth_time: true,
    }],
    jwks: { keys: [{ ...await exportJWK(privateKey), kid: 'provider-1', alg: 'ES256', use: 'sig' }] },
    cookies: { keys: ['a cookie key of this run'] },
    pkce: { required: () => true },
    acrValues: ['phr'],
    claims: { openid: ['sub', 'acr', 'amr', 'birthdate', 'email'] },
    conformIdTokenClaims: false,
    // An access token is a JWT for the resource that the application asks for (RFC 9068), and says how the user signed in.
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource, scope: 'travel', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => (token.kind === 'AccessToken' ? LEVELS : undefined),
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, birthdate: canary.birthdate, email: canary.email }),
    }),
  });
  const serve = provider.callback();
  server.on('request', (request, response) => {
    const answer = request.url.startsWith('/interaction/') ? interact(provider, request, response) : serve(request, response);
    Promise.resolve(answer).catch((error) => response.writeHead(500).end(String(error)));
  });
  return { issuer, application: APPLICATION, stop: () => closeServer(server) };
}

// The provider's two pages: sign in, consent.
async function interact(provider, request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    const fields = prompt.name === 'login' ? ['user', 'password', 'passkey'] : ['agree'];
    const inputs = fields.map((name) => `<input name="${name}">`).join('');
    return response.writeHead(200, { 'content-type': 'text/html' })
      .end(`<form method="post" action="${request.url}">${inputs}</form>`);
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const form = new URLSearchParams(Buffer.concat(chunks).toString());
  if (prompt.name === 'login') {
    const { name, password, passkey } = USER;
    const factor = form.get('passkey');
    if (form.get('user') !== name || form.get('password') !== password || ![passkey, CODE].includes(factor)) {
      return response.writeHead(403).end();
    }
    const login = { accountId: name, ...(factor === CODE ? LEVELS_BY_CODE : LEVELS) };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid');
  if (params.resource) grant.addResourceScope(params.resource, 'travel');
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

// The user: authorization code with PKCE, as the booking app's own relying party does it (openid-client).
export const signIn = async (issuer) => (await tokensOf(issuer)).id_token;

// The same with a code in the place of the passkey.
export const signInByCode = async (issuer) => (await tokensOf(issuer, {}, CODE)).id_token;

// The access token that the same user's booking app sends to a resource.
export const accessToken = async (issuer, resource) => (
  (await tokensOf(issuer, { resource, scope: 'openid travel' })).access_token
);

async function tokensOf(issuer, asked = {}, passkey = USER.passkey) {
  const config = await client.discovery(new URL(issuer), CLIENT.id, CLIENT.secret, undefined, {
    execute: [client.allowInsecureRequests], // loopback
  });
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    acr_values: 'phr',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...asked,
  });
  const callback = await walk(url, {
    user: USER.name, password: USER.password, passkey, agree: 'yes',
  }, (at) => at.href.startsWith(CALLBACK));
  return client.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true,
  }, asked.resource ? { resource: asked.resource } : undefined);
}
