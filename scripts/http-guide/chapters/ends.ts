import { password, type Chapter } from '../chapter.ts';

const bearer = '-H "Authorization: Bearer $TOKEN"';

const statuses = [
  '| status | means | do |',
  '| --- | --- | --- |',
  '| 400, 404, 405, 406, 415, 422 | the request is wrong | correct it; the same again is refused again |',
  '| 401 | `TOKEN_EXPIRED`: refresh. Otherwise sign in | do not retry unchanged |',
  '| 403, 421 | not allowed, another origin, or an unknown host name | do not retry |',
  '| 409 | the ledger or the account does not permit it now | decide; a new attempt may use the same key |',
  '| 429, 503 | too much, or something is unavailable; nothing was done | wait for `Retry-After`, then the same request |',
  '| 504 with `"outcome": "unknown"`, and no answer at all | it may have been done | the same request with the same key, until there is another answer |',
  '| 500, 504 otherwise | an error, or a time limit | the same request with the same key |',
].join('\n');

export const problems: Chapter = {
  title: 'Problems, retries and limits',
  text: `Every refusal has the form of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
\`reason\` is stable, and listed with what to do about it in [errors.md](errors.md) (\`type\` leads
there). \`field\` names what is wrong. \`requestId\` is in the daemon's log, and in the header
\`X-Request-Id\` of every answer; a client may send its own.`,
  steps: [
    { command: 'curl -i "$WALLET/v1/me"', status: 401 },
    {
      text: 'An object of another user is answered like one that does not exist:',
      command: `curl -i "$WALLET/v1/transactions/00000000-0000-4000-8000-000000009999" ${bearer}`,
      status: 404,
    },
    {
      text: 'Unknown members, and what JSON parsers would read differently (a key that is given twice), are refused:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} -H 'Idempotency-Key: "a"' \\
  --json '{"operation":"deposit","amount":"1.00","amount":"1000.00"}'`,
      status: 400,
    },
    {
      command: `curl -i -X DELETE "$WALLET/v1/transactions" ${bearer}`,
      status: 405,
    },
  ],
  end: `${statuses}

Retry with growing pauses and some randomness (1 s, 2 s, 4 s …), at most for as long as the payment
is worth it: keys never expire, so a retry is as safe after a week as after a second. Do not make a
new key for a retry.

**Limits.** Bodies have at most 256 KiB (a batch 1 MiB), headers 8 KiB, and a request must arrive
within 30 seconds. A call is given up after 25 seconds, but for events, downloads and \`?wait\`. A
user has at most 512 calls and 8 event streams at once. More is 503 with \`Retry-After\`. The
numbers of all limits are in [operations.md](operations.md#limits).

**Browsers of other origins.** A page of another origin can read an answer only where
\`HTTP_CORS_ORIGINS\` names its origin: those under \`/v1\`, asked for with the access token of
its visitor. Any other page calls its own server, and that server calls the gateway with an API
key: a key in a page would belong to each visitor.`,
};

export const mail: Chapter = {
  title: 'Sign-up with a mailed code',
  text: `On a daemon with \`SMTP_URL\` the account exists when the mailed code has arrived. The
answer to a sign-up is the same for an address that is taken.`,
  steps: [
    {
      before: (site) => site.restartWithMail(),
      command: `curl -i "$WALLET/v1/sign-up" --json '{"email":"davi@example.com","password":"${password}"}'`,
      status: 202,
      keep: { SIGN_UP_TOKEN: 'signUpToken' },
    },
    {
      text: 'Take the code from the mail as `CODE`.',
      before: async (site) => {
        site.variables.set('CODE', await site.readMailedCode('davi@example.com'));
      },
      command: `curl -i "$WALLET/v1/verify-email" --json '{"code":"'$CODE'","signUpToken":"'$SIGN_UP_TOKEN'"}'`,
      status: 200,
    },
  ],
};

export const signOut: Chapter = {
  title: 'Clean up',
  text: 'A key that is no longer used is revoked; a sign-out ends the session and its tokens at once.',
  steps: [
    { command: `curl -i -X DELETE "$WALLET/v1/api-keys/$API_KEY_ID" ${bearer}`, status: 200 },
    { command: `curl -i -X DELETE "$WALLET/v1/sessions/current" ${bearer}`, status: 204 },
    { command: `curl -i "$WALLET/v1/me" ${bearer}`, status: 401 },
  ],
};
