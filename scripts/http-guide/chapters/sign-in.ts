import { password, type Chapter } from '../chapter.ts';

const ana = `{"email":"ana@example.com","password":"${password}"}`;

export const start: Chapter = {
  title: 'Start here',
  text: `A daemon that answers is alive; one that is ready serves calls. These routes need no
credential. The first answer is printed with all its headers, but for date and connection.`,
  steps: [
    { command: 'curl -i "$WALLET/healthz"', status: 200 },
    { command: 'curl -i "$WALLET/readyz"', status: 200 },
    {
      text: 'The API as OpenAPI 3.1, for generators of clients; the same as pages for people:',
      command: `curl -s -o openapi.json -w '%{http_code} %{content_type}\\n' "$WALLET/openapi.json"
curl -s -o docs.html -w '%{http_code} %{content_type}\\n' "$WALLET/docs"
curl -s -o errors.html -w '%{http_code} %{content_type}\\n' "$WALLET/docs/errors"`,
    },
  ],
};

export const signIn: Chapter = {
  title: 'Sign in',
  text: `Customers may open an account themselves if \`SIGN_UP\` allows it, as it does on a daemon
with its embedded database, for programs on the same machine. Passwords have 12 characters or more.
Where the daemon sends mail, a code comes first: see [Sign-up with a mailed
code](#sign-up-with-a-mailed-code).`,
  steps: [
    { command: `curl -i "$WALLET/v1/sign-up" --json '${ana}'`, status: 201 },
    {
      text: `A sign-in gives an access token for requests, and a refresh token for the next access
token. Keep \`deviceToken\` and send it with the next sign-in: then guesses of others do not slow
it down. \`totpCode\` is needed where the user has a second factor.`,
      command: `curl -i "$WALLET/v1/sign-in" --json '{"email":"ana@example.com","password":"${password}","client":"guide"}'`,
      status: 200,
      keep: {
        TOKEN: 'tokens.accessToken',
        REFRESH: 'tokens.refreshToken',
        USER_ID: 'user.id',
      },
    },
    {
      text: 'Who a token is:',
      command: 'curl -i "$WALLET/v1/me" -H "Authorization: Bearer $TOKEN"',
      status: 200,
    },
    {
      text: `Before the access token expires, or when it was refused with \`TOKEN_EXPIRED\`,
exchange the refresh token. It is used once: the answer has its successor. The same one again
within 10 seconds gets the same answer, so that a lost answer ends nothing; later it ends the
session, because another program may have copied it.`,
      command: `curl -i "$WALLET/v1/sessions/refresh" --json '{"refreshToken":"'$REFRESH'"}'`,
      status: 200,
      keep: { TOKEN: 'tokens.accessToken' },
    },
    {
      text: 'Another password. With `revokeOtherSessions` all other sign-ins end; this session goes on.',
      command: `curl -i -X PUT "$WALLET/v1/me/password" -H "Authorization: Bearer $TOKEN" \\
  --json '{"oldPassword":"${password}","newPassword":"wrong donkey staple","revokeOtherSessions":true}'`,
      status: 200,
    },
    {
      text: 'A second sign-in, which is then ended from the first one:',
      command: `curl -i "$WALLET/v1/sign-in" \\
  --json '{"email":"ana@example.com","password":"wrong donkey staple","client":"old laptop"}'`,
      status: 200,
      isSilent: true,
      keep: { SESSION_ID: 'tokens.sessionId' },
    },
    {
      command: 'curl -i "$WALLET/v1/sessions" -H "Authorization: Bearer $TOKEN"',
      status: 200,
    },
    {
      command: `curl -i -X DELETE "$WALLET/v1/sessions/$SESSION_ID" -H "Authorization: Bearer $TOKEN"`,
      status: 200,
    },
  ],
};

export const keys: Chapter = {
  title: 'An API key for a program',
  text: `A key acts for its owner within its scopes, and can be limited to one wallet and to some
operations. It never changes accounts. It ends by itself (after 90 days unless \`expiresAt\` says
otherwise, at most 366). The secret is in this answer only.`,
  steps: [
    {
      command: `curl -i "$WALLET/v1/api-keys" -H "Authorization: Bearer $TOKEN" \\
  --json '{"name":"shop","scopes":["transactions:write","wallets:read"],"operations":["purchase"]}'`,
      status: 201,
      keep: { API_KEY: 'secret', API_KEY_ID: 'id' },
    },
    {
      command: 'curl -i "$WALLET/v1/api-keys" -H "Authorization: Bearer $TOKEN"',
      status: 200,
    },
  ],
};
