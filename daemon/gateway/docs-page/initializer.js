/* global SwaggerUIBundle, location */

// The page /docs. It asks this server only.

/** The operations that take an Idempotency-Key, with a pattern of their paths. */
function listKeyed({ paths }) {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { parameters = [] }]) =>
        parameters.some(({ $ref = '' }) => $ref.endsWith('IdempotencyKey')),
      )
      .map(([method]) => ({
        method,
        pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
      })),
  );
}

function makeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Gives a request a key of its own, where its operation takes one and it has none. */
function createInterceptor(keyed) {
  return (request) => {
    const { pathname } = new URL(request.url, location.href);
    const method = (request.method ?? 'GET').toLowerCase();
    const takesKey = keyed.some((each) => each.method === method && each.pattern.test(pathname));
    const headers = (request.headers ??= {});
    const hasKey = Object.keys(headers).some(
      (name) => name.toLowerCase() === 'idempotency-key' && headers[name] !== '',
    );
    if (takesKey && !hasKey) headers['Idempotency-Key'] = makeKey();
    return request;
  };
}

async function start() {
  const spec = await (await fetch('/openapi.json')).json();
  const keyed = listKeyed(spec);
  // A required parameter that is empty would keep the page from sending anything.
  const { IdempotencyKey: key } = spec.components.parameters;
  if (key) {
    key.required = false;
    key.description += ' This page makes one where you leave it empty.';
  }
  SwaggerUIBundle({
    spec,
    dom_id: '#swagger-ui',
    deepLinking: true,
    layout: 'BaseLayout',
    presets: [SwaggerUIBundle.presets.apis],
    validatorUrl: null,
    persistAuthorization: false,
    withCredentials: true,
    requestInterceptor: createInterceptor(keyed),
  });
}

void start();
