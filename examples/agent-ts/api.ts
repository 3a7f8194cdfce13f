// The tickets API: checks each token offline, by the keys that Deputy publishes.
import http from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const issuer = 'https://localhost:8443';
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));

http.createServer(async (request, response) => {
  try {
    const token = request.headers.authorization?.match(/^Bearer (.+)$/)?.[1] ?? '';
    const { payload } = await jwtVerify<{ scope: string; client_id: string; act: { sub: string } }>(token, keys, {
      issuer, audience: 'tickets', typ: 'at+jwt', algorithms: ['ES256'],
    });
    if (!payload.scope.split(' ').includes('tickets:search')) return response.writeHead(403).end();
    response.end(`two seats on Friday, found by ${payload.client_id} for ${payload.sub}\n`);
  } catch {
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
  }
}).listen(9002, '127.0.0.1');
